#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh FLAVOUR: builds that kernel unless the cache has it, and prints its
# directory. vm, vanilla, debug, ext and stock-debug are small ones for the virtual
# machine; cloud-amd64 and amd64 are for real ones, with Debian's own configuration.
#   tree/     source and build, a KDIR for Rust modules
#   bzImage   mods/lib/modules/   config
#   make-args further arguments that `make` needs to build modules for it
#   release   what uname -r says; written last, so it marks a finished kernel
# An interrupted build goes on where it stopped. TKERNEL_REVISION=N makes it
# another version, with N in its name, that is installed beside the one without.

set -euo pipefail
. "$(dirname "$0")/common.sh"

# Options of the make that called us, and what a user's environment has for other
# kernels, are not for this one.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES ARCH CROSS_COMPILE CC LLVM KCFLAGS KRUSTFLAGS LOCALVERSION

flavour=${1:-}
patch=$here/../hooks.patch
fragments=("$here/kernel.config")
make_args=()
debian=
# After a dot: GRUB takes it for newer than the one without.
revision=${TKERNEL_REVISION:+.$TKERNEL_REVISION}
case $flavour in
vm)
	tag=$revision-tk about="10 minutes"
	fragments+=("$here/hooks.config")
	;;
debug)
	tag=-tkdebug about="20 minutes"
	fragments+=("$here/hooks.config" "$here/debug.config")
	# Kconfig allows KASAN and Rust together only with one compiler for both.
	make_args=(LLVM=-19)
	;;
ext)
	tag=-tkext about="20 minutes"
	fragments+=("$here/hooks.config" "$here/ext.config")
	;;
vanilla)
	tag=-vanilla about="10 minutes"
	patch=/dev/null
	;;
stock-debug)
	tag=-tkstockdebug about="half an hour"
	patch=/dev/null
	fragments+=("$here/debug.config" "$here/stock-debug.config")
	;;
cloud-amd64 | amd64)
	tag=$revision-$flavour-tk about="an hour or more"
	debian=yes
	fragments=("$here/hooks.config" "$here/debian.config")
	;;
*) die "usage: kernel.sh vm|vanilla|debug|ext|stock-debug|cloud-amd64|amd64" ;;
esac

# Fixed names and times, or no two builds would be alike.
kernel_make() {
	"$here/in-root" make -C "$tree" "${make_args[@]}" -j"$(nproc)" \
		KBUILD_BUILD_TIMESTAMP='Thu Jan 1 00:00:00 UTC 1970' \
		KBUILD_BUILD_USER=tkernel KBUILD_BUILD_HOST=tkernel "$@"
}

all_fragments() {
	[[ ! $debian ]] || "$here/in-root" xz -dc "$source/config/config.amd64_none_$flavour.xz"
	cat "${fragments[@]}"
}

# One line per option, the last mention of it: a fragment overrules earlier ones.
merged_fragments() {
	all_fragments | awk '
		/^CONFIG_/ { split($0, part, "="); line[part[1]] = $0 }
		/^# CONFIG_.* is not set$/ { line[$2] = $0 }
		END { for (name in line) print line[name] }' | sort
	echo "CONFIG_LOCALVERSION=\"$tag\""
}

compilers() {
	"$here/in-root" sh -c 'gcc --version; ld --version; rustc --version; bindgen --version; clang-19 --version; pahole --version'
}

unpack() {
	rm -rf "$entry/tree.new"
	mkdir -p "$entry/tree.new"
	# A fifth of the source is this one driver's register lists.
	local but=(--exclude='*/drivers/gpu/drm/amd/include')
	[[ ! $debian ]] || but=()
	"$here/in-root" tar -xf "$source/linux-source-7.3.tar.xz" --strip-components=1 \
		"${but[@]}" -C "$entry/tree.new"
	"$here/in-root" patch -s -p1 -d "$entry/tree.new" <"$patch" >&2 ||
		die "hooks.patch does not apply to $(basename "$source")"
	mv "$entry/tree.new" "$tree"
}

# Kconfig drops what its dependencies don't allow without a word.
check_config() {
	local line name lost=()
	while read -r line; do
		case $line in
		\#*)
			name=${line#\# } name=${name%% *}
			! grep -q "^$name=" "$tree/.config" || lost+=("$line")
			;;
		*) grep -qxF "$line" "$tree/.config" || lost+=("$line") ;;
		esac
	done < <(if [[ $debian ]]; then cat "${fragments[@]}"; else cat "$entry/fragment"; fi | grep CONFIG_)
	((${#lost[@]} == 0)) && return
	say "these options did not survive Kconfig:"
	printf '\t%s\n' "${lost[@]}" >&2
	return 1
}

configure() {
	merged_fragments >"$entry/fragment"
	with_log "$entry/config.log" kernel_make KCONFIG_ALLCONFIG="$entry/fragment" allnoconfig
	check_config
	cp "$tree/.config" "$entry/config"
}

install_kernel() {
	rm -rf "$entry/mods"
	with_log "$entry/install.log" kernel_make \
		INSTALL_MOD_PATH="$entry/mods" INSTALL_MOD_STRIP=1 modules_install
	find "$entry/mods" -name build -type l -delete
	cp "$tree/arch/x86/boot/bzImage" "$entry/"
	echo "${make_args[*]}" >"$entry/make-args"
	cp "$tree/include/config/kernel.release" "$entry/release.new"
	mv "$entry/release.new" "$entry/release"
}

source=$("$here/source.sh" 7.3)
key=$({
	echo "$source"
	compilers
	merged_fragments
	echo "${make_args[*]} $debian"
	# But for the list of flavours: another one is nothing to these.
	sed '/^case .flavour in/,/^esac/d' "$0"
	# Not its description.
	sed -n '/^diff /,$p' "$patch"
} | content_key)
entry=$cache/kernel-$flavour-$key
tree=$entry/tree

if [[ ! -e $entry/release ]]; then
	# One kernel at a time, of whatever flavour: each takes all CPUs.
	lock kernel
fi
if [[ ! -e $entry/release ]]; then
	mkdir -p "$entry"
	say "building the $flavour kernel, about $about, log in $entry/build.log"
	[[ -d $tree ]] || unpack
	configure
	# The headers are for the kernel's selftests.
	with_log "$entry/build.log" kernel_make bzImage modules headers
	install_kernel
	say "built $(<"$entry/release") in $((SECONDS / 60)) min $((SECONDS % 60)) s"
	prune "kernel-$flavour" 3
fi
touch "$entry"
echo "$entry"
