#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dkms-check.sh RELEASE HEADERS: whether the modules can be built for that kernel,
# whose build directory is HEADERS; if not, says why in one sentence.

set -uo pipefail

release=$1
headers=$2

decline() {
	echo "tkernel-rs: no modules for $release: $*." >&2
	exit 1
}

option() { sed -n "s/^$1=//p" "$headers/include/config/auto.conf" | tr -d '"'; }

[[ -e $headers/include/config/auto.conf ]] ||
	decline "its headers aren't installed (package linux-headers-$release)"
if [[ $(option CONFIG_TKERNEL_HOOKS) == y ]]; then
	missing=()
	while IFS='=' read -r hook _; do
		[[ $(option "$hook") == y ]] || missing+=("$hook")
	done < <(grep ^CONFIG_TKERNEL_ "$(dirname "$0")/hooks.config")
	((${#missing[@]} == 0)) || decline "it was built without ${missing[*]}"
	[[ -e $headers/rust/libkernel.rmeta && -e $headers/scripts/target.json ]] ||
		decline "its headers have nothing for Rust (packages linux-headers-*-tk have it)"
else
	rust=/usr/src/linux-headers-$release-rust
	[[ -e $rust/rust/libkernel.rmeta && -e $rust/scripts/target.json ]] ||
		decline "this kernel has no hooks.patch (packages linux-image-*-tk have it), and for tkhooks its headers have nothing for Rust (package linux-headers-$release-rust)"
fi

rustc=${RUSTC:-rustc}
built_with=$(option CONFIG_RUSTC_VERSION_TEXT)
here=$("$rustc" --version 2>/dev/null) ||
	decline "there is no $rustc; it was built with $built_with"
# Rust's metadata is for that very compiler.
[[ $here == "$built_with" ]] ||
	decline "it was built with $built_with, and this machine's $rustc is $here"
command -v "${BINDGEN:-bindgen}" >/dev/null || decline "there is no ${BINDGEN:-bindgen}"
