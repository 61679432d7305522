#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# pstates.sh CPUS: a table of ACPI that gives each of the guest's CPUs three
# frequencies, so that it has something to do for a cpufreq governor; prints its
# path, for QEMU's -acpitable file=. The frequencies are set by writing to a port
# where nothing listens, so the CPU is as fast at each of them.
#
# acpi-cpufreq leaves CPUs of the family that QEMU's -cpu max is of to a driver of
# their own: -cpu max,family=6 is none of them.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

cpus=${1:?usage: pstates.sh CPUS}

source_text() {
	local cpu
	# What QEMU calls the devices of its CPUs.
	echo 'DefinitionBlock ("", "SSDT", 2, "TKERN", "PSTATES", 1) {'
	for ((cpu = 0; cpu < cpus; cpu++)); do
		printf 'External (\\_SB.CPUS.C%03X, DeviceObj)\n' "$cpu"
		printf 'Scope (\\_SB.CPUS.C%03X) {\n' "$cpu"
		# In MHz, mW, us twice, and what is written to the port and read from it.
		cat <<-'EOF'
			Name (_PCT, Package () {
				ResourceTemplate () { Register (SystemIO, 8, 0, 0x1600) },
				ResourceTemplate () { Register (SystemIO, 8, 0, 0x1602) }
			})
			Name (_PSS, Package () {
				Package () { 3000, 30000, 10, 10, 3, 3 },
				Package () { 2000, 15000, 10, 10, 2, 2 },
				Package () { 1000, 5000, 10, 10, 1, 1 }
			})
			Method (_PPC) { Return (0) }
		}
		EOF
	done
	echo '}'
}

entry=$cache/pstates-$({ cat "$0"; echo "$cpus"; } | content_key)
if [[ ! -e $entry ]]; then
	mkdir -p "$entry.new"
	source_text >"$entry.new/table.asl"
	with_log "$cache/logs/pstates.log" "$here/in-root" iasl "$entry.new/table.asl"
	mv "$entry.new" "$entry"
	prune pstates 2
fi
echo "$entry/table.aml"
