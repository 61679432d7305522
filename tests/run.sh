#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh FLAVOUR: all tests, on this machine and in the guest. The last line is
# 'N passed, N failed' (and ', N skipped').

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
flavour=${1:-vm}
results=out/results/$flavour
rm -rf "$results"
mkdir -p "$results"

# Fails on a test that fails; summary.py counts them, so go on.
echo "== on this machine"
tests/host/run.sh "$flavour" | tee "$results/host.tap"

# guest NAME OPTIONS OF vm.py… -- ARGUMENTS OF pytest…: tests in the guest, in a
# session of their own.
guest() {
	local name=$1 options=()
	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	mkdir -p "$results/$name"
	tests/vm/run.sh "$flavour" tests/guest/run.sh --results "$results/$name" \
		--console "$results/$name/console" "${options[@]}" "$@" || true
}

export VM_TIMEOUT=${VM_TIMEOUT:-3000} VM_MEM=${VM_MEM:-2048}
echo "== in the guest ($flavour kernel)"
guest main -- -m "not storm" --ignore=pclimit --ignore=containers

# In time that this machine's load doesn't change; a kernel with checkers takes
# too much of that.
deterministic=(--icount wait --cpus 2)
[[ $flavour != debug ]] || deterministic=()
# Both run on one of this machine's CPUs each.
echo "== in two guests, loading and unloading without pause, and pclimit"
guest storm --one-thread -- -m storm --ignore=pclimit --ignore=containers >"$results/storm.log" 2>&1 &
# One of the storms failed once in ten runs: see docs/pclimit.md.
storms=(--ignore=pclimit/test_storm.py)
[[ -z ${TK_STORMS:-} ]] || storms=()
guest pclimit "${deterministic[@]}" -- pclimit "${storms[@]}"
wait
cat "$results/storm.log"
results_of=("$results"/{main,storm,pclimit}/junit.xml)

# cgroup_isolation isn't finished: see docs/building.md.
if [[ -n ${TK_CONTAINERS:-} ]]; then
	echo "== in the guest, in containers"
	guest containers --cpus 4 -- containers
	results_of+=("$results/containers/junit.xml")
fi

build/in-root python3 tests/summary.py "$results/host.tap" \
	"${results_of[@]}"
