#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stock.py FILE: prints what stock.sh measured, and fails if something costs when nobody is registered."""

import pathlib
import sys

from features import read

# After the modules were unloaded against the most that it took without them, of any call.
NOTHING = 20
# But for this file: the numbers in it get longer while the machine runs, and more with modules.
GROWS = "stat"
PROVIDERS = {"vm": "hooks.patch", "stock": "tkhooks"}


def most_without(path):
    """Of all processes that ran without modules, before them or in a guest without, what a call took, by kernel and name."""
    most = {}
    for line in pathlib.Path(path).read_text().splitlines():
        who, name, number = line.split()
        for kernel in PROVIDERS:
            if who in (f"{kernel}-host", f"{kernel}-container") or who.startswith(f"{kernel}-without-"):
                most[kernel, name] = max(most.get((kernel, name), 0), float(number))
    return most


def main():
    """Prints the table: what each call takes more, in instructions."""
    costs, names = read(sys.argv[1])
    most = most_without(sys.argv[1])
    missed = []
    print("| call | " + " | ".join(f"{provider}: without, loaded, set, unloaded" for provider in PROVIDERS.values())
          + " |\n|---|" + "---|" * len(PROVIDERS))
    for name in names:
        cells = []
        for kernel, provider in PROVIDERS.items():
            base = costs[f"{kernel}-host", name]
            cell = [f"{base:.0f}"]
            for column in ("loaded", "set", "again"):
                then = costs.get((f"{kernel}-host-{column}", name))
                cell.append("-" if then is None else f"{then - base:+.0f}")
                if column == "again" and then is not None and name != GROWS and then - most[kernel, name] > NOTHING:
                    missed.append(f"{name}, {provider}, after unloading: {then:.0f}, without at most {most[kernel, name]:.0f}")
            cells.append(", ".join(cell))
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
