#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the slot for a scheduling class and bt_sched_shim add to a switch of tasks, in
# instructions: on the kernel without hooks.patch, with it, with the module loaded,
# and in its class; with one CPU and with two. Deterministic: it gives the same on a
# busy machine. Where there are several CPUs it depends on how tasks happen to meet, so
# each ratio has its standard error. Exits with an error if a target of the project is
# missed, within two of these or not, or couldn't be measured: BT_CPUS=1 leaves out those
# of two CPUs, which take an hour.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_MEM=1024 VM_TIMEOUT=5400

mkdir -p "$out"
for cpus in ${BT_CPUS:-1 2}; do
	for flavour in vanilla vm; do
		VM_CPUS=$cpus "$here/../vm/run.sh" "$flavour" "$here/bt-cost-calls.sh" |
			sed "s/^/$cpus $flavour-/"
	done
done >"$out/bt-cost.txt"
awk '
	{ cost[$1, $2, $3] = $4; error[$1, $2, $3] = $5 / $4 }

	# What it takes, times what BASE does; LIMIT is the most that this may be.
	function row(label, name, base, limit,    i, ratio, spread) {
		printf "%-34s", label
		for (i = 1; i <= n; i++) {
			split(test[i], part, " ")
			if (!((part[1], name, part[2]) in cost)) {
				printf "%25s", "-"
				missing += limit > 0
				continue
			}
			ratio = cost[part[1], name, part[2]] / cost[part[1], base, part[2]]
			spread = ratio * sqrt(error[part[1], name, part[2]] ^ 2 + error[part[1], base, part[2]] ^ 2)
			if (name == base)
				spread = 0
			printf "%10.1f %.4f ±%.4f", cost[part[1], name, part[2]] / 1000, ratio, spread
			if (limit && ratio > limit)
				missed[++m] = sprintf("%s: %s, %s: %.4f ±%.4f, the target %.4f",
					ratio - 2 * spread > limit ? "missed" : "unclear", label, test[i], ratio, spread, limit)
		}
		printf limit ? "   at most %.3f\n" : "\n", limit
	}

	END {
		n = split("1 pipe|1 hackbench|2 pipe|2 apart|2 hackbench", test, "|")
		printf "%-34s", "us; CPUs, test"
		for (i = 1; i <= n; i++)
			printf "%25s", test[i]
		print ""
		row("unpatched kernel", "vanilla-none", "vanilla-none", 0)
		row("patched, no module", "vm-none", "vanilla-none", 1.002)
		row("bt_sched_shim, nobody in BT", "vm-loaded", "vm-none", 1.005)
		row("all in BT", "vm-bt", "vm-loaded", 1.1)
		row("all in SCHED_IDLE", "vm-idle", "vm-none", 0)
		for (i = 1; i <= m; i++)
			print missed[i]
		if (missing)
			print "not all of it could be measured"
		exit m || missing
	}' "$out/bt-cost.txt"
