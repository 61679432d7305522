# SPDX-License-Identifier: GPL-2.0
"""A container's memory."""

import os

import pytest
from cgroup import Cgroup
from container import CONTROLLERS, Container
from disks import filesystem
from target import wait_until

MIB = 1 << 20
HOG = """
import time
memory = b"1" * {size}
print("ready", flush=True)
time.sleep(1000)
"""


def near(value, wanted, share=0.02, slack=1024):
    """Within 2 %, or 1 MiB."""
    return abs(value - wanted) <= max(share * wanted, slack)


def test_the_limit_is_the_total(container):
    """meminfo, sysinfo(2) and free agree with memory.max and memory.current."""
    info = container.meminfo()
    assert info["MemTotal"] == 256 * 1024
    assert near(info["MemFree"], info["MemTotal"] - container.number("memory.current") // 1024)
    assert info["MemFree"] <= info["MemAvailable"] <= info["MemTotal"]
    free = container.run("free", "-k").splitlines()[1].split()
    assert int(free[1]) == 256 * 1024
    program = ("import os; print(os.sysconf('SC_PHYS_PAGES') * 4, os.sysconf('SC_AVPHYS_PAGES') * 4)")
    total, available = map(int, container.python(program).split())
    assert total == 256 * 1024
    assert near(available, info["MemFree"], slack=16384)


def test_what_is_allocated_is_seen(container):
    """100 MiB of anonymous memory are in AnonPages, and no longer free."""
    before = container.meminfo()
    hog = container.start("python3", "-c", HOG.format(size=100 * MIB), stdout=-1, text=True)
    assert hog.stdout.readline() == "ready\n"
    after = container.meminfo()
    assert near(after["AnonPages"] - before["AnonPages"], 100 * 1024, 0.06)
    stat = container.numbers("memory.stat")
    for name, kept in {"AnonPages": "anon", "Mapped": "file_mapped", "Dirty": "file_dirty",
                       "Shmem": "shmem", "PageTables": "pagetables", "Slab": "slab",
                       "Active(anon)": "active_anon", "Inactive(file)": "inactive_file",
                       "AnonHugePages": "anon_thp"}.items():
        assert near(after[name], stat[kept] // 1024), (name, after[name], stat[kept] // 1024)
    assert near(after["MemFree"], 256 * 1024 - container.number("memory.current") // 1024)


def test_cached_files_are_available(container):
    """What files have in the cache isn't free, but available."""
    with filesystem("ext4") as place:
        container.run("dd", "if=/dev/zero", f"of={place}/file", "bs=1M", "count=64")
        check_cache(container)


def check_cache(container):
    """Of 64 MiB that were written."""
    wait_until(lambda: container.meminfo()["Cached"] > 60 * 1024, "the cache is counted")
    wait_until(lambda: container.meminfo()["Dirty"] < 1024 or os.sync(), "it is clean")
    info = container.meminfo()
    assert info["MemAvailable"] > info["MemFree"] + 55 * 1024
    assert near(info["Cached"], container.numbers("memory.stat")["file"] // 1024)


@pytest.mark.limit(120)
def test_the_tightest_limit_up_the_tree_counts(isolation):  # pylint: disable=unused-argument
    """Seven levels: each sees the least of its own limit and those above."""
    limits = ["max", 500, 600, "max", 400, "max", 900]
    groups = []
    try:
        parent, least = None, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
        for level, limit in enumerate(limits):
            value = limit if limit == "max" else limit * MIB
            group = Cgroup(f"level{level}", parent, memory_max=value).__enter__()
            groups.append(group)
            if limit != "max":
                least = min(least, limit)
            with Container("box", group) as box:
                # Processes only where there are no controllers for children.
                assert box.meminfo()["MemTotal"] // 1024 == least, level
            group.delegate(CONTROLLERS)
            parent = group
    finally:
        for group in reversed(groups):
            group.remove()


def test_a_limit_that_changes_is_seen_at_once(container):
    """Also above the machine's memory, which then is the total."""
    container.write("memory.max", 128 * MIB)
    assert container.meminfo()["MemTotal"] == 128 * 1024
    container.write("memory.max", 1 << 50)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    assert container.meminfo()["MemTotal"] == machine


def test_use_above_the_limit_is_no_underflow(container):
    """memory.max below what is locked in memory: free is 0."""
    hog = container.start("python3", "-c", HOG.format(size=64 * MIB), stdout=-1, text=True)
    assert hog.stdout.readline() == "ready\n"
    container.write("memory.oom.group", 0)
    # High doesn't kill, so usage may stay above; it isn't a limit, so the total stays.
    container.write("memory.high", 16 * MIB)
    info = container.meminfo()
    assert 0 <= info["MemFree"] <= info["MemTotal"] == 256 * 1024


def test_vmstat_has_the_same_numbers(container):
    """By name, in pages."""
    container.run("python3", "-c", "a = bytearray(20 << 20)")
    numbers = dict(line.split() for line in container.cat("/proc/vmstat").splitlines())
    stat = container.numbers("memory.stat")
    assert near(int(numbers["nr_anon_pages"]) * 4, stat["anon"] // 1024)
    assert near(int(numbers["nr_file_pages"]) * 4, stat["file"] // 1024)
    assert near(int(numbers["pgfault"]), stat["pgfault"], slack=3000)
    assert near(int(numbers["nr_free_pages"]) * 4, container.meminfo()["MemFree"])
