#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rust-headers.sh [RELEASE [DIR]]: packs what the headers package of Debian's own kernel
# of that release (uname -r, unless it is given) lacks for modules in Rust, as
# linux-headers-RELEASE-rust in DIR (out/deb). That is built from Debian's source with
# that kernel's configuration and rustc (stock.sh sees to both), and the modules are
# built with it: each symbol that they need has to be one of that kernel's.

set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$here/archive.sh"
. "$here/pack.sh"

release=${1:-$(uname -r)}
out=$(realpath -m "${2:-$checkout/out/deb}")

case $release in
*-cloud-amd64) flavour=stock ;;
*-amd64) flavour=stock-amd64 ;;
*) die "$release is no kernel of Debian's for this machine" ;;
esac
kernel=$("$here/stock.sh" "$flavour")
[[ $(<"$kernel/release") == "$release" ]] ||
	die "Debian has the source of $(<"$kernel/release"), but not of $release: install that kernel"
tree=$kernel/tree
built_with=$(sed -n 's/^CONFIG_RUSTC_VERSION_TEXT="\(.*\)"/\1/p' "$kernel/config")
rustc=$(cut -d' ' -f2 <<<"$built_with")
changes="What Debian's headers lack for the modules of tkernel-rs $(changelog_field Version)."

work=$(mktemp -d -p "$cache" deb.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

say "building the modules for $release"
built=$("$here/modules.sh" "$flavour")

# Rust's symbols by name; of the others modpost has made sure.
missing=$("$here/in-root" nm -u "$built"/*.ko | sed -n 's/^ *U \(_R.*\)/\1/p' | sort -u |
	grep -vxF -f <(cut -f2 "$tree/Module.symvers") || true)
[[ -z $missing ]] || die "$release hasn't got $missing"

# Headers of the kernel's own directories that the modules take, as the compiler noted.
private_headers() {
	grep -ohE "$tree/[^ ]*\.h" "$built"/patch/kernel/tkernel/.{mounts,pidfile,procview}.o.cmd |
		xargs realpath --relative-to="$tree" | grep -vE '^(include|arch)/' | sort -u
}

# A build directory of its own: Debian's, by links, and what is missing there. What
# Debian's has in scripts/ belongs to all kernels of that version.
package=linux-headers-$release-rust
src=/usr/src/$package
headers=/usr/src/linux-headers-$release
shared=${release%%-*}
kbuild=usr/lib/linux-kbuild-$shared/scripts
root=$work/$package$src
mkdir -p "$root/scripts"
for name in .config .kernelvariables Module.symvers arch include tools vmlinux; do
	ln -s "$headers/$name" "$root/$name"
done
printf 'KBUILD_OUTPUT=%s\ninclude %s/Makefile\n' "$src" "/usr/src/linux-headers-$shared-common" >"$root/Makefile"
say "getting what Debian's headers have"
(set_up_apt && apt-get update && download "$kbuild" "linux-kbuild-$shared=$(version_of "linux-kbuild-$shared")") \
	>"$work/log" 2>&1 || die "no linux-kbuild-$shared in Debian's archive: $(tail -n 1 "$work/log")"
(cd "$work/$kbuild" && find . -mindepth 1 -maxdepth 1 -printf '%P\n') | while read -r name; do
	ln -s "/$kbuild/$name" "$root/scripts/$name"
done
install -m 644 -t "$root/scripts" "$tree/scripts/target.json"
install -D -m 644 -t "$root/rust" "$tree"/rust/*.rmeta
install -m 755 -t "$root/rust" "$tree"/rust/*.so
"$here/in-root" strip --strip-unneeded "$root"/rust/*.so
while read -r name; do
	install -D -m 644 "$tree/$name" "$root/$name"
done < <(private_headers)

control "$package" \
	"Depends: linux-headers-$release (= ${source##*/source-})" \
	"Recommends: gcc, make, bindgen, rustc (>= $rustc), rustc (<< $rustc.~)" \
	"Description: What the headers of Linux $release lack for modules in Rust" \
	" With it DKMS builds the modules of tkernel-rs-dkms for Debian's own kernel, and" \
	" tkhooks, which hooks that kernel by ftrace. The build directory is beside that of" \
	" Debian's headers, which stay as they are. It takes the very compiler that built" \
	" the kernel:" \
	" $built_with."
pack "$package"
say "done: $(cd "$out" && ls "$package"_*)"
