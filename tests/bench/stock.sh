#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a hook costs by hooks.patch and by tkhooks, in instructions: each kernel with the
# features loaded, and set to do something, against itself without any module, and after
# they were unloaded. Deterministic: it gives the same on a busy machine. Exits with an
# error if something is left of the cost then: if a call takes more than in the same
# process of a guest that has never loaded a module. Leaves what it measured in
# out/bench/stock.txt.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_CPUS=1 VM_MEM=2048 VM_TIMEOUT=3600

mkdir -p "$out"
# measure KERNEL: side by side with the other one's.
measure() {
	local kernel=$1
	"$here/../vm/run.sh" "$kernel" "$here/features-cost.sh" -- all | sed "s/^/$kernel-/"
	"$here/../vm/run.sh" "$kernel" "$here/features-cost.sh" -- all without |
		sed "s/^/$kernel-without-/"
	"$here/../vm/run.sh" "$kernel" "$here/ptrace-cost.sh" |
		sed -n "s/^none /$kernel-host ptrace /p; s/^ttools /$kernel-host-loaded ptrace /p"
}
measure vm >"$out/stock-vm.txt" &
measure stock >"$out/stock-stock.txt"
wait $!
cat "$out"/stock-{vm,stock}.txt >"$out/stock.txt"
"$here/../../build/in-root" python3 "$here/stock.py" "$out/stock.txt"
