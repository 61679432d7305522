#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of what runs on this machine: `make vm`, the build for other kernels, the
# rebase aid. Prints TAP. Packages and DKMS have packages.sh.

set -uo pipefail

cd "$(dirname "$0")/../.." || exit
flavour=${1:-vm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/host/tap.sh

# Not as part of the make that these tests may run under.
as_a_user_does() { env -u MAKEFLAGS -u MAKELEVEL make "$@"; }

# in_vm TEXT: runs a script of that text; leaves out, err and status.
in_vm() {
	printf '#!/bin/bash\n%s\n' "$1" >"$work/script"
	as_a_user_does vm SCRIPT="$work/script" KERNEL_FLAVOUR="$flavour" \
		>"$work/out" 2>"$work/err"
	echo $? >"$work/status"
}

is() { [[ $(<"$work/$1") == "$2" ]]; }

passes_status_and_output() {
	in_vm 'echo to stdout; echo to stderr >&2; exit 7'
	is status 7 && is out 'to stdout' && is err 'to stderr'
}

succeeds_silently() {
	in_vm 'modprobe ttools && test -c /dev/ttools'
	is status 0 && is out '' && is err ''
}

keeps_binary_output() {
	in_vm 'head -c 300000 /dev/zero | tr "\0" "\377"; printf "\r\n\0end"'
	is status 0 && { head -c 300000 /dev/zero | tr '\0' '\377'
		printf '\r\n\0end'; } | cmp - "$work/out"
}

reports_a_panic() {
	in_vm 'echo c >/proc/sysrq-trigger'
	is status 125 && grep -q 'panic' "$work/err" && is out ''
}

# Longer than the guest takes to start, which with checkers is long.
hang_limit=30
[[ $flavour != debug ]] || hang_limit=180

ends_a_hang() {
	VM_TIMEOUT=$hang_limit in_vm 'sleep 10000'
	is status 125 && grep -q "$hang_limit s" "$work/err"
}

says_what_script_is_missing() {
	as_a_user_does vm SCRIPT=/no/such/file >"$work/out" 2>"$work/err" && return 1
	grep -q 'no file /no/such/file' "$work/err"
}

# TK_LONG=1: it is downloaded, and its source prepared for 4 minutes.
boots_debians_kernel() {
	echo 'uname -r' >"$work/script"
	as_a_user_does vm SCRIPT="$work/script" KERNEL_FLAVOUR=stock >"$work/out" &&
		grep -x '[0-9.]*+deb[0-9]*-cloud-amd64' "$work/out"
}

refuses_kernels_without_hooks() {
	mkdir -p "$work/kdir/include/config"
	echo CONFIG_RUST=y >"$work/kdir/include/config/auto.conf"
	as_a_user_does KDIR="$work/kdir" >"$work/out" 2>"$work/err" && return 1
	grep -q 'no hooks.patch' "$work/err"
}

# copy DIR: the sources, without what was built.
copy() {
	git ls-files --cached --others --exclude-standard |
		build/in-root rsync -a --files-from=- . "$1"
}

# A copy, so that the objects don't end up among the sources.
installs() {
	copy "$work/src" &&
		build/in-root make -C "$work/src" KDIR="$tree" DESTDIR="$work/dest" \
			"${make_args[@]}" DEPMOD=true install &&
		[[ -f $work/dest/lib/modules/$release/updates/ttools.ko ]] &&
		[[ -f $work/dest/lib/modules/$release/updates/pclimit.ko ]] &&
		[[ ! -e $work/dest/lib/modules/$release/updates/tk_selftest.ko ]] &&
		cmp include/uapi/ttools.h "$work/dest/usr/local/include/ttools.h" &&
		build/in-root make -C "$work/src" KDIR="$tree" clean &&
		[[ -z $(find "$work/src" -name '*.o' -o -name '*.ko') ]]
}

# A kernel in which some of what the patch changes has changed.
tells_which_hooks_apply() {
	mkdir "$work/next" &&
		(sed -n 's,^+++ b/,,p' hooks.patch; echo Kconfig) |
			build/in-root rsync -a --files-from=- "$tree" "$work/next" &&
		sed -n '/^diff /,$p' hooks.patch | build/in-root patch -s -R -p1 -d "$work/next" &&
		build/patch.sh check "$work/next" >"$work/out" &&
		! grep -v applies "$work/out" &&
		sed -i s/ptrace_check_attach/ptrace_check_it/ "$work/next/kernel/ptrace.c" &&
		rm "$work/next/kernel/fork.c" &&
		sed -i '1i // One more line' "$work/next/mm/filemap.c" || return
	build/patch.sh check "$work/next" >"$work/out" && return 1
	grep '^ptrace *does not apply' "$work/out" &&
		grep 'kernel/ptrace.c: Hunk .* FAILED' "$work/out" &&
		grep 'kernel/fork.c is missing' "$work/out" &&
		grep '^pagecache *applies, to lines' "$work/out" &&
		grep '^procview *applies$' "$work/out"
}

tkctl_unit_tests() { build/tkctl.sh test; }

kernel=$(build/kernel.sh "$flavour") || exit
tree=$kernel/tree
read -ra make_args <"$kernel/make-args"
release=$(<"$kernel/release")

# The offline class's decisions, on a model of the kernel's slot.
policy_keeps_its_promises() {
	build/in-root rustc --edition 2021 --crate-type rlib --crate-name kernel \
		--out-dir "$work" tests/host/bt_policy/kernel.rs &&
		build/in-root rustc --edition 2021 -O -C overflow-checks=on \
			--extern kernel="$work/libkernel.rlib" -o "$work/policy" \
			tests/host/bt_policy/main.rs &&
		"$work/policy"
}

result "the policy of bt_sched_shim keeps its promises" policy_keeps_its_promises
result "make vm passes output and status on" passes_status_and_output
result "make vm prints nothing of its own" succeeds_silently
result "make vm keeps binary output" keeps_binary_output
result "make vm reports a guest that panics" reports_a_panic
result "make vm ends a guest that hangs" ends_a_hang
result "make vm says that there is no such script" says_what_script_is_missing
if [[ ${TK_LONG:-} ]]; then
	result "make vm boots Debian's own kernel" boots_debians_kernel
else
	skip "make vm boots Debian's own kernel" "TK_LONG=1"
fi
result "make refuses a kernel without the hooks" refuses_kernels_without_hooks
result "make install installs modules and header, make clean cleans" installs
result "tkctl's unit tests" tkctl_unit_tests
result "patch.sh check says which hooks apply" tells_which_hooks_apply
echo "1..$count"
