#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bt-sched.py FILE: prints what bt-sched.sh measured, and fails if a target was missed."""

import pathlib
import statistics
import sys

ROWS = {
    "none": "no hogs",
    "ideal": "online on a CPU, hogs on others",
    "nice0": "hogs like anybody",
    "rr": "online in SCHED_RR",
    "nice19": "hogs with nice 19",
    "idle": "hogs in SCHED_IDLE",
    "bt": "hogs in BT",
    "cpu-weight": "hogs with cpu.weight=1",
    "cpu-idle": "hogs with cpu.idle=1",
    "bt-group": "hogs with cpu.offline=1",
    "idle-kernel": "SCHED_IDLE, in system calls",
    "bt-kernel": "BT, in system calls",
}

# Of BT, in ns: wake-ups of another CPU's worker while the first has nothing else to do.
APART_P99 = 15_000
# Those of any, while both CPUs are busy.
WAKEUP_MAX = 50_000
# Times what the row has that can't be bettered.
WAKEUP_P99 = 1.2
REQUEST_P99 = 1.05
PIPE = 1.1
HACKBENCH = 1.05
# Of the cycles that the online work leaves, and of all cycles.
HOGS = 0.97
BUSY = 0.99


class Times:
    """One line of times, in ns."""

    def __init__(self, words):
        self.count, self.mean, self.p50, self.p99, self.p999, self.max = map(int, words)


class Beside:
    """Who had the CPUs."""

    def __init__(self, words):
        self.elapsed, self.online, self.hogs, self.idle, self.cpus = map(int, words)

    @property
    def all(self):
        """Nanoseconds of all CPUs."""
        return self.elapsed * self.cpus

    @property
    def left(self):
        """The hogs' share of what the online work left."""
        return self.hogs / max(1, self.all - self.online)

    @property
    def busy(self):
        """The share of the CPUs' time that was used."""
        return 1 - self.idle / self.all


def read(path):
    """By CPUs and preemption, row, test and name: what each repetition gave."""
    found = {}
    for line in pathlib.Path(path).read_text().splitlines():
        cpus, preempt, row, _, test, name, *words = line.split()
        kind = Beside if name == "beside" else Times
        found.setdefault((int(cpus), preempt), {}).setdefault(row, {}).setdefault(
            (test, name), []).append(kind(words))
    return found


def microseconds(times, name):
    """The worst repetition's."""
    worst = max(getattr(one, name) for one in times)
    return f"{worst / 1000:.0f}" if worst >= 99_500 else f"{worst / 1000:.1f}"


def three(row, key):
    """Mean, p99 and worst, in us."""
    if key not in row:
        return "-"
    return " / ".join(microseconds(row[key], name) for name in ("mean", "p99", "max"))


def table(rows):
    """Prints the rows of one guest."""
    print(f"{'':36}{'pipe':>24}{'perf':>8}{'wake-up':>24}{'request':>24}{'apart':>24}"
          f"{'cyclictest':>20}{'hackbench':>11}   pipe         wake         hackbench")
    for name, label in ROWS.items():
        if name not in rows:
            continue
        row = rows[name]
        shares = []
        for test in "pipe", "wake", "hackbench":
            beside = row[test, "beside"]
            left = min(one.left for one in beside) if name != "none" else 0
            shares.append(f"{left:.3f} {min(one.busy for one in beside):.3f}")
        hackbench = mean(row, ("hackbench", "hackbench")) / 1e9
        print(f"{label:36}{three(row, ('pipe', 'pipe')):>24}"
              f"{microseconds(row['perf', 'perf'], 'mean'):>8}"
              f"{three(row, ('wake', 'wakeup')):>24}{three(row, ('wake', 'request')):>24}"
              f"{three(row, ('apart', 'wakeup')):>24}{three(row, ('cyclic', 'timer')):>20}"
              f"{hackbench:>11.3f}   {'  '.join(shares)}")


def worst(row, key, name):
    """Of all repetitions."""
    return max(getattr(one, name) for one in row[key])


def mean(row, key):
    """Of all repetitions."""
    return statistics.mean(one.mean for one in row[key])


def check(cpus, rows, missed):
    """The targets of BT, worst repetition against worst repetition; hackbench by its mean."""
    for name in "bt", "bt-group":
        if name in rows:
            here = []
            check_row(cpus, rows, rows[name], here)
            missed += [f"{ROWS[name]}: {line}" for line in here]


def check_row(cpus, rows, bt, missed):
    """Those of one row."""
    # One CPU has no other for the hogs; what the hogs leave is all there is.
    ideal = rows.get("ideal") or rows.get("none")

    def at_most(what, value, target):
        if value > target:
            missed.append(f"{what} {value:.4g}, the target at most {target:.4g}")

    def at_least(what, value, target):
        if value < target:
            missed.append(f"{what} {value:.4f}, the target at least {target:.4g}")

    apart = "apart", "wakeup"
    if cpus > 1:
        at_most("apart wakeup p99 in us:", worst(bt, apart, "p99") / 1000, APART_P99 / 1000)
    for key in ("wake", "wakeup"), *([apart] if cpus > 1 else []):
        at_most(f"{' '.join(key)} max in us:", worst(bt, key, "max") / 1000, WAKEUP_MAX / 1000)
    if ideal:
        for key, name, target in ((("wake", "wakeup"), "p99", WAKEUP_P99),
                                  (("wake", "request"), "p99", REQUEST_P99),
                                  (("pipe", "pipe"), "mean", PIPE), (("perf", "perf"), "mean", PIPE)):
            at_most(f"{' '.join(key)} {name} times ideal:",
                    worst(bt, key, name) / worst(ideal, key, name), target)
    if "none" in rows:
        key = "hackbench", "hackbench"
        at_most("hackbench times none:", mean(bt, key) / mean(rows["none"], key), HACKBENCH)
    for test in "pipe", "wake", "hackbench":
        beside = bt[test, "beside"]
        # Where online work has everything there is nothing to share.
        left = [one.left for one in beside if one.all - one.online > 0.05 * one.all]
        if left:
            at_least(f"{test}: share of the hogs in what is left:", min(left), HOGS)
        at_least(f"{test}: busy:", min(one.busy for one in beside), BUSY)


def main():
    """Prints the tables."""
    missed = []
    for (cpus, preempt), rows in read(sys.argv[1]).items():
        print(f"\n{cpus} CPU{'s' * (cpus > 1)}, preempt={preempt}, two hogs a CPU; mean / p99 / max in us, "
              "hackbench in s\n")
        table(rows)
        here = []
        check(cpus, rows, here)
        missed += [f"{cpus} CPUs, {preempt}: {line}" for line in here]
    print("\nEach figure is that of the worst repetition, of hackbench the mean of all. perf: perf bench\n"
          "sched pipe. apart: wake-ups of a worker on CPU 1, where two hogs are, by CPU 0. The last columns:\n"
          "the hogs' share of what the online work left, and of all cycles those that were used.")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
