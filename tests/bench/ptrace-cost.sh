#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: what a ptrace(2) call costs without
# ttools, with it, and with 10,000 protected processes. Prints a name and a
# number a line.

set -euo pipefail

share=/usr/share/tkernel-rs

cost() { printf '%s %s\n' "$1" "$("$share/bench/ptrace-cost")"; }

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1

cost none
modprobe ttools 2>/dev/null || exit 0
cost loaded-0
coproc crowd { "$share/bin/crowd" 10000; }
read -r ready <&"${crowd[0]}"
[[ $ready == 'ready 10000' && $(</sys/class/misc/ttools/protected) == 10000 ]]
cost loaded-10000
