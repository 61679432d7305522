#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb.sh [FLAVOUR…]: makes the Debian packages tkernel-rs and tkernel-rs-dkms from
# what is committed, and linux-image-…-tk and linux-headers-…-tk of these kernels
# (kernel.sh has them), in out/deb. DEB_DIR names another directory.

set -euo pipefail
. "$(dirname "$0")/common.sh"

checkout=$(dirname "$here")
out=$(realpath -m "${DEB_DIR:-$checkout/out/deb}")
start=$SECONDS
mkdir -p "$out"

# Somewhere else than in the checkout, and only what git has: what is built must
# not depend on what lies around here.
work=$(mktemp -d -p "$cache" deb.XXXXXX)
trap 'rm -rf "$work"' EXIT

# From `git archive` and nothing else; dpkg wants the folder's name.
git -C "$checkout" archive HEAD | tar -x -C "$work" --one-top-level=tkernel-rs
mv "$work/tkernel-rs/packaging/debian" "$work/tkernel-rs/debian"
say "building tkernel-rs and tkernel-rs-dkms"
# A C++ compiler and the like: Rust takes none.
packages() { cd "$work/tkernel-rs" && "$here/in-root" dpkg-buildpackage -b -us -uc --ignore-builtin-builddeps; }
(with_log "$cache/logs/deb.log" packages)
mv "$work"/*.deb "$out/"

for flavour; do
	say "packing the $flavour kernel"
	"$here/kernel-deb.sh" "$flavour" "$out"
done
say "done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s: $out"
ls "$out"
