#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh [NAME…]: the benchmarks, in deterministic time: they give the same on a
# busy machine. Exits with an error if one of them misses a target of the project.
# Without a NAME all but bt-sched, colocation and stock, which take two hours, half an
# hour, and a kernel of Debian's.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
(($#)) || set -- ptrace pclimit procview features bt-cost
status=0
for name; do
	"$here/$name.sh" || status=1
done
exit "$status"
