#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: procview-cost.sh [CROWD…]: what it costs
# to read files of /proc and sysfs, and to call sysinfo(2), on the host and in a
# container, beside CROWD - 1 others.
# Prints lines of
#
#	cost WHO CROWD READERS FILE PER-READ MEDIAN P99	nanoseconds
#	layout FILE HASH				of the host's file
#	daemon CROWD NANOSECONDS			what lxcfs ran meanwhile
#
# WHO: host, container: without the module; host-module, container-module: with it
# loaded; host-again: without it after that, when as much has been counted; lxcfs: a
# container whose files lxcfs makes.

set -euo pipefail

share=/usr/share/tkernel-rs
group=/sys/fs/cgroup/bench
lxcfs=/var/lib/lxcfs
names=(meminfo stat uptime loadavg cpuinfo diskstats)
files=("${names[@]/#//proc/}")
# Those that lxcfs doesn't make, or makes for its own bind mounts alone.
all=("${files[@]}" /proc/vmstat /proc/swaps /proc/self/stat
	/sys/devices/system/cpu/online /sys/block/vda/stat sysinfo)

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1
# With long turns of the emulated CPUs, what waits for another would seem to take
# milliseconds; each turn costs the emulator a look at every CPU.
"$share/bin/turns" $(($(nproc) > 16 ? 500 : 10))

setup() {
	mkdir "$group"
	echo "+memory +cpu +cpuset +io +pids" >"$group/cgroup.subtree_control"
	mkdir "$group/box"
	echo 500M >"$group/box/memory.max"
	echo "200000 100000" >"$group/box/cpu.max"
	echo 0-1 >"$group/box/cpuset.cpus"
	mkdir -p "$lxcfs"
}

# in_box COMMAND…: in a container with those limits.
in_box() {
	# shellcheck disable=SC2016 # the inner shell's
	sh -c 'echo $$ >"$1/box/cgroup.procs"; shift
		exec unshare --cgroup --pid --fork --mount-proc "$@"' sh "$group" "$@"
}

# read_files READS FILES COMMAND…: by one and by 16 readers; FILES is an array's name.
read_files() {
	local reads=$1 readers
	local -n which=$2
	shift 2
	for readers in 1 16; do
		"$@" "$share/bench/procview-cost" read "$readers" "$((readers > 1 ? reads / 8 : reads))" \
			"${which[@]}" | sed "s/^/$readers /"
	done
}

# The host's: by eight processes, because one may need 2 % more than another, for
# all that it reads; the difference that is looked for is smaller.
on_host() {
	for _ in 1 2 3 4 5 6 7 8; do
		"$share/bench/procview-cost" read 1 50 "${all[@]}" | sed "s/^/1 /"
	done | report "$1" 1
}

# report WHO CROWD: names what it reads.
report() { sed "s/^/cost $1 $2 /"; }

# beside CROWD DIRECTORY COMMAND…: as one of so many containers.
beside() {
	local crowd=$1 directory=$2 ready
	shift 2
	coproc others { "$share/bench/procview-cost" crowd "$((crowd - 1))" "$group" "$directory" "${files[@]}"; }
	# shellcheck disable=SC2154 # bash sets it for a coproc
	local pid=$others_PID input=${others[1]} output=${others[0]}
	read -r ready <&"$output"
	[[ $ready == "ready $((crowd - 1))" ]]
	"$@"
	eval "exec $input>&-"
	wait "$pid"
}

container() { read_files 200 all in_box | report container "$1"; }

module() { read_files 200 all in_box | report container-module "$1"; }

# A container as lxcfs's users have it: each file mounted over the kernel's.
through_lxcfs() {
	local before after
	before=$(ran)
	# shellcheck disable=SC2016 # the inner shell's
	read_files 48 files in_box sh -c 'for name in meminfo stat uptime loadavg cpuinfo diskstats; do
			mount --bind /var/lib/lxcfs/proc/$name /proc/$name || exit
		done; exec "$@"' sh | report lxcfs "$1"
	after=$(ran)
	echo "daemon $1 $((after - before))"
}

# What lxcfs's threads have run so far.
ran() { cat /proc/"$(pidof lxcfs)"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d\n", sum }'; }

layouts() {
	python3 - <<-EOF
		import hashlib, sys
		sys.path.insert(0, "$share/lib")
		import view
		for path in view.FILES:
		    layout = repr(view.layout(path, open(path).read()))
		    print("layout", path, hashlib.sha256(layout.encode()).hexdigest()[:16])
	EOF
}

(($#)) || set -- 1
setup
layouts
# So that times have two digits from now on: each more costs as much as the hook.
sleep 10
on_host host
have_module=$(modinfo -n cgroup_isolation 2>/dev/null || true)
# At once: the numbers in the files grow, and with them what it takes to print them.
if [[ $have_module ]]; then
	modprobe cgroup_isolation
	on_host host-module
	rmmod cgroup_isolation
	on_host host-again
fi
for crowd; do
	beside "$crowd" - container "$crowd"
	[[ $have_module ]] || continue
	modprobe cgroup_isolation
	beside "$crowd" - module "$crowd"
	rmmod cgroup_isolation
	lxcfs -l "$lxcfs" >/dev/null 2>&1 &
	until [[ -e $lxcfs/proc/meminfo ]]; do sleep 0.1; done
	beside "$crowd" "$lxcfs/proc" through_lxcfs "$crowd"
	kill "$(pidof lxcfs)"
	wait
	! mountpoint -q "$lxcfs" || umount "$lxcfs"
done
