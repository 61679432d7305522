#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What cgroup_isolation costs those who read /proc, in instructions for each
# open, read and close: on the host and in a container, against the kernel without
# hooks.patch (TK_BENCH_BASE names another flavour). Deterministic: it gives the
# same on a busy machine. /proc/version, which has no hook, says how much opening
# and reading any file differs by itself; that is taken off.
# Exits with an error if a target of the project is missed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export VM_ICOUNT=1 VM_CPUS=2 VM_MEM=2048 VM_TIMEOUT=1800

measure() { "$here/../vm/run.sh" "$1" "$here/procview-cost.sh" | sed "s/^/$2 /"; }

{
	measure "${TK_BENCH_BASE:-vanilla}" base
	measure vm vm
} | awk '
	{ cost[$1 " " $2, $3] = $4; if (!seen[$3]++) files[++n] = $3 }

	function cell(where, base, file, limit,    ratio) {
		ratio = cost[where, file]
		if (file != "sysinfo")
			ratio -= cost[where, version] - cost[base, version]
		ratio /= cost[base, file]
		printf "%10d %6.3fx", cost[where, file], ratio
		if (ratio > limit)
			missed = missed sprintf("missed: %s, %s: %.4f, the target %.4f\n",
				where, file, ratio, limit)
	}

	# Reading about disks depends on what they are doing.
	function host(file) { return file ~ /disk|block/ ? 1.02 : 1.005 }

	END {
		version = "/proc/version"
		if (n < 13) {
			print "not all of it could be measured"
			exit 1
		}
		printf "%-31s%9s%18s%18s%10s%18s%18s\n", "", "host", "hooks", "module", \
			"container", "view", "of 200"
		for (i = 1; i <= n; i++) {
			file = files[i]
			printf "%-31s%9d", file, cost["base host", file]
			cell("vm host", "base host", file, host(file))
			cell("vm module-host", "base host", file, host(file))
			printf "%10d", cost["base container", file]
			# A system call that takes less than a microsecond may take two.
			cell("vm module-container", "base container", file, file == "sysinfo" ? 3 : 1.2)
			cell("vm module-200", "base container", file, file == "sysinfo" ? 3 : 1.2)
			printf "\n"
		}
		printf "%s", missed
		exit missed != ""
	}'
