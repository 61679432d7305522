#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bt-sched.sh [ROW…]: what online work gets beside hogs, and they of the rest: by
# nice 19, SCHED_IDLE, SCHED_RR for the online work, and the class of bt_sched_shim,
# beside what could be had at best; with 1, 2 and 4 CPUs, preempt=lazy and full, all
# rows in one guest. Deterministic: it gives the same on a busy machine. Exits with
# an error if a target of the project is missed. Leaves what it measured in
# out/bench/bt-sched.txt. All of it takes two hours: BT_CPUS, BT_PREEMPT and BT_REPEATS
# (3) make it do less.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=1 VM_MEM=1024 VM_TIMEOUT=7200

mkdir -p "$out"
for cpus in ${BT_CPUS:-1 2 4}; do
	for preempt in ${BT_PREEMPT:-lazy full}; do
		VM_CPUS=$cpus "$here/../vm/run.sh" vm "$here/bt-sched-rows.sh" \
			--append "preempt=$preempt" -- "$preempt" "${BT_REPEATS:-3}" "$@" |
			sed "s/^/$cpus $preempt /"
	done
done >"$out/bt-sched.txt"
"$here/../../build/in-root" python3 "$here/bt-sched.py" "$out/bt-sched.txt"
