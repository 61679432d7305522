#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: bt-sched-rows.sh PREEMPT REPEATS [ROW…]:
# what online work gets beside two hogs a CPU that are left to the scheduler in the
# way that ROW names:
#
#	none	there are no hogs
#	ideal	online work has a CPU for itself, the hogs are on the others: it is the
#		first in one repetition, the last in the next
#	nice0	hogs are like anybody else
#	rr	so they are, but online work runs in SCHED_RR
#	nice19, idle, bt	nice 19, SCHED_IDLE, the class of bt_sched_shim
#	cpu-weight, cpu-idle, bt-group	the hogs are in a cgroup with cpu.weight=1,
#		cpu.idle=1, cpu.offline=1
#	idle-kernel, bt-kernel	with hogs that are in system calls
#
# The emulator's turns aren't as long for each of its CPUs: after each of its timers
# the first CPU's comes first, so that of two that are busy the first gets 61 % of the
# time and the other 39. What is left to the scheduler runs now here, now there; it is
# to be compared with the worse of the ideal rows, so REPEATS is 2 or more.
#
# PREEMPT is what the kernel was told on its command line. Prints lines of
#
#	ROW REPEAT TEST NAME COUNT MEAN P50 P99 P99.9 MAX	in ns
#	ROW REPEAT TEST beside ELAPSED ONLINE HOGS IDLE CPUS	see bt-beside.c
#
# TEST: pipe, perf (perf bench sched pipe: only the mean), wake (timer, wakeup and
# request), apart (wake-ups of one CPU by another, where the hogs are), hackbench
# (only the mean), cyclic (cyclictest --policy=other; --policy=rr in the row rr).

set -euo pipefail

share=/usr/share/tkernel-rs
bench=$share/bench
cgroups=/sys/fs/cgroup
cpus=$(nproc)
preempt=$1
repeats=$2
shift 2

# How much of each: enough for a p99, and for a millisecond to be little.
rounds=2000
requests=2000
# What a run of hackbench takes differs by 12 % with how often its 80 tasks happen to
# switch (by hand: on 4 CPUs, without hogs, from 7,500 to 15,900 times), so the mean counts.
hackbenches=4

die() {
	echo "bt-sched-rows: $*" >&2
	exit 1
}

# The clock is the verified TSC only from about a second after boot, and so are
# timers that are better than the tick.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1
(("$(grep -c '^  .hres_active *: 1' /proc/timer_list)" == cpus)) || die "no high-resolution timers"
grep -q "($preempt)" /sys/kernel/debug/sched/preempt || die "preempt is not $preempt"
# With long turns of the emulated CPUs, what waits for another would seem to take
# milliseconds.
((cpus == 1)) || "$share/bin/turns" 10
# All of this is one session, and what it does should be compared as tasks are.
echo 0 >/proc/sys/kernel/sched_autogroup_enabled

# What schbench is told: 15 % of the machine's time if it has it alone, and on more
# than two CPUs what one of them can do, while the others are busy, for `ideal`.
case $cpus in
1) work=150 ;;
2) work=75 ;;
*) work=$((60 / cpus)) ;;
esac

# As bt-wake.c prints it, of what cyclictest prints with -h.
from_histogram() {
	awk '
		/^[0-9]/ { at[n++] = $1; count[n - 1] = $2; total += $2; sum += $1 * $2 }
		/^# Max Latencies/ { max = $4 + 0 }
		/^# Histogram Overflows/ { total += $4; over = $4 }
		function quantile(q,    i, seen) {
			for (i = 0; i < n; i++) {
				seen += count[i]
				if (seen > q * total)
					return at[i] * 1000
			}
			return max * 1000
		}
		END {
			printf "timer %d %d %d %d %d %d\n", total, (sum + over * max) * 1000 / total,
				quantile(0.5), quantile(0.99), quantile(0.999), max * 1000
		}'
}

# Of a command that tells only what it took: only_mean NAME UNIT, in which it tells it.
only_mean() { awk -v name="$1" -v unit="$2" '{ printf "%s 1 %d 0 0 0 0\n", name, $1 * unit }'; }

# one ROW REPEAT TEST BT-BESIDE-ARGUMENTS… -- COMMAND…
one() {
	local label="$1 $2 $3" test=$3 output
	shift 3
	output=$("$bench/bt-beside" "$@" 2>&1) || die "$label: $output"
	{
		case $test in
		perf) sed -n 's,usecs/op,,p' <<<"$output" | only_mean perf 1000 ;;
		hackbench) sed -n 's,^Time: ,,p' <<<"$output" | only_mean hackbench 1000000000 ;;
		cyclic) from_histogram <<<"$output" ;;
		*) grep -E '^(pipe|timer|wakeup|request) ' <<<"$output" ;;
		esac
		grep '^beside ' <<<"$output"
	} | sed "s/^/$label /"
}

# row NAME BT-BESIDE-ARGUMENTS…
row() {
	local name=$1 timers=(--policy=other) last=$((cpus - 1)) repeat run
	shift
	# It would leave the class that it is started in.
	[[ $name != rr ]] || timers=(--policy=rr -p 1)
	for ((repeat = 1; repeat <= repeats; repeat++)); do
		case $name$((repeat % 2)) in
		ideal1) set -- -n $((2 * last)) -p 5 -C 0 -c "1-$last" ;;
		ideal0) set -- -n $((2 * last)) -p 5 -C "$last" -c "0-$((last - 1))" ;;
		esac
		one "$name" "$repeat" pipe "$@" "$bench/bt-pipe" "$rounds"
		one "$name" "$repeat" perf "$@" perf bench sched pipe -l "$rounds"
		one "$name" "$repeat" wake "$@" "$bench/bt-wake" "$cpus" 500 "$work" "$requests"
		for ((run = 0; run < hackbenches; run++)); do
			one "$name" "$repeat" hackbench "$@" hackbench -l 100 -g 2
		done
		one "$name" "$repeat" cyclic "$@" cyclictest "${timers[@]}" -q -m -t 1 -i 1000 -l 300 -h 10000
		# The hogs stay where the woken worker has to run.
		((cpus == 1)) || [[ $name == ideal ]] ||
			one "$name" "$repeat" apart "$@" -c 1 "$bench/bt-wake" 1 1000 50 300 apart
	done
}

# group_row NAME FILE: with the hogs in a cgroup of which FILE is 1.
group_row() {
	local group=$cgroups/hogs
	echo +cpu >$cgroups/cgroup.subtree_control
	mkdir "$group"
	echo 1 >"$group/$2"
	row "$1" -n $((2 * cpus)) -g "$group"
	rmdir "$group"
}

has_bt() { modinfo -n bt_sched_shim >/dev/null 2>&1; }

# The first cgroup of a machine makes hackbench 4 % slower for good, without
# hooks.patch, too: all rows have one.
mkdir $cgroups/first
# From the disk, which in this time takes none or for ever.
perf bench sched pipe -l 100 >/dev/null
hackbench -l 10 -g 1 >/dev/null
cyclictest -q -l 10 >/dev/null

(($#)) || set -- none ideal nice0 rr nice19 idle bt cpu-weight cpu-idle bt-group idle-kernel bt-kernel
for name; do
	case $name in
	none) row none ;;
	ideal) ((cpus == 1)) || row ideal ;;
	nice0) row nice0 -n $((2 * cpus)) ;;
	rr) row rr -n $((2 * cpus)) -P 2 ;;
	nice19) row nice19 -n $((2 * cpus)) -N 19 ;;
	idle) row idle -n $((2 * cpus)) -p 5 ;;
	idle-kernel) row idle-kernel -n $((2 * cpus)) -p 5 -k ;;
	cpu-weight) group_row cpu-weight cpu.weight ;;
	cpu-idle) group_row cpu-idle cpu.idle ;;
	bt-group)
		has_bt || continue
		modprobe bt_sched_shim
		group_row bt-group cpu.offline
		rmmod bt_sched_shim
		;;
	bt | bt-kernel)
		has_bt || continue
		modprobe bt_sched_shim
		policy=7
		[[ ! -e /sys/kernel/sched_ext ]] || policy=8
		hogs=(-n $((2 * cpus)) -p "$policy")
		[[ $name == bt ]] || hogs+=(-k)
		row "$name" "${hogs[@]}"
		rmmod bt_sched_shim
		;;
	*) die "there is no row $name" ;;
	esac
done
