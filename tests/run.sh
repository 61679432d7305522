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

# Once, before two guests at a time ask for them; what takes long says how far it is.
build/modules.sh "$flavour" >/dev/null
tests/vm/image.sh >/dev/null
tests/vm/files.sh "$flavour" >/dev/null

results_of=()

# beside TITLE LOG RESULTS COMMAND…: tests beside others, two at a time. Shows what
# they said when they end. A test that fails is counted by summary.py, so go on.
beside() {
	local title=$1 log=$2
	results_of+=("$3")
	shift 3
	while (($(jobs -rp | wc -l) >= 2)); do
		wait -n || true
	done
	{
		"$@" >"$log" 2>&1 || true
		echo "== $title"
		cat "$log"
	} &
}

# host NAME SCRIPT: tests on this machine, which print TAP.
host() {
	beside "on this machine: $1" "$results/$1.tap" "$results/$1.tap" "$2" "$flavour"
}

# guest NAME OPTIONS OF vm.py… -- ARGUMENTS OF pytest…: tests in the guest, in a
# session of their own.
guest() {
	local name=$1
	shift
	mkdir -p "$results/$name"
	beside "in the guest ($flavour kernel): $name" "$results/$name.log" \
		"$results/$name/junit.xml" tests/vm/run.sh "$flavour" tests/guest/run.sh \
		--results "$results/$name" --console "$results/$name/console" "$@"
}

export VM_TIMEOUT=${VM_TIMEOUT:-3000} VM_MEM=${VM_MEM:-2048}

# TK_LONG=1: those as well that take long and seldom find what the rest doesn't.
long="not long"
[[ -z ${TK_LONG:-} ]] || long="long or not long"

# What one engine's containers see; TK_CONTAINERS=1: all of them, and the rest.
containers=(containers/test_engines.py containers/test_files.py
	containers/test_programs.py containers/test_nested.py -k "not nspawn and not lxc")
[[ -z ${TK_CONTAINERS:-} ]] || containers=(containers)

# Of pclimit's tests those that take longest.
limits=(pclimit/test_{async,hot,network,storm,stream}.py)

others=(--ignore=pclimit --ignore=containers --ignore=bt_sched)

# A kernel without hooks.patch has what tkhooks has the hooks for.
if [[ $flavour == stock* ]]; then
	others+=(--ignore=max_map_count)
	# What shortens the turns of the emulator's CPUs is a device that it keeps for itself.
	stock=(--icount wait --cpus 2 --append iomem=relaxed)
	[[ $flavour != *-debug ]] || stock=()
	guest pclimit-limits "${stock[@]}" -- -m "$long" "${limits[@]}"
	guest main -- -m "($long) and not storm" "${others[@]}"
	guest pclimit "${stock[@]}" -- -m "$long" pclimit "${limits[@]/#/--ignore=}"
	guest storm --one-thread -- -m "($long) and storm" -k "not thousand" "${others[@]}"
	guest containers --cpus 4 -- "${containers[@]}"
	# More than an hour, without what it waits for. On the debug kernel two checkers save a
	# stack for each allocation, which takes half of it, and what they check is the same in 20 rounds.
	append="iomem=relaxed"
	[[ $flavour != *-debug ]] || append+=" kmemleak=off slab_debug=FZP"
	[[ -z ${TK_LONG:-} ]] || VM_TIMEOUT=20000 guest thousand --icount jump --cpus 2 \
		--append "$append" -- -m long tkhooks
	wait
	build/in-root python3 tests/summary.py "${results_of[@]}"
	exit
fi

host host tests/host/run.sh
# With a kernel that was built with clang DKMS asks for it by that name, which the
# build root doesn't have.
[[ $flavour == debug ]] || host packages tests/host/packages.sh

# In time that this machine's load doesn't change, on one of its CPUs; a kernel with
# checkers takes too much of that.
deterministic=(--icount wait --cpus 2)
[[ $flavour != debug ]] || deterministic=()

# Those that take longest come first.
guest pclimit-limits "${deterministic[@]}" -- -m "$long" "${limits[@]}"
guest main -- -m "($long) and not storm" "${others[@]}"
guest pclimit "${deterministic[@]}" -- -m "$long" pclimit "${limits[@]/#/--ignore=}"
# Loads and unloads without pause.
guest storm --one-thread -- -m "($long) and storm" "${others[@]}"

# Deterministic time stops for ever in a machine that sleeps. With a thread for each CPU
# the second one was in its firmware once, and never came up.
[[ $flavour != ext ]] ||
	guest suspend --one-thread --append hpet=disable -- {bt_sched,features}/test_suspend.py

guest containers --cpus 4 -- "${containers[@]}"

# Offline work is about who gets which CPU, so there are several, in time that
# nobody else has a part in.
several=(--icount wait --cpus 4)
[[ $flavour != debug ]] || several=(--cpus 4)
if [[ -z ${TK_BT:-} ]]; then
	guest bt_sched "${several[@]}" -- bt_sched/test_{interface,sysctl}.py \
		bt_sched/test_groups.py \
		bt_sched/test_balance.py::test_{one_hog_for_each_cpu,bt_moves_out_of_the_way} \
		"bt_sched/test_shares.py::test_shares_follow_nice_values[nices1]" \
		bt_sched/test_unload.py::test_everybody_is_made_normal_with_his_nice_value
else
	guest bt_sched "${several[@]}" -- -m "($long) and not storm" bt_sched
	# In real time four CPUs in one thread do little else than tick. These two checkers
	# of the debug kernel save a stack for each allocation and make it three times as slow.
	storm=(--icount wait --cpus 4)
	[[ $flavour != debug ]] || storm+=(--append "kmemleak=off slab_debug=-")
	guest bt_storm "${storm[@]}" -- -m storm bt_sched
	# Frequencies, of CPUs whose family has no driver of its own.
	guest bt_cpufreq "${several[@]}" \
		--qemu-args="-cpu max,-erms,-fsrm,-fsrs,-fzrm,-la57,family=6 -acpitable file=$(tests/vm/pstates.sh 4)" -- \
		bt_sched/test_cpufreq.py
	# Hyperthreads.
	guest bt_smt "${several[@]}" --qemu-args="-smp 4,cores=2,threads=2" -- \
		bt_sched/test_selftests.py bt_sched/test_balance.py bt_sched/test_smt.py
	guest bt_topology --icount wait --cpus 8 \
		--qemu-args="-smp 8,sockets=2,cores=2,threads=2" -- bt_sched/test_topology.py
fi
wait

build/in-root python3 tests/summary.py "${results_of[@]}"
