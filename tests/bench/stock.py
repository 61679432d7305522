#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stock.py FILE: prints what stock.sh measured, and fails if something costs when nobody is registered."""

import collections
import pathlib
import statistics
import sys

# After the modules were unloaded against the same processes of a guest without them, of any call: so many
# instructions, or this part of it. A connection takes 66,000 with some random numbers, which take longer now and then.
NOTHING = 20
PART = 0.001
# Those that differ by more between two guests, or processes, without modules: against the most of any of
# these. A port at random, pages and slabs that come from one list or another, and how many digits numbers have.
VARIES = ("bind-udp-any", "fork-exit", "meminfo")
# But for this file: its numbers get longer while the machine runs, and more with modules.
GROWS = "stat"
PROVIDERS = {"vm": "hooks.patch", "stock": "tkhooks"}


def read(path):
    """What each process measured, by who and name; and the names in their order."""
    costs = collections.defaultdict(list)
    for line in pathlib.Path(path).read_text().splitlines():
        who, name, number = line.split()
        costs[who, name].append(float(number))
    return costs, list(dict.fromkeys(name for _, name in costs))


def allowed(costs, kernel, name):
    """What a call takes without modules, in the last processes of the guest that has none, and may take with them gone."""
    last = statistics.median(costs[f"{kernel}-without-host-again", name])
    if name in VARIES:
        last = max(number for (who, what), numbers in costs.items()
                   if what == name and who.startswith(f"{kernel}-without-") for number in numbers)
    return last + max(NOTHING, last * PART)


def main():
    """Prints the table: what each call takes more, in instructions; after unloading, than without modules by then."""
    costs, names = read(sys.argv[1])
    missed = []
    print("| call | " + " | ".join(f"{provider}: without, loaded, set, unloaded" for provider in PROVIDERS.values())
          + " |\n|---|" + "---|" * len(PROVIDERS))
    for name in names:
        cells = []
        for kernel, provider in PROVIDERS.items():
            before = statistics.median(costs[f"{kernel}-host", name])
            cell = [f"{before:.0f}"]
            # Some take other ways after a while, with or without modules.
            for column, base in (("loaded", "host"), ("set", "host"), ("again", "without-host-again")):
                then = costs.get((f"{kernel}-host-{column}", name))
                if not then:
                    cell.append("-")
                    continue
                then = statistics.median(then)
                cell.append(f"{then - statistics.median(costs[f'{kernel}-{base}', name]):+.0f}")
                if column == "again" and name != GROWS and then > allowed(costs, kernel, name):
                    missed.append(f"{name}, {provider}, after unloading: {then:.0f}, at most {allowed(costs, kernel, name):.0f}")
            cells.append(", ".join(cell))
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
