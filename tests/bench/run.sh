#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the hooks and ttools add to a ptrace(2) call, in instructions: on the
# kernel without hooks.patch, with it, with ttools loaded, and with 10,000
# protected processes. Deterministic: it gives the same on a busy machine.
# Exits with an error if a target of the project is missed.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
export VM_ICOUNT=1 VM_MEM=4096 VM_TIMEOUT=1800

measure() { "$here/../vm/run.sh" "$1" "$here/ptrace-cost.sh"; }

vanilla=$(measure vanilla)
patched=$(measure vm)
printf '%s\n' "$vanilla" "$patched" | awk '
	BEGIN {
		label[1] = "unpatched kernel"
		label[2] = "patched, no module"
		label[3] = "ttools, 0 protected"
		label[4] = "ttools, 10,000 protected"
		split("0 0.1 2 2", limit)
		printf "%-26s %12s %9s %8s\n", "", "instructions", "more", "at most"
	}
	NF == 2 {
		cost[++n] = $2
		more = ($2 / cost[1] - 1) * 100
		printf "%-26s %12.2f %8.2f%% %7s%%\n", label[n], $2, more, limit[n]
		missed += more > limit[n]
	}
	END {
		if (n != 4)
			print "not all of it could be measured"
		exit n != 4 || missed
	}'
