#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the hooks of the small features, and these themselves, add to the calls that
# they are in, in instructions. Deterministic: it gives the same on a busy machine.
# Exits with an error if a target of the project is missed. Leaves what it measured
# in out/bench/features.txt.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_CPUS=1 VM_MEM=1024 VM_TIMEOUT=1800

measure() { "$here/../vm/run.sh" "$1" "$here/features-cost.sh" | sed "s/^/$1-/"; }

mkdir -p "$out"
{
	measure vanilla
	measure vm
} >"$out/features.txt"
"$here/../../build/in-root" python3 "$here/features.py" "$out/features.txt"
