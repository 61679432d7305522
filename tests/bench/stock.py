#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stock.py FILE: prints what stock.sh measured, and fails if something costs when nobody is registered."""

import statistics
import sys

from features import read

# What a call may take more after the modules were unloaded than in the same processes of a guest without them: so
# many instructions, or this part of it. A connection takes 66,000 with some random numbers, which take longer now and then.
NOTHING = 20
PART = 0.001
# A child's pages and slabs come from one list or another, and a number has a digit more in one of the guests.
PARTS = {"fork-exit": 0.01, "meminfo": 0.005}
# But for this file: its numbers get longer while the machine runs, and more with modules.
GROWS = "stat"
PROVIDERS = {"vm": "hooks.patch", "stock": "tkhooks"}


def main():
    """Prints the table: what each call takes more, in instructions; after unloading, than without modules by then."""
    costs, names = read(sys.argv[1])
    missed = []
    print("| call | " + " | ".join(f"{provider}: without, loaded, set, unloaded" for provider in PROVIDERS.values())
          + " |\n|---|" + "---|" * len(PROVIDERS))
    for name in names:
        cells = []
        for kernel, provider in PROVIDERS.items():
            cell = [f"{statistics.median(costs[f'{kernel}-host', name]):.0f}"]
            # Some take other ways after a while, with or without modules.
            for column, other in (("loaded", "host"), ("set", "host"), ("again", "without-host-again")):
                then = costs.get((f"{kernel}-host-{column}", name))
                if not then:
                    cell.append("-")
                    continue
                then, base = statistics.median(then), statistics.median(costs[f"{kernel}-{other}", name])
                cell.append(f"{then - base:+.0f}")
                most = base + max(NOTHING, base * PARTS.get(name, PART))
                if column == "again" and name != GROWS and then > most:
                    missed.append(f"{name}, {provider}, after unloading: {then:.0f}, at most {most:.0f}")
            cells.append(", ".join(cell))
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
