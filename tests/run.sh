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

# guest NAME EXPRESSION [OPTIONS OF vm.py…]: the tests in the guest that pytest
# selects by the expression, in a session of their own.
guest() {
	local name=$1 tests=$2
	shift 2
	mkdir -p "$results/$name"
	tests/vm/run.sh "$flavour" tests/guest/run.sh --results "$results/$name" \
		--console "$results/$name/console" "$@" -- -m "$tests" || true
}

export VM_TIMEOUT=${VM_TIMEOUT:-3000} VM_MEM=${VM_MEM:-2048}
echo "== in the guest ($flavour kernel)"
guest main "not storm"
echo "== in the guest, loading and unloading without pause"
guest storm storm --one-thread

build/in-root python3 tests/summary.py "$results/host.tap" \
	"$results/main/junit.xml" "$results/storm/junit.xml"
