#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stock.py FILE: prints what stock.sh measured, and fails if something costs when nobody is registered."""

import pathlib
import sys

from features import read

# After the modules were unloaded against the same processes of a guest without them, of any call.
NOTHING = 20
# Those that differ by more between two guests, or processes, without modules: against the most of any of
# these. A port at random, pages and slabs that come from one list or another, and how many digits numbers have.
VARIES = ("bind-udp-any", "fork-exit", "meminfo")
# But for this file: its numbers get longer while the machine runs, and more with modules.
GROWS = "stat"
PROVIDERS = {"vm": "hooks.patch", "stock": "tkhooks"}


def without(path, costs):
    """What each call may take that costs nothing more, by kernel and name."""
    allowed = {}
    for line in pathlib.Path(path).read_text().splitlines():
        who, name, number = line.split()
        for kernel in PROVIDERS:
            if not who.startswith(f"{kernel}-without-"):
                continue
            if name in VARIES:
                allowed[kernel, name] = max(allowed.get((kernel, name), 0), float(number))
            else:
                allowed[kernel, name] = costs[f"{kernel}-without-host-again", name]
    return allowed


def main():
    """Prints the table: what each call takes more, in instructions; after unloading, than without modules by then."""
    costs, names = read(sys.argv[1])
    allowed = without(sys.argv[1], costs)
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
                # Some take other ways after a while, with or without modules.
                if column == "again":
                    base = costs.get((f"{kernel}-without-host-again", name))
                cell.append("-" if then is None else f"{then - base:+.0f}")
                if column == "again" and then is not None and name != GROWS and then - allowed[kernel, name] > NOTHING:
                    missed.append(f"{name}, {provider}, after unloading: {then:.0f}, without {allowed[kernel, name]:.0f}")
            cells.append(", ".join(cell))
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
