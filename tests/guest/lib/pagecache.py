# SPDX-License-Identifier: GPL-2.0
"""Measuring the page cache: now, over time, and of one file."""

import contextlib
import os
import pathlib
import subprocess

from target import SCALE, helper

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
PAGES_PER_MIB = MIB // PAGE

PERIOD = 0.01


def memory():
    """The machine's memory in pages, as pclimit's percentages mean it."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024 // PAGE
    raise AssertionError("no MemTotal")


def percent(number):
    """Pages of that many percent of the memory."""
    return memory() * number // 100


def mib(pages):
    """For people."""
    return round(pages / PAGES_PER_MIB, 1)


def size(share):
    """That many percent of the memory, in MiB."""
    return int(mib(percent(share)))


def vmstat():
    """The kernel's own counters."""
    return {name: int(value) for name, value in
            (line.split() for line in pathlib.Path("/proc/vmstat").read_text().splitlines())}


def in_files(counters):
    """Pages of files in the page cache, by the kernel's counters: not of tmpfs or swap."""
    return counters["nr_file_pages"] - counters["nr_shmem"] - counters["nr_swapcached"]


def counted(counters):
    """Of those, the ones that are as they are on the disk."""
    return in_files(counters) - counters["nr_dirty"] - counters["nr_writeback"]


def drop_caches():
    """Empties the page cache, but for what is mapped or dirty."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def resident(*paths):
    """What share of the files is in memory, by fincore(1)."""
    done = subprocess.run(["fincore", "--bytes", "--noheadings", "--raw", "--output", "RES,SIZE",
                           *map(str, paths)], capture_output=True, text=True, check=True,
                          timeout=30 * SCALE)
    rows = [[int(number) for number in line.split()] for line in done.stdout.splitlines()]
    assert len(rows) == len(paths), done.stdout
    return sum(row[0] for row in rows) / sum(row[1] for row in rows)


class Samples:
    """What a sampler saw."""

    def __init__(self, text):
        header, *lines = text.splitlines()
        names = header.split(",")
        self.rows = [dict(zip(names, map(int, line.split(",")))) for line in lines]
        assert self.rows, "no samples"

    def largest(self, value):
        """The largest of what `value` makes of the counters, in pages."""
        return max(map(value, self.rows))

    def smallest(self, value):
        """The smallest."""
        return min(map(value, self.rows))

    def usage(self):
        """The largest number of pages that count: by pclimit itself and by the counters."""
        return max(self.largest(counted), self.largest(lambda row: row["pclimit"]))

    def longest_above(self, pages):
        """The longest time, in seconds, for which more pages than that counted."""
        longest, begin = 0, None
        for row in self.rows:
            if max(counted(row), row["pclimit"]) <= pages:
                begin = None
                continue
            begin = begin or row["time_ns"]
            longest = max(longest, row["time_ns"] + PERIOD * 1e9 - begin)
        return longest / 1e9

    def since(self, time_ns):
        """Those from a time of CLOCK_MONOTONIC on."""
        later = Samples.__new__(Samples)
        later.rows = [row for row in self.rows if row["time_ns"] >= time_ns]
        assert later.rows, "no samples"
        return later

    def longest_gap(self):
        """The longest time without a look, in seconds."""
        times = [row["time_ns"] for row in self.rows]
        return max((b - a for a, b in zip(times, times[1:])), default=0) / 1e9


class Sampler:
    """Looks at the counters while the block runs; `samples` has them afterwards."""

    def __init__(self):
        self.samples = None
        self._process = None

    def __enter__(self):
        # pylint: disable=consider-using-with
        self._process = subprocess.Popen([helper("sampler"), str(int(PERIOD * 1e6))], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *exception):
        try:
            text, _ = self._process.communicate(timeout=30 * SCALE)
        finally:
            self._process.kill()
            self._process.wait()
        assert self._process.returncode == 0
        if exception[0] is None:
            self.samples = Samples(text)


@contextlib.contextmanager
def setting(path, value):
    """A file of the kernel that holds another value for a while."""
    path = pathlib.Path(path)
    before = path.read_text().strip()
    path.write_text(str(value))
    try:
        yield
    finally:
        path.write_text(before)


def vm(name, value):
    """The same, for a file of /proc/sys/vm."""
    return setting(f"/proc/sys/vm/{name}", value)


def mglru(on):
    """The same, for the multi-generational LRU."""
    return setting("/sys/kernel/mm/lru_gen/enabled", "y" if on else "n")
