#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: what it costs to read what
# cgroup_isolation shows, on the host and in a container, without and with the
# module, and with 200 containers. Prints where, the file, median and 99th
# percentile a line.

set -euo pipefail

share=/usr/share/tkernel-rs
files=(/proc/{meminfo,stat,cpuinfo,uptime,loadavg,vmstat,diskstats,swaps,self/stat}
	/sys/devices/system/cpu/online /sys/block/vda/stat /proc/version sysinfo)

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1

cd /sys/fs/cgroup
echo "+memory +cpu +cpuset +io +pids" >cgroup.subtree_control

# container NAME COMMAND…
container() {
	local name=$1
	shift
	mkdir -p "$name"
	echo 256M >"$name/memory.max"
	echo "150000 100000" >"$name/cpu.max"
	(
		echo "$BASHPID" >"$name/cgroup.procs"
		exec unshare -C -p -f --kill-child --mount-proc "$@"
	)
}

cost() {
	local where=$1
	shift
	"$@" "$share/bench/read-cost" 301 "${files[@]}" | sed "s/^/$where /"
}

# Makes whatever the first pid namespace makes for good.
container one true
cost host env
cost container container one
modprobe cgroup_isolation 2>/dev/null || exit 0
cost module-host env
cost module-container container one
for ((i = 0; i < 199; i++)); do
	container "other$i" sh -c 'cat /proc/stat /proc/loadavg >/dev/null; exec sleep 1000' 2>/dev/null &
	disown
done
until (($(cat other*/cgroup.procs 2>/dev/null | wc -l) >= 2 * 199)); do
	sleep 0.5
done
cost module-200 container one
for group in other*; do
	echo 1 >"$group/cgroup.kill"
done
rmmod cgroup_isolation
