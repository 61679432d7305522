#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Collects what the guest finds in /usr/share/tkernel-rs: the tests, the C
# programs that they use, built here because the guest is slow, and the C header.
# files.sh FLAVOUR: prints the directory. Nothing in it changes as long as what
# it is made of doesn't: another guest may be just reading it.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

checkout=$(dirname "$here")
kernel=$(kernel_of "$1")
# A place for each flavour: their guests may run side by side.
out=$checkout/out/guest/$1
files=$out/files
mkdir -p "$files"
lock files

cd "$checkout"
key=$({
	echo "$kernel"
	find tests/guest tests/bench tests/vm/files.sh demo include/uapi tools/tkctl README.md -type f \
		! -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum
} | content_key)
if [[ $(cat "$out/key" 2>/dev/null) == "$key" ]]; then
	echo "$files"
	exit
fi
rm -f "$out/key"
"$here/in-root" rsync -a --delete --exclude __pycache__ --exclude /bin --exclude /bin32 \
	--exclude /kselftest --exclude /scx --exclude /readme --exclude /demo --exclude /bench \
	tests/guest/ "$files/"
install -D -t "$files/include" include/uapi/ttools.h
install -D -t "$files/demo" demo/demo.sh
install -D -t "$files/bench" tests/bench/*.sh
install -D -t "$files/bin" "$("$here/tkctl.sh")/tkctl"

# The code blocks of the README, a file for each language.
readme() {
	mkdir -p "$files/readme"
	awk -v dir="$files/readme" '
		/^```$/ && out { close(out); out = "" }
		out { print > out }
		/^```(c|python|rust)$/ { out = dir "/" substr($0, 4) ".src" }' README.md
	mv "$files/readme/python.src" "$files/readme/python"
	in_root gcc "${cflags[@]}" -x c -o "$files/readme/c" "$files/readme/c.src"
	in_root rustc --edition 2021 -C target-feature=+crt-static -D warnings \
		-o "$files/readme/rust" "$files/readme/rust.src"
}

# The kernel's own tests of what our hooks touch.
selftests() {
	local targets="ptrace sched membarrier futex"
	[[ $(cat "$files/kselftest/of" 2>/dev/null) != "$kernel $targets" ]] || return 0
	rm -rf "$files/kselftest" "$out/kselftest"
	mkdir -p "$out/kselftest"
	# With gcc, whatever the kernel was built with.
	in_root make -C "$kernel/tree/tools/testing/selftests" TARGETS="$targets" \
		KHDR_INCLUDES="-isystem $kernel/tree/usr/include" \
		O="$out/kselftest" INSTALL_PATH="$files/kselftest" install
	# A program that its Makefile takes for a script, and looks for in the source.
	install -D -t "$files/kselftest/sched" "$out/kselftest/kselftest/sched/cs_prctl_test"
	echo "$kernel $targets" >"$files/kselftest/of"
}

# A scheduler of the kernel's own for sched_ext.
scheduler() {
	grep -q '^CONFIG_SCHED_CLASS_EXT=y' "$kernel/config" || return 0
	[[ $(cat "$files/scx/of" 2>/dev/null) != "$kernel" ]] || return 0
	rm -rf "$files/scx" "$out/scx"
	mkdir -p "$out/scx"
	in_root make -C "$kernel/tree/tools/sched_ext" O="$out/scx" CLANG=clang-19 LLVM_STRIP=llvm-strip-19 \
		VMLINUX_BTF="$kernel/tree/vmlinux" scx_simple
	install -D -t "$files/scx" "$out/scx/build/bin/scx_simple"
	echo "$kernel" >"$files/scx/of"
}

programs() {
	in_root make -C tests/guest/src OUT="$files"
	in_root gcc "${cflags[@]}" -g -o "$files/demo/vault" demo/vault.c
	for program in bt-beside bt-pipe bt-wake features-cost procview-cost ptrace-cost stream; do
		in_root gcc "${cflags[@]}" -pthread -o "$files/bench/$program" "tests/bench/$program.c"
	done
	readme
	selftests
	scheduler
}

in_root() { "$here/in-root" "$@"; }
cflags=(-O2 -static -Wall -Wextra -Werror -I include/uapi)

log=$out/log
# In a shell of its own: a function whose status is tested goes on after errors.
(set -e && programs) >"$log" 2>&1 &
wait $! || {
	cat "$log" >&2
	die "building the guest's programs failed"
}
echo "$key" >"$out/key"
echo "$files"
