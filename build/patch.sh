#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Working on hooks.patch:
#   patch.sh open DIR    unpacks the kernel's source into DIR, a git repository
#                        with the patch applied as a commit
#   patch.sh export DIR  writes hooks.patch from the last commit of DIR
#   patch.sh count       says how much the patch changes

set -euo pipefail
. "$(dirname "$0")/common.sh"

patch=$here/../hooks.patch

open_tree() {
	local dir=$1
	[[ ! -e $dir ]] || die "$dir is there already"
	mkdir -p "$dir"
	say "unpacking"
	"$here/in-root" tar -xf "$("$here/source.sh" 7.3)/linux-source-7.3.tar.xz" --strip-components=1 -C "$dir"
	git -C "$dir" init -q
	# The kernel's .gitignore hides files that Debian's source has.
	git -C "$dir" add -A -f
	git -C "$dir" commit -qm "Debian's source"
	git -C "$dir" am -q "$patch"
}

export_patch() {
	git -C "$1" format-patch --stdout --no-signature --zero-commit \
		-O"$here/hooks.order" -1 >"$patch.new"
	mv "$patch.new" "$patch"
}

# Lines in new files, and added to and removed from the kernel's own.
count() {
	awk '
		/^--- \/dev\/null/ { new = 1; next }
		/^--- a\// { new = 0; existing++; next }
		/^\+\+\+ / { next }
		/^diff / { files++; body = 0 }
		/^@@/ { body = 1 }
		body && /^\+/ { if (new) fresh++; else added++ }
		body && /^-/ { removed++ }
		END {
			printf "%d files: %d new with %d lines, %d existing with %d lines added and %d removed\n",
				files, files - existing, fresh, existing, added, removed
		}' "$patch"
}

case ${1:-} in
open) open_tree "$(realpath -m "$2")" ;;
export) export_patch "$(realpath "$2")" ;;
count) count ;;
*) die "usage: patch.sh open DIR | export DIR | count" ;;
esac
