#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, in deterministic time: pclimit-cost.sh CONFIGURATION…: what
# it costs to read a file or disk larger than the memory, and what becomes of a
# warm file of 50 MiB meanwhile. Prints "CONFIGURATION KIND NAME NUMBER" lines.
#
# Of each configuration two kinds: `large`, a sparse file on ext4, which is read in
# folios of 2 MiB, and `small`, a disk (null_blk), which is read in single pages.

set -euo pipefail

share=/usr/share/tkernel-rs
mib=${STREAM_MIB:-4096}
vm=/proc/sys/vm
groups=/sys/fs/cgroup

# The clock is the verified TSC only from about a second after boot.
until grep -q tsc /sys/devices/system/clocksource/clocksource0/current_clocksource; do
	sleep 0.1
done
sleep 1

make_files() {
	local disk folder=/sys/kernel/config/nullb/small
	disk=$(basename "$(dirname "$(grep -lx scratch /sys/block/*/serial)")")
	# As on a machine with a plain disk, whatever this one asks for.
	echo 2048 >"/sys/block/$disk/queue/read_ahead_kb"
	mkfs.ext4 -q -F "/dev/$disk"
	mkdir -p /scratch
	mount "/dev/$disk" /scratch
	truncate -s "${mib}M" /scratch/large
	dd if=/dev/urandom of=/scratch/hot bs=1M count=50 status=none
	sync

	modprobe null_blk nr_devices=0
	mount -t configfs configfs /sys/kernel/config
	mkdir "$folder"
	for setting in size="$mib" blocksize=4096 irqmode=2 completion_nsec=20000 power=1; do
		echo "${setting#*=}" >"$folder/${setting%%=*}"
	done
	until [[ -b /dev/small ]]; do sleep 0.1; done
	echo 128 >/sys/block/small/queue/read_ahead_kb
}

warm_up() {
	echo 3 >$vm/drop_caches
	sleep 0.1
	for _ in 1 2 3 4; do
		dd if=/scratch/hot of=/dev/null bs=128k status=none
	done
}

in_group() {
	mkdir -p $groups/stream
	echo max >$groups/stream/memory.high
	echo max >$groups/stream/memory.max
	echo 200M >"$groups/stream/$1"
	echo $BASHPID >$groups/stream/cgroup.procs
}

# What a program of this configuration needs; `run` calls it in a shell of its own.
prepare() {
	case $1 in
	unlimited | plain) ;;
	memory.*) in_group "$1" ;;
	far) echo 95 >$vm/pagecache_limit_ratio ;;
	sync) echo 20 >$vm/pagecache_limit_ratio ;;
	async)
		echo 20 >$vm/pagecache_limit_ratio
		echo 1 >$vm/pagecache_limit_async
		;;
	*) echo "there is no $1" >&2 && exit 2 ;;
	esac
}

run() {
	local configuration=$1 kind=$2 file=$3
	case $configuration in
	far | sync | async) modprobe pclimit ;;
	esac
	warm_up
	(prepare "$configuration" && exec "$share/bench/stream" "$file" "$mib") |
		sed "s/^/$configuration $kind /"
	echo "$configuration $kind hot $(fincore --bytes --noheadings --output RES /scratch/hot)"
	if [[ -e /proc/pagecache_limit ]]; then
		sed -n "s/^stall_max_ns/$configuration $kind stall/p" /proc/pagecache_limit
		rmmod pclimit
	fi
}

# What the cache was every 10 ms from the beginning of a stream on: a file.
timeline() {
	local configuration=$1
	[[ $configuration == plain ]] || modprobe pclimit
	echo 3 >$vm/drop_caches
	prepare "$configuration"
	coproc sampler { "$share/bin/sampler" 10000; }
	# shellcheck disable=SC2154 # bash sets it for a coproc
	local pid=$sampler_PID output=${sampler[0]}
	read -r ready <&"$output"
	[[ $ready == ready ]]
	sleep 0.2
	"$share/bench/stream" /scratch/large "$mib" >/dev/null
	sleep 0.2
	eval "exec ${sampler[1]}>&-"
	cat <&"$output" >"/results/$configuration.csv"
	wait "$pid"
	[[ $configuration == plain ]] || rmmod pclimit
}

make_files
if [[ $1 == timelines ]]; then
	shift
	for configuration; do
		timeline "$configuration"
	done
	exit
fi
for configuration; do
	run "$configuration" large /scratch/large
	run "$configuration" small /dev/small
done
