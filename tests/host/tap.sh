# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# To be sourced by scripts that print TAP, with a directory in $work. What a test
# leaves there as out, err or status is shown if it fails, and is gone after it.

: "${work:?}"
count=0

# result NAME COMMAND…: passes if the command does; else shows what it printed.
result() {
	local name=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$work/log" "$work"/{out,err,status} 2>/dev/null
	fi
	rm -f "$work"/{out,err,status}
}

# skip NAME REASON: counts a test that isn't run.
skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}
