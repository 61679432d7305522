#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What it costs to keep the page cache small while 4 GiB are read, in instructions:
# without a limit, by what the kernel has for it, and by pclimit. Exits with an
# error if a target of the project is missed. Leaves what it measured, and a
# picture of the cache over time, in out/bench.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_TIMEOUT=${VM_TIMEOUT:-2400}

# measure FLAVOUR MIB NAME ARGUMENTS…: in a guest with so much memory; what it
# prints gets the kernel's name in front.
measure() {
	local flavour=$1 memory=$2 name=$3
	shift 3
	VM_MEM=$memory "$here/../vm/run.sh" "$flavour" "$here/pclimit-cost.sh" \
		--results "$out/pclimit" -- "$@" | sed "s/^/$name /"
}

rm -rf "$out/pclimit"
mkdir -p "$out/pclimit"
# All that is read fits into the memory of the first two.
{
	measure vanilla 6144 unpatched unlimited
	measure vm 6144 patched unlimited far
	measure vanilla 1024 unpatched plain memory.high memory.max
	measure vm 1024 patched sync async
} >"$out/pclimit.txt"
measure vm 1024 patched timelines plain sync async
"$here/../../build/in-root" python3 "$here/plot.py" "$out/pclimit.svg" \
	"$out/pclimit/plain.csv=no limit" "$out/pclimit/sync.csv=vm.pagecache_limit_ratio=20"
"$here/../../build/in-root" python3 "$here/table.py" "$out/pclimit.txt"
