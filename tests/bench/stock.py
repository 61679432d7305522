#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""stock.py FILE: prints what stock.sh measured, and fails if something costs when nobody is registered."""

import sys

from features import read

# After the modules were unloaded against before, of any call.
NOTHING = 20
PROVIDERS = {"vm": "hooks.patch", "stock": "tkhooks"}


def main():
    """Prints the table: what each call takes more, in instructions."""
    costs, names = read(sys.argv[1])
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
                if column == "again" and then is not None and then - base > NOTHING:
                    missed.append(f"{name}, {provider}, after unloading: {then - base:+.0f}, at most {NOTHING:+}")
            cells.append(", ".join(cell))
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
