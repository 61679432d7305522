#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What it costs to read a file of /proc, in instructions: in a container with
# cgroup_isolation, through lxcfs, and as the kernel itself has it, by one and by 16
# readers, beside no, 9 and 199 other containers, with 2, 8 and 64 CPUs; and on the
# host, where nothing may have changed. What the kernel itself needs is the
# unpatched one's. Deterministic: it gives the same on a busy machine. Exits with an
# error if a target of the project is missed. Leaves what it measured in
# out/bench/procview.txt. TK_BENCH_QUICK=1 leaves the larger machines out.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_MEM=2048 VM_TIMEOUT=2400

# measure CPUS FLAVOUR CROWD…: what the guest prints, behind CPUs and kernel.
measure() {
	local cpus=$1 flavour=$2
	shift 2
	VM_CPUS=$cpus "$here/../vm/run.sh" "$flavour" "$here/procview-cost.sh" -- "$@" |
		sed "s/^/$cpus $flavour /"
}

mkdir -p "$out"
{
	for kernel in vanilla vm; do
		measure 2 "$kernel" 1 10 200
		[[ -z ${TK_BENCH_QUICK:-} ]] || continue
		measure 8 "$kernel" 1
		measure 64 "$kernel" 1
	done
} >"$out/procview.txt"
"$here/../../build/in-root" python3 "$here/procview.py" "$out/procview.txt"
