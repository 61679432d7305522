#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: what switching between tasks costs
# without bt_sched_shim, with it loaded and nobody in its class, and in the class.
# Prints lines of "ROW TEST NANOSECONDS ERROR": the median of several runs, and its
# standard error.
#
# ROW: none, loaded, bt, and idle, which is SCHED_IDLE. TEST: pipe (a round of two
# processes that hand something to each other), apart (they are on two CPUs, each of
# which goes idle in between, every time), hackbench.

set -euo pipefail

share=/usr/share/tkernel-rs
bench=$share/bench
cpus=$(nproc)

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1
# With long turns of the emulated CPUs, what waits for another would seem to take
# milliseconds.
((cpus == 1)) || "$share/bin/turns" 10
echo 0 >/proc/sys/kernel/sched_autogroup_enabled

# How the tasks meet isn't the same each time where there are several CPUs or pipes, and
# it makes a difference of 1 % (pipe) and 3 % (hackbench).
runs=21

# median COMMAND…: of the number that so many runs of it print each. The error is by the
# quartiles, which single runs far away don't change: what they would be apart if the
# runs were spread normally gives the standard deviation, and that the median's error.
median() {
	for ((i = 0; i < runs; i++)); do
		"$@"
	done | sort -n | awk '
		{ value[NR] = $1 }
		function at(part) { return value[int((NR - 1) * part) + 1] }
		END { printf "%d %.0f\n", at(0.5), 1.2533 * (at(0.75) - at(0.25)) / 1.349 / sqrt(NR) }'
}

beside() { "$bench/bt-beside" "$@"; }

# pipe POLICY ARGUMENTS OF bt-pipe…: the median batch's round.
pipe() {
	local policy=$1
	shift
	beside -P "$policy" "$bench/bt-pipe" "${rounds:-20000}" 100 "$@" | awk '/^pipe / { print $4 }'
}

hackbench_time() {
	beside -P "$1" hackbench -l 200 -g 2 | awk '/^beside / { print $2 }'
}

row() {
	local name=$1 policy=$2
	echo "$name pipe $(median pipe "$policy")"
	((cpus == 1)) || echo "$name apart $(rounds=5000 median pipe "$policy" apart)"
	echo "$name hackbench $(median hackbench_time "$policy")"
}

hackbench -l 10 -g 1 >/dev/null
pipe 0 >/dev/null

row none 0
row idle 5
modprobe bt_sched_shim 2>/dev/null || exit 0
row loaded 0
policy=7
[[ ! -e /sys/kernel/sched_ext ]] || policy=8
row bt "$policy"
rmmod bt_sched_shim
