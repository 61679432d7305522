#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""features.py FILE: prints what features.sh measured, and fails if a target was missed."""

import collections
import pathlib
import sys

# The patched kernel without modules against the unpatched one, and after they were unloaded against
# before: of calls that programs make all the time, and in instructions of the others.
CLOSE = 1.002
CALLS = ("uname", "epoll_wait-0", "epoll_wait-ready", "bind-tcp-8080", "bind-udp-80", "tcp-4096-bytes",
         "mounts", "mountinfo")
OFF = 20
# Instructions that features that are loaded, and on, may add to a call. A port that the kernel is to
# find is one at random, which takes longer or shorter.
ON = 60
SHORT_CALLS = ("bind-udp-any", *CALLS[:5])
COLUMNS = ("vanilla-host", "vm-host", "vm-host-loaded", "vm-host-set", "vm-host-again",
           "vanilla-container", "vm-container", "vm-container-loaded", "vm-container-set")


def read(path):
    """What each process measured, by who and name; and the names in their order."""
    costs = collections.defaultdict(list)
    for line in pathlib.Path(path).read_text().splitlines():
        who, name, number = line.split()
        costs[who, name].append(float(number))
    return costs, list(dict.fromkeys(name for _, name in costs))


def main():
    """Prints the table."""
    costs, names = read(sys.argv[1])
    missed = []
    print(f"{'':18}" + "".join(f"{column.replace('vanilla', 'un').replace('vm-', ''):>18}"
                               for column in COLUMNS))
    for name in names:
        # Of several processes the one that took least.
        row = [min(costs[column, name]) for column in COLUMNS]
        print(f"{name:18}" + "".join(f"{number:18.1f}" for number in row))
        for what, base, then in (("patched, host", row[0], row[1]), ("patched, container", row[5], row[6]),
                                 ("after unloading", row[1], row[4])):
            most = base * CLOSE if name in CALLS else base + OFF
            if then > most:
                missed.append(f"{name}, {what}: {then:.1f}, {then / base - 1:+.2%}, at most {most:.1f}")
        if name in SHORT_CALLS:
            for column, base in ((2, 1), (3, 1), (7, 6), (8, 6)):
                # There the name is put together, which is what was asked for.
                if (name, COLUMNS[column]) == ("uname", "vm-container-set"):
                    continue
                if row[column] - row[base] > ON:
                    missed.append(f"{name}, {COLUMNS[column]}: {row[column] - row[base]:+.0f} instructions")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
