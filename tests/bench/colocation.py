#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""colocation.py LOOKS REQUESTS: prints what colocation.sh measured, and fails if a target was missed."""

import bisect
import pathlib
import sys

ROWS = {
    "alone": "alone",
    "normal": "beside containers",
    "idle": "in SCHED_IDLE",
    "weight": "cpu.weight=1",
    "cpu-idle": "cpu.idle=1",
    "class": "each task in the class",
    "offline": "cpu.offline=1",
}
# Requests a second: what 50 connections ask that have 100 ms each.
RATE = 500
# The service's; who asks has one more.
CPUS = 4
# Of `offline`.
P99, BUSY, ANSWERED = 1.05, 0.95, 0.99


class Look:
    """The machine at one time: us, USER_HZ of all CPUs, us of the cgroups."""

    def __init__(self, words):
        self.time, self.busy, self.idle, self.web, self.batch = map(int, words)


class Window:
    """A row of one round: looks at the machine, and requests that began meanwhile."""

    def __init__(self, row, looks, requests):
        self.row, self.looks = row, looks
        self.begin, self.end = looks[0].time, looks[-1].time
        self.requests = requests[bisect.bisect_left(requests, (self.begin,)):
                                 bisect.bisect_left(requests, (self.end,))]


def read(looks, requests):
    """All windows."""
    # Begin, status, duration; the time is 0 in lines of connections that failed.
    asked = sorted((int(begin), int(took), int(status)) for begin, status, took in
                   (line.split() for line in pathlib.Path(requests).read_text().splitlines()))
    found = {}
    for line in pathlib.Path(looks).read_text().splitlines():
        row, number, *words = line.split()
        found.setdefault((row, number), []).append(Look(words))
    return [Window(row, seen, asked) for (row, _), seen in found.items()]


def share(looks):
    """Of the time of all CPUs: what was busy, and what the service and the containers ran."""
    first, last = looks[0], looks[-1]
    busy, idle = last.busy - first.busy, last.idle - first.idle
    all_us = CPUS * (last.time - first.time)
    return busy / (busy + idle), (last.web - first.web) / all_us, (last.batch - first.batch) / all_us


class Row:
    """What all rounds of a row gave."""

    def __init__(self, windows):
        self.requests = sorted(took for window in windows for _, took, _ in window.requests)
        self.errors = sum(status != 200 for window in windows for _, _, status in window.requests)
        seconds = sum(window.end - window.begin for window in windows) / 1e6
        self.rate = len(self.requests) / seconds
        shares = list(zip(*(share(window.looks) for window in windows)))
        self.busy, self.web, self.batch = (sum(one) / len(one) for one in shares)
        self.rounds = [sorted(took for _, took, _ in window.requests) for window in windows]

    @property
    def p99(self):
        """In us."""
        return quantile(self.requests, 0.99)


def quantile(times, which):
    """Of sorted ones."""
    return times[min(len(times) - 1, int(len(times) * which))]


def main():
    """Prints the table."""
    windows = read(*sys.argv[1:3])
    rows = {name: Row([window for window in windows if window.row == name])
            for name in ROWS if any(window.row == name for window in windows)}
    alone = rows["alone"].p99
    print(f"nginx at a fixed rate, and podman containers that compress and compile, on {CPUS} CPUs; in us\n")
    print(f"{'':24}{'p50':>8}{'p99':>8}{'times':>8}{'p99.9':>8}{'max':>8}{'per s':>8}{'errors':>8}"
          f"{'busy':>9}{'nginx':>9}{'batch':>9}   p99 of each round")
    for name, row in rows.items():
        p50, p999 = quantile(row.requests, 0.5), quantile(row.requests, 0.999)
        print(f"{ROWS[name]:24}{p50:8}{row.p99:8}{row.p99 / alone:8.3f}{p999:8}{row.requests[-1]:8}"
              f"{row.rate:8.0f}{row.errors:8}{row.busy:9.1%}{row.web:9.1%}{row.batch:9.1%}   "
              + " ".join(str(quantile(times, 0.99)) for times in row.rounds))
    missed = []
    if "offline" in rows:
        row = rows["offline"]
        if row.p99 > P99 * alone:
            missed.append(f"p99 {row.p99 / alone:.3f} times that of alone, at most {P99}")
        if row.busy < BUSY:
            missed.append(f"busy {row.busy:.1%}, at least {BUSY:.0%}")
        if row.errors:
            missed.append(f"{row.errors} errors")
        if row.rate < ANSWERED * RATE:
            missed.append(f"{row.rate:.0f} requests a second, at least {ANSWERED * RATE:.0f}")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
