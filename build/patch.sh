#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Working on hooks.patch:
#   patch.sh open DIR    unpacks the kernel's source into DIR, a git repository
#                        with the patch applied as a commit
#   patch.sh export DIR  writes hooks.patch from the last commit of DIR
#   patch.sh count       says how much the patch changes
#   patch.sh files DIR   writes the files that the patch adds to DIR
#   patch.sh check DIR   says which hooks apply to the kernel source in DIR, and
#                        where those that don't have to be looked at; fails if
#                        one doesn't
#   patch.sh newest      the same for the newest 7.x that the configured Debian
#                        archive has; fails with 2 if that can't be had

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

# Written only if they aren't the same, or all that is made of them would be made anew.
files() {
	local new
	new=$(mktemp -d)
	(cd "$new" && git apply --include='include/linux/tkernel/*' --include='include/trace/events/tkernel.h' \
		--include='kernel/tkernel/*' "$patch")
	"$here/in-root" rsync -rc --delete "$new/" "$1/"
	rm -rf "$new"
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

# Which hook a file belongs to: hooks.order names files hook by hook, each hook's
# header first.
hook_of() {
	local path hook=common
	while read -r path; do
		[[ $path != include/linux/tkernel/*.h ]] || hook=$(basename "$path" .h)
		[[ $hook != hook ]] || hook=common
		# A line may be a pattern.
		# shellcheck disable=SC2053
		[[ $1 != $path ]] || break
	done <"$here/hooks.order"
	echo "$hook"
}

# Applies the patch to copies of the files that it changes, and says how that
# went, a line for each hook in the patch's order.
check() {
	local tree=$1 work path hook=common line failed=0
	local -A troubles=() moved=()
	local -a hooks=()
	[[ -e $tree/Kconfig ]] || die "$tree is no kernel source"
	work=$(mktemp -d)
	while read -r path; do
		[[ ! -e $tree/$path ]] || (cd "$tree" && cp --parents "$path" "$work")
	done < <(sed -n 's,^--- a/,,p' "$patch")
	# Without the mail around it, which patch would take for garbage.
	sed -n '/^diff /,$p' "$patch" |
		"$here/in-root" patch -p1 -d "$work" --no-backup-if-mismatch -f -r - >"$work.log" 2>&1 || true
	while read -r line; do
		case $line in
		'patching file '*)
			path=${line#patching file } path=${path//\'/}
			hook=$(hook_of "$path")
			;;
		'|+++ b/'*)
			path=${line#|+++ b/} path=${path%%[[:space:]]*}
			hook=$(hook_of "$path")
			troubles[$hook]+="; $path is missing"
			;;
		'The next patch would create the file '*)
			path=${line#The next patch would create the file } path=${path%,}
			hook=$(hook_of "$path")
			troubles[$hook]+="; $path is there already, or missing"
			;;
		*FAILED*) troubles[$hook]+="; $path: ${line%% --*}" ;;
		*fuzz*) troubles[$hook]+="; $path: ${line} (look whether it is still the right place)" ;;
		*offset*) moved[$hook]=1 ;;
		esac
		[[ " ${hooks[*]} " == *" $hook "* ]] || hooks+=("$hook")
	done <"$work.log"
	for hook in "${hooks[@]}"; do
		if [[ ${troubles[$hook]:-} == *FAILED* || ${troubles[$hook]:-} == *missing* ]]; then
			failed=1
			printf '%-10s does not apply%s\n' "$hook" "${troubles[$hook]//; /$'\n\t'}"
		elif [[ ${troubles[$hook]:-} ]]; then
			printf '%-10s applies, but not exactly%s\n' "$hook" "${troubles[$hook]//; /$'\n\t'}"
		else
			printf '%-10s applies%s\n' "$hook" "${moved[$hook]:+, to lines that have moved}"
		fi
	done
	rm -rf "$work" "$work.log"
	((${#hooks[@]})) || die "nothing was patched"
	return "$failed"
}

newest() {
	local source series version work status=0
	read -r series version source < <("$here/source.sh" --newest) || {
		say "the newest kernel's source can't be had, so nothing is known of hooks.patch on it"
		return 2
	}
	work=$(mktemp -d)
	sed -n 's,^--- a/,*/,p; $a */Kconfig' "$patch" | "$here/in-root" tar -C "$work" \
		-xf "$source/linux-source-$series.tar.xz" \
		--strip-components=1 --wildcards -T - 2>/dev/null || true
	echo "hooks.patch on linux-source-$series $version:"
	check "$work" || status=$?
	rm -rf "$work"
	return "$status"
}

case ${1:-} in
open) open_tree "$(realpath -m "$2")" ;;
export) export_patch "$(realpath "$2")" ;;
count) count ;;
files) files "$(realpath -m "$2")" ;;
check) check "$(realpath "$2")" ;;
newest) newest ;;
*) die "usage: patch.sh open DIR | export DIR | count | files DIR | check DIR | newest" ;;
esac
