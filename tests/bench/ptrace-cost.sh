#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: what a ptrace(2) call costs without
# and with ttools, alone and beside 10,000 other processes, which are protected if
# ttools is loaded. Prints a name and a number a line.

set -euo pipefail

share=/usr/share/tkernel-rs

cost() { printf '%s %s\n' "$1" "$("$share/bench/ptrace-cost")"; }

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1

# with_crowd NAME ARGUMENTS…: the cost beside 10,000 other processes. They alone
# make it higher, and for good: the kernel's own table of process numbers gets a
# level deeper.
with_crowd() {
	coproc crowd { "$share/bin/crowd" 10000 "${@:2}"; }
	# The variable goes with the process.
	# shellcheck disable=SC2154 # bash sets it for a coproc
	local pid=$crowd_PID
	read -r ready <&"${crowd[0]}"
	[[ $ready == "ready 10000" ]]
	cost "$1"
	eval "exec ${crowd[1]}>&-"
	wait "$pid"
}

cost none
if modprobe ttools 2>/dev/null; then
	cost ttools
	rmmod ttools
fi
with_crowd none-10000 unprotected
modprobe ttools 2>/dev/null || exit 0
with_crowd ttools-10000
# All of them were protected, and are gone.
[[ $(</sys/class/misc/ttools/protected) == 0 ]]
