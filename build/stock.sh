#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# stock.sh FLAVOUR: gets Debian's own binary kernel of our source's version unless the
# cache has it, and prints its directory: stock is the cloud flavour, stock-amd64 the
# standard one. It holds what kernel.sh prints the directory of:
#   tree/     Debian's source with that kernel's configuration, prepared for Rust
#             modules, which Debian's headers package isn't, and its Module.symvers
#   bzImage   mods/lib/modules/   config   make-args   release

set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$here/archive.sh"

case ${1:-} in
stock) flavour=cloud-amd64 ;;
stock-amd64) flavour=amd64 ;;
*) die "usage: stock.sh stock|stock-amd64" ;;
esac
# As kernel.sh has it.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES ARCH CROSS_COMPILE CC LLVM KCFLAGS KRUSTFLAGS LOCALVERSION

source=$("$here/source.sh" 7.3)
version=${source##*/source-}

# What uname -r says, by the packages of that version.
find_release() {
	local package
	for package in $(apt-cache pkgnames linux-modules-7.3. | grep -- "[0-9]-$flavour\$"); do
		[[ $(version_of "$package") != "$version" ]] || release=${package#linux-modules-}
	done
	[[ $release ]] || echo "the archive has no kernel $flavour of version $version"
	[[ $release ]]
}

get() {
	apt-get update && find_release &&
		download usr "linux-binary-$release=$version" "linux-modules-$release=$version" \
			"linux-base-$release=$version" "linux-headers-$release=$version"
}

unpack() {
	local found=$work/usr/lib/modules/$release headers=$work/usr/src/linux-headers-$release
	mv "$found/vmlinuz" "$work/bzImage"
	mv "$found/config" "$work/config"
	rm "$found/System.map" "$found/build" "$found/source"
	mkdir -p "$work/mods/lib"
	mv "$work/usr/lib/modules" "$work/mods/lib/"
	mkdir "$work/tree"
	"$here/in-root" tar -xf "$source/linux-source-7.3.tar.xz" --strip-components=1 -C "$work/tree"
	cp "$work/config" "$work/tree/.config"
	# That vmlinux has nothing but the types, which modules get theirs from.
	mv "$headers/Module.symvers" "$headers/vmlinux" "$work/tree/"
}


# What Debian's file says, but for what Kconfig finds out. It leaves out what is Debian's own:
# names of keys, a salt.
options() { grep -E '^(# )?CONFIG_' "$1" | grep -vE 'CONFIG_(CC|LD|AS|CLANG|LLD|PAHOLE|BINDGEN|GCC)_VERSION' | sort; }

prepare() {
	"$here/in-root" make -C "$work/tree" LOCALVERSION="${release#7.3.4}" -j"$(nproc)" \
		KBUILD_BUILD_TIMESTAMP='Thu Jan 1 00:00:00 UTC 1970' \
		KBUILD_BUILD_USER=tkernel KBUILD_BUILD_HOST=tkernel modules_prepare headers || return
	echo "release: $(<"$work/tree/include/config/kernel.release"), wanted: $release"
	[[ $(<"$work/tree/include/config/kernel.release") == "$release" ]] || return
	# Among them what rustc the kernel was built with, which has to be ours.
	echo "lost from the configuration with these compilers:"
	! comm -23 <(options "$work/config") <(options "$work/tree/.config") | grep .
}

entry=$cache/kernel-${1}-$({
	echo "$version"
	"$here/in-root" sh -c 'gcc --version; rustc --version; bindgen --version'
	cat "$0"
} | content_key)
[[ -e $entry/release ]] || lock kernel
if [[ ! -e $entry/release ]]; then
	work=$cache/kernel-$1.new release=
	rm -rf "$work"
	set_up_apt
	say "getting Debian's $flavour kernel $version (40 MB), about 5 minutes, log in $cache/logs/stock.log"
	with_log "$cache/logs/stock.log" get
	unpack
	with_log "$cache/logs/stock.log" prepare
	: >"$work/make-args"
	echo "$release" >"$work/release"
	rm -rf "${work:?}"/{usr,deb,state,archives,status,sources.list,apt.conf}
	rm -rf "$entry"
	mv "$work" "$entry"
	prune "kernel-$1" 2
fi
touch "$entry"
echo "$entry"
