# SPDX-License-Identifier: GPL-2.0
"""A limit that drops far below what is cached, while everybody reads and writes.

What made page cache limits infamous: all tasks reclaim, none gets on, and ps(1) hangs.
"""

import contextlib
import os
import pathlib
import resource
import subprocess
import threading
import time

import disks
import limit
import pagecache
import pytest
import streams
from clock import is_deterministic, short_turns
from pagecache import Sampler, counted, percent, size
from sched import waits_of
from target import SCALE, helper

TASKS = 64
HIGH, LOW = 60, 10

# Of writers: else they are held by the kernel, which doesn't let more become dirty than it can write.
PAUSE_US = "20000"

# Milliseconds: what a task may be held up, and how soon the cache is under the new limit. Where time
# isn't the machine's own, other machines' work is in it.
STALL_MS = 10 if is_deterministic() else 2000
SHRINK_MS = 1000 if is_deterministic() else 20000


class Storm:
    """64 tasks, and what the longest system call of each took."""

    def __init__(self, place, disk):
        self._words = []
        each = size(60) * 2 // TASKS
        for number in range(TASKS // 2):
            streams.holes(place, each, f"read{number}")
            self._words += ["read", str(place / f"read{number}")]
            # A disk that takes everything: the tasks write and sync nothing.
            self._words += ["write", str(disk)]
        self.calls = 0
        self.results = []

    @contextlib.contextmanager
    def running(self):
        """While the block runs, which gets a function: only what comes after its call is measured."""
        command = [helper("storm"), "600", "64", PAUSE_US, *self._words]
        with waits_of("storm") as waits, \
                subprocess.Popen(command, text=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout.readline() == "ready\n"

                def measure():
                    process.stdin.write("now\n")
                    process.stdin.flush()

                yield measure
                text, _ = process.communicate(timeout=30 * SCALE)
            finally:
                process.kill()
        assert process.returncode == 0
        self.results = []
        for line in text.splitlines():
            kind, calls, pid, *numbers = line.split()
            longest = 0
            for taken, wall, end in zip(*[iter(map(int, numbers))] * 3):
                waited = waits.between(int(pid), end - wall, end)
                longest = max(longest, min(taken, wall - waited))
            self.results.append((kind, int(calls), longest))

    def longest_ms(self, kind):
        """Of all tasks of a kind, without the time that they waited for a CPU."""
        return max(result[2] for result in self.results if result[0] == kind) / 1e6

    def all_worked(self):
        """None was left out."""
        return all(result[1] > 0 for result in self.results)


class Unrelated:
    """ps(1), over and over, by somebody who has the CPU when he wants it."""

    def __init__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.times = []
        # Those that had to read themselves from the disk, whose time isn't the guest's alone: they
        # were reclaimed, or ran for the first time.
        self.disk_times = []

    @staticmethod
    def _reads():
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock

    def _run(self):
        # This thread, and what it starts.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(40))
        while not self._stop.is_set():
            start, reads = time.monotonic(), self._reads()
            subprocess.run(["ps", "-e", "-o", "pid,stat,wchan:20,comm"], check=True,
                           capture_output=True)
            took = time.monotonic() - start
            if self._reads() == reads:
                self.times.append((start, took))
            else:
                self.disk_times.append(took)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def between(self, start, end):
        """What those took that ran at some time between: half of them at most, and all at most."""
        took = sorted(1000 * took for begin, took in self.times
                      if begin + took >= start and begin <= end)
        return took[len(took) // 2], took[-1]


@pytest.fixture
def arena(place):
    """Files to read, and a disk to write to, with little read ahead: a call is short then."""
    disk = disks.scratch_disk()
    with disks.null_disk(4 * size(100), irqmode=0) as null, \
            pagecache.setting(f"/sys/block/{disk.name}/queue/read_ahead_kb", 128), \
            pagecache.setting(f"/sys/block/{null.name}/queue/read_ahead_kb", 128), \
            pagecache.vm("dirty_background_ratio", 5), pagecache.vm("dirty_ratio", 50), short_turns():
        yield Storm(place, null)


def reached(samples, pages, start):
    """When what counts was first at most so many pages, in milliseconds after `start`."""
    for row in samples.rows:
        if row["time_ns"] >= start and counted(row) <= pages:
            return (row["time_ns"] - start) / 1e6
    raise AssertionError("it never was")


@pytest.mark.limit(120)
@pytest.mark.parametrize("mode", [pytest.param(0, id="sync"),
                                  pytest.param(1, id="async", marks=pytest.mark.long)])
def test_limit_that_drops_in_a_storm(pclimit, arena, note, mode):
    """No task is held up for long, nor is who has nothing to do with it; and the limit holds soon."""
    limit.write("limit_ratio", HIGH)
    limit.write("limit_async", mode)
    with arena.running() as measure:
        time.sleep(0.3)
        measure()
        time.sleep(0.5)
    quiet = {kind: arena.longest_ms(kind) for kind in ("read", "write")}
    note("quiet_ms", quiet)
    streams.fio_8_reads(pathlib.Path("/scratch"), size(HIGH) // 8 * 8)
    assert limit.usage() > percent(HIGH - 5)

    with Sampler() as sampler, Unrelated() as unrelated, arena.running() as measure:
        time.sleep(0.5)
        measure()
        start = time.monotonic()
        disks.run("chrt", "--fifo", "30", "sysctl", f"vm.pagecache_limit_ratio={LOW}")
        written = time.monotonic()
        time.sleep(1)
        end = time.monotonic()
    took = reached(sampler.samples, percent(LOW + 1), int(start * 1e9))
    longest = {kind: arena.longest_ms(kind) for kind in quiet}
    note("longest_ms", longest)
    note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
    note("sysctl_ms", 1000 * (written - start))
    note("shrunk_ms", took)
    before, after = unrelated.between(0, start), unrelated.between(start, end)
    note("ps_before_ms", before)
    note("ps_ms", after)
    note("ps_from_disk_ms", [round(1000 * took) for took in unrelated.disk_times])
    assert arena.all_worked()
    # What a call takes by itself isn't a stall.
    assert longest["read"] <= quiet["read"] + STALL_MS
    assert longest["write"] <= quiet["write"] + STALL_MS
    assert took <= SHRINK_MS
    assert after[0] <= before[0] * 1.5
    assert after[1] <= before[1] * 2 + STALL_MS
    later = sampler.samples.since(int((start + SHRINK_MS / 1000) * 1e9))
    assert later.largest(counted) <= percent(LOW + (1 if mode == 0 else 5))


@pytest.mark.limit(120)
def test_storm_at_the_limit(pclimit, arena, note):
    """Everybody pays, nobody for long; and the limit holds."""
    limit.write("limit_ratio", LOW)
    with Sampler() as sampler, arena.running() as measure:
        time.sleep(0.3)
        measure()
        time.sleep(1.5)
    longest = {kind: arena.longest_ms(kind) for kind in ("read", "write")}
    note("longest_ms", longest)
    note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
    note("counted_percent", sampler.samples.largest(counted) / percent(1))
    assert arena.all_worked()
    assert max(longest.values()) <= STALL_MS
    assert sampler.samples.largest(counted) <= percent(LOW + 1)


def waiting():
    """Tasks in uninterruptible sleep, and where."""
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name, rest = text.split("(", 1)[1].rsplit(")", 1)
        if rest.split()[0] == "D":
            found.append(name)
    return found


@pytest.mark.long
@pytest.mark.limit(120)
def test_no_pile_of_waiting_tasks(pclimit, arena, note):
    """What made load averages of 90: tasks in D state."""
    most = {0: [], LOW: []}
    for ratio, found in most.items():
        limit.write("limit_ratio", ratio)
        with arena.running():
            end = time.monotonic() + 1
            while time.monotonic() < end:
                found.append(len(waiting()))
                time.sleep(0.02)
        note(f"waiting_at_{ratio}", (max(found), round(sum(found) / len(found), 1)))
    # On the average, as the load is one.
    average = {ratio: sum(found) / len(found) for ratio, found in most.items()}
    assert average[LOW] <= average[0] + TASKS / 16
