#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the guest's root file system, a Debian userland with the packages of the
# list beside this script, unless the cache has it, and prints its path. Neither
# kernel nor modules nor tests are in it: vm.py brings those on a second disk.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

list=$(dirname "$0")/packages

# mmdebstrap runs hooks with the new root as $1.
# shellcheck disable=SC2016
tree_setup='
	echo tkernel >"$1/etc/hostname"
	echo "127.0.0.1 localhost tkernel" >"$1/etc/hosts"
	: >"$1/etc/fstab"
	echo "set debuginfod enabled off" >>"$1/etc/gdb/gdbinit"
	mkdir "$1/tk" "$1/results" "$1/usr/share/tkernel-rs" "$1/usr/lib/modules"'

# Installing Java fails where manual pages can't be linked to each other.
# shellcheck disable=SC2016
make_image() {
	debootstrap_to "$work/root.tar" "$list" --customize-hook="$tree_setup" \
		--essential-hook='mkdir -p "$1/usr/share/man/man1"' &&
		"$here/in-root" mke2fs -q -t ext4 -L tkernel -O ^has_journal -m 0 \
			-E root_owner=0:0 -d "$work/root.tar" "$work/root.ext4" 8G
}

image_entry image 2 "$list" "the guest's image (Debian $suite), about 2 minutes" make_image
echo "$entry/root.ext4"
