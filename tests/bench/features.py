#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""features.py FILE: prints what features.sh measured, and fails if a target was missed."""

import pathlib
import sys

# The patched kernel without modules against the unpatched one, and after they were unloaded against
# before.
HOST = 1.002
# Instructions that features that are loaded, and on, may add to a call.
CALL = 60
CALLS = ("uname", "epoll_wait-0", "epoll_wait-ready", "bind-udp-any", "bind-tcp-8080", "bind-udp-80",
         "kill-ignored", "osrelease", "version")
COLUMNS = ("vanilla-host", "vm-host", "vm-host-loaded", "vm-host-set", "vm-host-again",
           "vanilla-container", "vm-container", "vm-container-loaded", "vm-container-set")


def main():
    """Prints the table."""
    costs, names = {}, []
    for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
        who, name, number = line.split()
        # Of several processes the one that took least.
        costs[who, name] = min(costs.get((who, name), float("inf")), float(number))
        if name not in names:
            names.append(name)
    missed = []
    print(f"{'':18}" + "".join(f"{column.replace('vanilla', 'un').replace('vm-', ''):>18}"
                               for column in COLUMNS))
    for name in names:
        row = [costs[column, name] for column in COLUMNS]
        print(f"{name:18}" + "".join(f"{number:18.1f}" for number in row))
        for where, base, patched in (("host", row[0], row[1]), ("container", row[5], row[6])):
            if patched > base * HOST:
                missed.append(f"{name} on the patched kernel, {where}: {patched / base - 1:+.2%}, "
                              f"the target {HOST - 1:+.1%}")
        if row[4] > row[1] * HOST:
            missed.append(f"{name} after the modules were unloaded: {row[4] / row[1] - 1:+.2%}")
        if name in CALLS:
            for column, base in ((2, 1), (3, 1), (7, 6), (8, 6)):
                if row[column] - row[base] > CALL:
                    missed.append(f"{name}, {COLUMNS[column]}: {row[column] - row[base]:+.0f} instructions")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
