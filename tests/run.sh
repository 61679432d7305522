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

echo "== in the guest ($flavour kernel)"
export VM_TIMEOUT=${VM_TIMEOUT:-3000} VM_MEM=${VM_MEM:-2048}
tests/vm/run.sh "$flavour" tests/guest/run.sh --results "$results" \
	--console "$results/console" || true

build/in-root python3 tests/summary.py "$results/host.tap" "$results/junit.xml"
