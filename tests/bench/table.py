#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""table.py FILE: prints what pclimit.sh measured, and fails if a target was missed."""

import pathlib
import sys

GIB = 4
MIB = 1 << 20

# Label, kernel and configuration, and the targets: at most so many times the time, and the p99, of
# the unpatched kernel without a limit, and nanoseconds that an insertion may be held up.
ROWS = [
    ("no limit", "unpatched unlimited", {}),
    ("  hooks, no module", "patched unlimited", {"elapsed": 1.001, "p99": 1.005}),
    ("  pclimit, far from the limit", "patched far", {"elapsed": 1.01, "p99": 1.01}),
    ("memory full (kswapd)", "unpatched plain", {}),
    ("memory.high=200M", "unpatched memory.high", {}),
    ("memory.max=200M", "unpatched memory.max", {}),
    ("pclimit, 20 %", "patched sync", {"elapsed": 1.10, "p99": 1.15, "stall": 300_000}),
    ("pclimit, 20 %, asynchronous", "patched async", {"elapsed": 1.10, "p99": 1.05}),
]
KINDS = {"large": "a sparse file, in folios of 2 MiB", "small": "a disk, page by page"}
HOT = {"sync": 0.95, "async": 0.95}


def read(path):
    """What was measured: of a row and a kind, the numbers by name."""
    found = {}
    for line in pathlib.Path(path).read_text().splitlines():
        kernel, configuration, kind, name, number = line.split()
        found.setdefault((f"{kernel} {configuration}", kind), {})[name] = int(number)
    return found


def main():
    """Prints the tables."""
    measured = read(sys.argv[1])
    missed = []
    for kind, description in KINDS.items():
        print(f"\nreading {GIB} GiB of {description}; times in s/GiB and us, of read() of 128 KiB\n")
        print(f"{'':31}{'elapsed':>16}{'reader':>8}{'kernel':>8}{'mean':>8}{'p50':>8}"
              f"{'p99':>16}{'p99.9':>8}{'max':>8}  {'cache':>6} {'hot file':>9}")
        base = measured[ROWS[0][1], kind]
        for label, key, targets in ROWS:
            row = measured[key, kind]
            for name, target in targets.items():
                value = row[name] / (1 if name == "stall" else base[name])
                if value > target:
                    missed.append(f"{label.strip()}, {kind} folios: {name} is {value:.4g}, "
                                  f"the target {target:.4g}")
            if row["hot"] < HOT.get(key.split()[1], 0) * 50 * MIB:
                missed.append(f"{label}, {kind} folios: the hot file is gone")
            seconds = [f"{row[name] / GIB / 1e9:8.3f}" for name in ("elapsed", "reader")]
            thread = (row["kswapd"] + row["kpclimitd"]) / GIB / 1e9
            times = {name: f"{row[name] / 1e3:8.1f}" for name in ("mean", "p50", "p99", "p999", "max")}
            print(f"{label:31}{seconds[0]} {row['elapsed'] / base['elapsed']:6.3f}x{seconds[1]}"
                  f"{thread:8.3f}{times['mean']}{times['p50']}{times['p99']} "
                  f"{row['p99'] / base['p99']:6.3f}x{times['p999']}{times['max']}  "
                  f"{row['cache'] >> 8:6} {row['hot'] * 100 // (50 * MIB):7} %")
    print("\nkernel: what kswapd and kpclimitd ran; cache: the most, in MiB; hot file: what is left "
          "in memory of\n50 MiB that had been read four times.")
    stalls = [measured["patched sync", kind]["stall"] / 1e3 for kind in KINDS]
    print(f"pclimit held up a single insertion for at most {max(stalls):.0f} us.")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
