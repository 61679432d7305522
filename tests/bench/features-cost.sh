#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# features-cost.sh [all [without]]: runs in the guest, in deterministic time: what calls
# take that the small features have hooks in: without them, with all of them loaded and
# set to do something, on the host and in a container. With all, the other features' as
# well. Without: the same processes, but nothing is loaded or set, for what a kernel takes
# that has run that long. Prints lines of WHO NAME NANOSECONDS.

set -euo pipefail

share=/usr/share/tkernel-rs
which=${1:-}
without=${2:-}
wanted=(nonpriv_netbind shield_mounts release_suffix hostinfo fatal_signals epoll_min_wait)
[[ $which != all ]] || wanted+=(ttools pclimit cgroup_isolation tcp_tuning)
features=()
# Those that this kernel has the hooks for.
for feature in "${wanted[@]}"; do
	! modinfo "$feature" >/dev/null 2>&1 || features+=("$feature")
done

# Several processes, because one may need more than another for all that it does; in
# different parts of a second, which is in what the kernel adds to get the time, and with
# different numbers of sockets.
cost() {
	local who=$1 pauses=(0 0.15 0.3 0.45 0.6) i
	shift
	for i in "${!pauses[@]}"; do
		sleep "${pauses[i]}"
		"$@" "$share/bench/features-cost" ${which:+"$which" $((3 * i))} |
			sed "s/^/$who /"
	done
}

set_them() {
	echo 80 >/proc/tkernel/nonpriv_netbind
	[[ ! -e /proc/tkernel/shield_mounts ]] || echo "set nothing /nowhere" >/proc/tkernel/shield_mounts
	echo 1 >/proc/tkernel/release_suffix
	sysctl -qe kernel.watch_host_pid=1 kernel.print-fatal-signals-src-dst=1 kernel.min_epoll_wait_time=5
	# A limit that isn't reached, and what some connections are different by.
	sysctl -qe vm.pagecache_limit_ratio=90 net.ipv4.tcp_init_cwnd=20
}

in_container() { unshare --pid --fork --mount-proc "$@"; }

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1
ip link set lo up

# Numbers of processes of the same length from here on: some of the files have them.
for ((i = 0; i < 1000; i++)); do (:); done

# What the kernel learns of connections to an address it looks at for each later one.
"$share/bench/features-cost" ${which:+"$which"} >/dev/null

cost host env
cost container in_container
((${#features[@]})) || exit 0
[[ $without ]] || modprobe -a "${features[@]}"
cost host-loaded env
cost container-loaded in_container
[[ $without ]] || set_them
cost host-set env
cost container-set in_container
[[ $without ]] || modprobe -ra "${features[@]}"
cost host-again env
