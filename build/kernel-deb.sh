#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel-deb.sh FLAVOUR DIR: packs that kernel (kernel.sh builds it) into DIR:
#   linux-image-RELEASE         as Debian's, with the same hooks of /etc/kernel
#   linux-headers-RELEASE       what modules need, also those in Rust
#   linux-{image,headers}-FLAVOUR-tk  depend on the current ones

set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$here/pack.sh"

flavour=$1
out=$(realpath -m "$2")
changes="Debian's linux ${source##*/source-} with hooks.patch of tkernel-rs $(changelog_field Version)."
kernel=$("$here/kernel.sh" "$flavour")
release=$(<"$kernel/release")
tree=$kernel/tree
read -ra make_args <"$kernel/make-args" || true

built_with=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' "$kernel/config")
rustc=$(cut -d' ' -f2 <<<"$built_with")

mkdir -p "$out"
work=$(mktemp -d -p "$cache" deb.XXXXXX)
trap 'rm -rf "$work"' EXIT

# script PACKAGE NAME: DEBIAN/NAME from packaging/kernel, for this release.
script() {
	local kind=${1#linux-} scripts=$checkout/packaging/kernel
	# What they share, without the comment at its beginning.
	sed -e '/^@COMMON@$/{r /dev/stdin' -e 'd}' "$scripts/${kind%%-*}.$2" \
		< <(sed '1,/^$/d' "$scripts/image.common.sh") |
		sed -e "s/@RELEASE@/$release/g" -e "s/@INITRD@/$initrd/g" >"$work/$1/DEBIAN/$2"
	chmod 755 "$work/$1/DEBIAN/$2"
}

image=linux-image-$release
initrd=No
! grep -q ^CONFIG_BLK_DEV_INITRD=y "$kernel/config" || initrd=Yes

pack_image() {
	local root=$work/$image modules=usr/lib/modules/$release
	install -D -m 644 "$kernel/bzImage" "$root/boot/vmlinuz-$release"
	install -m 644 "$tree/System.map" "$root/boot/System.map-$release"
	install -m 644 "$kernel/config" "$root/boot/config-$release"
	mkdir -p "$root/${modules%/*}"
	cp -a "$kernel/mods/lib/modules/$release" "$root/$modules"
	# depmod makes the rest where it is installed.
	find "$root/$modules" -maxdepth 1 -name 'modules.*' ! -name 'modules.builtin' \
		! -name 'modules.builtin.*info' ! -name modules.order -delete
	rm -f "$root/$modules"/{build,source}
	control "$image" \
		"Depends: kmod, linux-base$([[ $initrd == No ]] || echo ', initramfs-tools | linux-initramfs-tool')" \
		"Recommends: linux-headers-$release" \
		"Description: Linux kernel $release with hooks for tkernel-rs" \
		" Debian's kernel ${source##*/source-}, flavour $flavour, with hooks.patch," \
		" which lets the modules of tkernel-rs-dkms register with the kernel. Without" \
		" those modules it behaves as the kernel without the patch. It installs beside" \
		" other kernels."
	for name in preinst postinst prerm postrm; do script "$image" "$name"; done
	pack "$image"
}

headers=linux-headers-$release

elf_files() {
	local file
	while IFS= read -r -d '' file; do
		[[ $(head -c 4 "$file" | tr -d '\0') != $'\x7fELF' ]] || echo "$file"
	done < <(find "$1" -type f -executable ! -name '*.so' -print0)
}

pack_headers() {
	local root=$work/$headers src=usr/src/linux-headers-$release
	mkdir -p "$root/$src" "$root/usr/lib/modules/$release"
	# The kernel's own list of what modules need.
	# shellcheck disable=SC2016 # make's variable
	"$here/in-root" make -s -C "$tree" "${make_args[@]}" run-command \
		KBUILD_RUN_COMMAND='$(srctree)/scripts/package/install-extmod-build '"$root/$src" >&2
	# What that doesn't know of: metadata of the Rust crates and proc macros, by
	# pattern, because which there are changes with each kernel.
	install -D -m 644 -t "$root/$src/rust" "$tree"/rust/*.rmeta
	install -m 755 -t "$root/$src/rust" "$tree"/rust/*.so
	cp "$kernel/config" "$root/$src/.config"
	[[ -e $root/$src/scripts/target.json && -e $root/$src/include/generated/rustc_cfg ]] ||
		die "the headers lack target.json or rustc_cfg"
	ln -s "/$src" "$root/usr/lib/modules/$release/build"
	find "$root/$src" \( -name '.*.cmd' -o -name .gitignore \) -delete
	# Its programs are this machine's; proc macros are part of the compiler.
	local programs
	mapfile -t programs < <(elf_files "$root/$src")
	"$here/in-root" strip "${programs[@]}"
	# What rustc reads in them is no symbol.
	"$here/in-root" strip --strip-unneeded "$root/$src"/rust/*.so
	mkdir -p "$work/debian"
	: >"$work/debian/control"
	local depends
	depends=$(cd "$work" && "$here/in-root" dpkg-shlibdeps -O --ignore-missing-info "${programs[@]}" 2>/dev/null)
	control "$headers" \
		"Depends: ${depends#shlibs:Depends=}" \
		"Recommends: gcc, make, bindgen, rustc (>= $rustc), rustc (<< $rustc.~)" \
		"Description: Header files for Linux $release, for modules in C and Rust" \
		" What DKMS and others need to build modules for this kernel. Modules in Rust" \
		" take the very compiler that built it:" \
		" $built_with."
	script "$headers" postinst
	pack "$headers"
}

# meta KIND WHAT
meta() {
	local package=linux-$1-$flavour-tk
	mkdir -p "$work/$package"
	control "$package" \
		"Depends: linux-$1-$release (= $version)" \
		"Provides: linux-$1-tk" \
		"Description: $2 of the current Linux with hooks for tkernel-rs ($flavour)" \
		" This metapackage depends on linux-$1-$release, and after" \
		" an upgrade on the one that is current then."
	pack "$package"
}

pack_image
pack_headers
meta image "Image"
meta headers "Headers"
