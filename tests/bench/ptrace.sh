#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the hooks and ttools add to a ptrace(2) call, in instructions: on the
# kernel without hooks.patch, with it, and with ttools loaded, alone and beside
# 10,000 other processes, which ttools protects if it is there. Deterministic: it
# gives the same on a busy machine.
# Exits with an error if a target of the project is missed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export VM_ICOUNT=1 VM_MEM=4096 VM_TIMEOUT=1800

measure() { "$here/../vm/run.sh" "$1" "$here/ptrace-cost.sh"; }

vanilla=$(measure vanilla)
patched=$(measure vm)
printf '%s\n' vanilla "$vanilla" vm "$patched" | awk '
	NF == 1 { kernel = $1 }
	NF == 2 { cost[kernel "-" $1] = $2; n++ }

	# The cost alone and in the crowd, against the unpatched kernel.
	function row(label, name, limit,    k, crowd, more) {
		printf "%-20s", label
		for (k = 0; k < 2; k++) {
			crowd = k ? "-10000" : ""
			more = (cost[name crowd] / cost["vanilla-none" crowd] - 1) * 100
			printf "%12.2f %+6.2f %%", cost[name crowd], more
			missed += more > limit
		}
		printf limit ? "   at most %+.1f %%\n" : "\n", limit
	}

	END {
		if (n != 6) {
			print "not all of it could be measured"
			exit 1
		}
		printf "%-20s%21s%21s\n", "", "alone", "beside 10,000 others"
		row("unpatched kernel", "vanilla-none", 0)
		row("patched, no module", "vm-none", 0.1)
		row("ttools loaded", "vm-ttools", 2)
		exit missed > 0
	}'
