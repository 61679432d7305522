#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# colocation.sh [ROW…]: nginx at a fixed rate of requests, alone and beside containers
# of podman that compress and compile, which are left to the scheduler in the ways that
# colocation-rows.py names: what the requests take, and how much of the machine is used.
# Deterministic time. Exits with an error if a target of the project is missed. Leaves
# what it measured, and a picture of it over time, in out/bench. COLOCATION_ROUNDS (2)
# and COLOCATION_SECONDS (4) of each row make it do more or less.
#
# A CPU that idles is made to take its turns like any other: else the emulator gives its
# time to the others, which would be up to five times as fast alone as beside work,
# whatever the scheduler does (clock.idle_takes_turns()).

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../out/bench
export VM_ICOUNT=wait VM_CPUS=5 VM_MEM=2048 VM_TIMEOUT=7200

rm -rf "$out/colocation"
mkdir -p "$out/colocation"
"$here/../vm/run.sh" vm "$here/colocation-rows.py" --append idle=halt --results "$out/colocation" \
	-- "${COLOCATION_ROUNDS:-2}" "${COLOCATION_SECONDS:-4}" "$@" >"$out/colocation.txt"
"$here/../../build/in-root" python3 "$here/colocation-plot.py" \
	"$out/colocation.txt" "$out/colocation/requests.log" "$out/colocation.svg"
"$here/../../build/in-root" python3 "$here/colocation.py" \
	"$out/colocation.txt" "$out/colocation/requests.log"
