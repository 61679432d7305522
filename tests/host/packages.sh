#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the packages: packages.sh FLAVOUR prints TAP. The modules are built by
# DKMS from the packages alone, as on an administrator's machine: sources out of
# tkernel-rs-dkms, and the kernel's headers package, not its source tree.

set -uo pipefail

. "$(dirname "$0")/../../build/common.sh"
cd "$here/.." || exit
flavour=${1:-vm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/host/tap.sh

release=$(<"$(build/kernel.sh "$flavour")/release") || exit
debs=$work/debs
root=$work/root
headers=$root/usr/src/linux-headers-$release

# TK_DEBS: a directory with packages that are built already.
builds() {
	if [[ ${TK_DEBS:-} ]]; then
		mkdir "$debs" && cp "$TK_DEBS"/*.deb "$debs/"
	else
		DEB_COMPRESSION=none DEB_DIR=$debs build/deb.sh "$flavour"
	fi
}

unpacks() {
	local deb
	for deb in "$debs"/{linux-headers-"$release",tkernel-rs,tkernel-rs-dkms}_*.deb; do
		build/in-root dpkg-deb -x "$deb" "$root" || return
	done
}

# But for what packages of a test leave out to be built sooner.
has_no_lintian_errors() {
	build/in-root lintian --fail-on error --allow-root --tag-display-limit 0 \
		--suppress-tags uses-no-compression-for-control-tarball,uses-no-compression-for-data-tarball \
		"$debs"/*.deb
}

# TK_LONG=1: built once more, at another time and in another place.
are_reproducible() {
	local deb
	DEB_COMPRESSION=none DEB_DIR=$work/again build/deb.sh || return
	for deb in "$work"/again/*.deb; do
		cmp "$deb" "$debs/${deb##*/}" || return
	done
}

system_map_is_for_root() {
	build/in-root dpkg-deb -c "$debs"/linux-image-"$release"_*.deb |
		grep '^-rw------- .*/boot/System.map-'
}

# dkms COMMAND…: with trees of its own. What it says is in $work/dkms.log.
dkms() {
	local status=0
	mkdir -p "$work/dkms"
	build/in-root env "${environment[@]}" dkms "$@" --dkmstree "$work/dkms" \
		--sourcetree "$root/usr/src" --installtree "$work/modules" \
		>"$work/dkms.log" 2>&1 || status=$?
	cat "$work/dkms.log"
	return "$status"
}
environment=(LC_ALL=C)
package=$(sed -n '1s/.*(\(.*\)).*/tkernel-rs\/\1/p' packaging/debian/changelog)

build_for() { dkms build "$package" -k "$release" --kernelsourcedir "$1" --no-depmod --force; }

dkms_builds() {
	local module
	build_for "$headers" || return
	while read -r module; do
		find "$work/dkms" -path '*/module/*' -name "$module.ko*" | grep . || return
	done < <(module_names)
	! find "$work/dkms" -name 'tk_selftest.ko*' | grep .
}

built() { find "$work/dkms" -path '*/module/*' -name '*.ko*'; }

# What DKMS does with its own key: its key's place is the machine's, which is not for
# tests. tests/install does it all.
headers_sign_modules() {
	local module=$work/signed.ko
	cp "$(built | head -n 1)" "$module"
	! build/in-root modinfo -F sig_id "$module" | grep . || return
	build/in-root openssl req -new -x509 -newkey rsa:2048 -nodes -subj "/CN=tkernel test/" \
		-keyout "$work/mok.key" -out "$work/mok.pem" &&
		build/in-root "$headers/scripts/sign-file" sha512 "$work/mok.key" "$work/mok.pem" "$module" &&
		build/in-root modinfo -F signer "$module" | grep '^tkernel test$'
}

modules_are_of_this_kernel() {
	local module
	while read -r module; do
		[[ $(build/in-root modinfo -F vermagic "$module") == "$release "* ]] || return
	done < <(built)
}

# declines TEXT HEADERS: DKMS skips that kernel, saying so in one sentence.
declines() {
	rm -rf "$work/dkms"
	build_for "$2"
	[[ $? == 77 ]] || return
	[[ $(grep -c '^tkernel-rs: ' "$work/dkms.log") == 1 ]] || return
	grep "^tkernel-rs: no modules for $release: .*$1.*\.$" "$work/dkms.log" &&
		! find "$work/dkms" "$work/modules" -name '*.ko*' 2>/dev/null | grep .
}

# other_headers EDIT: a copy of the headers' configuration, changed by sed.
other_headers() {
	rm -rf "$work/other"
	mkdir -p "$work/other/include/config" "$work/other/rust" "$work/other/scripts"
	sed "$1" "$headers/include/config/auto.conf" >"$work/other/include/config/auto.conf"
	sed "$1" "$headers/.config" >"$work/other/.config"
	touch "$work/other/rust/libkernel.rmeta" "$work/other/scripts/target.json"
	cp "$headers/Makefile" "$work/other/"
}

declines_without_hooks() {
	other_headers /TKERNEL/d && declines 'this kernel has no hooks.patch' "$work/other"
}

declines_without_one_hook() {
	other_headers /TKERNEL_HOOK_PAGECACHE/d &&
		declines 'built without CONFIG_TKERNEL_HOOK_PAGECACHE' "$work/other"
}

declines_without_rust() {
	other_headers '' && rm "$work/other/rust/libkernel.rmeta" &&
		declines 'nothing for Rust' "$work/other"
}

declines_another_rustc() {
	other_headers 's/rustc 1\.[0-9]*/rustc 1.42/' &&
		declines "built with rustc 1.42.* and this machine's rustc is" "$work/other"
}

declines_without_rustc() {
	local environment=(LC_ALL=C RUSTC=/nonexistent)
	declines 'there is no /nonexistent' "$headers"
}

manual_pages_are_sound() {
	local page
	for page in "$root"/usr/share/man/man*/*.gz; do
		# shellcheck disable=SC2016 # sh's
		build/in-root sh -c 'gzip -dc "$1" | mandoc -Tlint -Werror' sh "$page" || return
	done
}

tkctl_runs() {
	build/in-root "$root/usr/bin/tkctl" --version &&
		build/in-root bash -nc ". $root/usr/share/bash-completion/completions/tkctl"
}

result "the packages are built from what is committed" builds
result "they can be unpacked" unpacks
result "lintian has no errors" has_no_lintian_errors
if [[ ${TK_LONG:-} ]]; then
	result "they are reproducible" are_reproducible
else
	skip "they are reproducible" "TK_LONG=1"
fi
result "only root can read System.map" system_map_is_for_root
result "DKMS builds all modules with the headers package" dkms_builds
result "the headers have what signs modules" headers_sign_modules
result "the modules are for that kernel" modules_are_of_this_kernel
result "DKMS declines a kernel without the hooks" declines_without_hooks
result "DKMS declines a kernel that lacks a hook" declines_without_one_hook
result "DKMS declines headers without Rust" declines_without_rust
result "DKMS declines another rustc" declines_another_rustc
result "DKMS declines without rustc" declines_without_rustc
result "manual pages are sound" manual_pages_are_sound
result "tkctl and its completion run" tkctl_runs
echo "1..$count"
