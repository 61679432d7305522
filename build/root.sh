#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Prints the directory whose toolchain builds everything: "/" on a Debian that
# has it all, else a build root in the cache, made on first use.

set -euo pipefail
. "$(dirname "$0")/common.sh"

list=$here/root.packages

native() {
	local states
	(. /etc/os-release && [[ $ID == debian && ${VERSION_ID:-0} -ge 13 ]]) || return
	mapfile -t names < <(packages "$list")
	# shellcheck disable=SC2016 # the fields are dpkg-query's
	states=$(dpkg-query -W -f '${db:Status-Status}\n' "${names[@]}" 2>/dev/null) || return
	! grep -qvx installed <<<"$states" || return
	# A newer rustc from elsewhere can't use the older library sources.
	# shellcheck disable=SC2016
	[[ $(dpkg-query -W -f '${Version}\n' rustc rust-src | uniq | wc -l) == 1 ]]
}

# Through a tar file, so that no root privileges are needed. bubblewrap gives
# the root the machine's own device nodes.
make_root() { debootstrap_to - "$list" | tar -x --exclude='./dev/*' -C "$1"; }

if native; then
	echo /
	exit
fi

root=$cache/root-$(cat "$0" "$list" | content_key)
if [[ ! -d $root ]]; then
	lock root
fi
if [[ ! -d $root ]]; then
	need_tool mmdebstrap mmdebstrap uidmap
	need_tool bwrap bubblewrap
	say "making the build root (Debian $suite), about 2 minutes, log in $cache/logs/root.log"
	save_apt_settings
	rm -rf "$cache/root.new"
	mkdir "$cache/root.new"
	with_log "$cache/logs/root.log" make_root "$cache/root.new"
	mv "$cache/root.new" "$root"
	prune root 2
fi
touch "$root"
echo "$root"
