# SPDX-License-Identifier: GPL-2.0
"""The cache stays under its limit, whatever fills it, looked at every 10 ms."""

import contextlib
import random
import time

import disks
import limit
import pagecache
import pytest
import streams
from pagecache import Sampler, counted, mib, percent
from target import SCALE

# In percent of the memory: what is read or written, and the limit. Written pages don't count before
# the disk has them, which makes steps of what the kernel writes at a time.
READ, READ_LIMIT = 40, 10
WRITE, WRITE_LIMIT = 60, 20

# MiB, and the limit, of the streams that take long.
LONG, LONG_LIMIT = 4096, 20

# What is dirty when all is written at once, and the limit; and the disk's speed then, in MB/s.
DIRTY, DIRTY_LIMIT = 20, 10
# For how long, in seconds, what is written at once may be above the limit.
LATE = 0.1
DISK_SPEED = 1000

# How far above the limit the cache may be at any time.
TOLERANCE = 1


def size(share):
    """That share of the memory, in MiB, for up to 8 files alike."""
    return pagecache.size(share) // 8 * 8


def watch(note, stream, *arguments):
    """Runs a stream; what was seen meanwhile."""
    with Sampler() as sampler:
        stream(*arguments)
    samples = sampler.samples
    note("counted_mib", mib(samples.largest(counted)))
    note("all_mib", mib(samples.largest(pagecache.in_files)))
    note("free_mib", mib(samples.smallest(lambda row: row["nr_free_pages"])))
    note("samples", len(samples.rows))
    note("longest_gap_ms", round(samples.longest_gap() * 1000))
    return samples


ALL = {**{name: (stream, READ, READ_LIMIT) for name, stream in streams.READS.items()},
       **{name: (stream, WRITE, WRITE_LIMIT) for name, stream in streams.WRITES.items()}}


@pytest.mark.parametrize("place, place_kind", [
    pytest.param("ext4", "ext4", id="ext4"), pytest.param("xfs", "xfs", id="xfs", marks=pytest.mark.long)],
    indirect=["place"])
@pytest.mark.parametrize("name", ALL)
def test_stream_stays_under_the_limit(pclimit, place, place_kind, note, name):
    """Never above it by more than 1 % of the memory; where XFS finds much written at once, not for long."""
    stream, share, ratio = ALL[name]
    limit.write("limit_ratio", ratio)
    free = pagecache.vmstat()["nr_free_pages"]
    samples = watch(note, stream, place, size(share))
    note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
    note("above_s", samples.longest_above(percent(ratio + TOLERANCE)))
    if share == WRITE and place_kind == "xfs":
        assert samples.longest_above(percent(ratio + TOLERANCE)) < LATE * SCALE
    else:
        assert samples.usage() <= percent(ratio + TOLERANCE)
    if share == READ:
        # What isn't page cache stayed free, but for what fio needs itself, a hundred MiB.
        assert samples.smallest(lambda row: row["nr_free_pages"]) >= free - percent(ratio + 8)
        assert samples.rows[-1]["pgscan_kswapd"] == samples.rows[0]["pgscan_kswapd"]


@pytest.mark.long
@pytest.mark.limit(600)
@pytest.mark.parametrize("mode", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize("place", ["ext4", "xfs"], indirect=True)
@pytest.mark.parametrize("name", ALL)
def test_long_stream_in_a_small_machine(pclimit, place, note, name, mode):
    """Many times its memory: what holds for a short one holds in the end."""
    limit.write("limit_ratio", LONG_LIMIT)
    limit.write("limit_async", mode)
    samples = watch(note, ALL[name][0], place, LONG)
    over = samples.usage() - percent(LONG_LIMIT)
    note("over_percent", round(over / percent(1), 2))
    note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
    # The thread may be late by as much as it frees at a time.
    assert over <= percent(TOLERANCE if mode == 0 else 3)


@pytest.mark.parametrize("name", ALL)
def test_same_stream_without_the_module_does_not(pclimit_module, place, note, name):
    """Or the test before this one would prove nothing."""
    stream, share, ratio = ALL[name]
    samples = watch(note, stream, place, size(share))
    assert samples.largest(counted) > percent(ratio + 5)


@contextlib.contextmanager
def steady_disk(kind):
    """A file system on a disk whose speed is part of the machine's own time: how much it's done with
    while the worker sleeps doesn't depend on what the host does."""
    # ext4 doesn't let half of what is free become dirty; the rest takes no memory.
    with disks.null_disk(size(100), memory_backed=1, irqmode=2, completion_nsec=20000,
                         mbps=DISK_SPEED) as device, \
            disks.filesystem(kind, disk=device) as path:
        yield path


def written_at_once(path, note):
    """Most pages that count while much that is dirty is written, and nobody inserts anything."""
    # As much dirty memory as there may be at once.
    with pagecache.vm("dirty_ratio", 60), pagecache.vm("dirty_background_ratio", 50):
        streams.dd_writes(path, size(DIRTY))
        dirty = pagecache.vmstat()["nr_dirty"]
        assert dirty > percent(DIRTY - 2)
        with Sampler() as sampler:
            disks.run("sync")
            time.sleep(0.5)
    samples = sampler.samples
    note("counted_mib", mib(samples.largest(counted)))
    note("writeback_mib", mib(samples.largest(lambda row: row["nr_writeback"])))
    return samples


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_written_pages_count_when_the_disk_has_them(pclimit, note, kind):
    """Nobody inserts anything any more then."""
    limit.write("limit_ratio", DIRTY_LIMIT)
    with steady_disk(kind) as path:
        samples = written_at_once(path, note)
    above = samples.longest_above(percent(DIRTY_LIMIT + TOLERANCE))
    note("above_s", above)
    # A filesystem may find hundreds of MiB written at once, as XFS does that has a worker for it.
    assert above < LATE * SCALE


def test_same_pages_without_a_limit_do_not(pclimit_module, note):
    """Or the test before this one would prove nothing."""
    with steady_disk("ext4") as path:
        samples = written_at_once(path, note)
    assert samples.longest_above(percent(DIRTY_LIMIT + TOLERANCE)) > 2 * LATE


def test_limit_in_bytes(pclimit, place, note):
    """Holds as a ratio does, and not only in steps of 1 %."""
    pages = percent(10) + percent(1) // 3
    limit.write("limit_bytes", pages * pagecache.PAGE)
    samples = watch(note, streams.dd_reads, place, size(READ))
    assert pages * 3 // 4 < samples.usage() <= pages + percent(TOLERANCE)


def test_no_limit_is_no_limit(pclimit, place, note):
    """The module alone does nothing, and one that is taken away does nothing any more."""
    before = limit.stats()
    limit.write("limit_ratio", 10)
    limit.write("limit_ratio", 0)
    samples = watch(note, streams.dd_reads, place, size(READ))
    assert samples.largest(counted) > percent(READ - 1)
    assert limit.stats()["reclaim_insert"] == before["reclaim_insert"]
    assert limit.stats()["nr_limit"] == 0


def test_far_below_the_limit_nothing_is_reclaimed(pclimit, place):
    """And the machine's counters are looked at rarely."""
    limit.write("limit_ratio", 90)
    pages = size(READ) * pagecache.PAGES_PER_MIB
    streams.dd_reads(place, size(READ))
    stats = limit.stats()
    assert stats["reclaim_insert"] == stats["reclaim_kswapd"] == 0
    assert 0 < stats["checks"] < pages / 200


def test_lower_limit_shrinks_the_cache_at_once(pclimit, place, note):
    """In the task that writes it, which returns when it's done."""
    streams.dd_reads(place, size(READ))
    assert limit.usage() > percent(READ - 1)
    start = time.monotonic()
    limit.write("limit_ratio", 15)
    note("seconds", time.monotonic() - start)
    assert limit.usage() <= percent(15)
    assert counted(pagecache.vmstat()) <= percent(16)
    limit.write("limit_bytes", percent(12) * pagecache.PAGE)
    assert limit.usage() <= percent(12)


@pytest.mark.parametrize("margin", [2, 6])
def test_reclaim_ratio_says_how_far_it_goes(pclimit, place, note, margin):
    """By as much below the limit as it is above the ratio."""
    limit.write("limit_ratio", 20)
    limit.write("limit_reclaim_ratio", 20 + margin)
    lowest = percent(100)
    with open(streams.holes(place, size(80)), "rb", buffering=0) as file:
        for read in range(size(80)):
            file.read(pagecache.MIB)
            if read > size(25):
                lowest = min(lowest, limit.usage())
    note("lowest_percent", round(lowest / percent(1), 1))
    assert percent(20 - margin) - percent(1) <= lowest <= percent(20 - margin) + percent(1)


def test_reclaim_begins_near_the_limit_whatever_the_margin(pclimit, place):
    """Even if reclaim_ratio asks for more room than the limit leaves."""
    pagecache.drop_caches()
    limit.write("limit_ratio", 12)
    limit.write("limit_reclaim_ratio", 100)
    streams.dd_reads(place, size(5))
    assert limit.usage() >= percent(5)
    stats = limit.stats()
    assert stats["checks"] > 0
    assert stats["over_limit"] == stats["reclaim_count"] == 0


def test_null_disk_is_limited_as_well(pclimit, note):
    """Reading a disk itself: small folios, which count as files do."""
    with disks.null_disk(size(READ)) as device:
        limit.write("limit_ratio", 10)
        samples = watch(note, disks.run, "dd", f"if={device}", "of=/dev/null", "bs=128k")
        assert samples.usage() <= percent(10 + TOLERANCE)
        limit.write("limit_ratio", 0)
        samples = watch(note, disks.run, "dd", f"if={device}", "of=/dev/null", "bs=128k")
        assert samples.usage() > percent(READ - 1)


def test_direct_io_is_left_alone(pclimit, place):
    """It isn't in the page cache."""
    limit.write("limit_ratio", 10)
    disks.run("dd", "if=/dev/zero", f"of={place / 'data'}", "bs=1M", f"count={size(12)}",
              "oflag=direct")
    disks.run("dd", f"if={place / 'data'}", "of=/dev/null", "bs=1M", "iflag=direct")
    stats = limit.stats()
    assert stats["reclaim_insert"] == 0
    assert stats["stall_count"] == 0


def test_tmpfs_does_not_count_and_stays(pclimit):
    """Files in /dev/shm have nowhere else to be."""
    limit.write("limit_ratio", 10)
    usage = limit.usage()
    path = "/dev/shm/pclimit"
    try:
        block = random.Random(path).randbytes(pagecache.MIB)
        with open(path, "wb", buffering=0) as file:
            for _ in range(size(20)):
                file.write(block)
        sums = disks.run("cksum", path)
        assert abs(limit.usage() - usage) < percent(1)
        stats = limit.stats()
        assert stats["reclaim_insert"] == stats["stall_count"] == 0
        limit.write("limit_ratio", 5)
        assert disks.run("cksum", path) == sums
        assert pagecache.resident(path) == 1
    finally:
        disks.run("rm", "-f", path)


def test_huge_pages_do_not_count(pclimit, tmp_path):
    """Nor files in hugetlbfs."""
    limit.write("limit_ratio", 10)
    pages = size(20) // 2
    with pagecache.vm("nr_hugepages", pages):
        disks.run("mount", "-t", "hugetlbfs", "none", tmp_path)
        try:
            usage = limit.usage()
            disks.run("fallocate", "-l", f"{pages * 2}M", tmp_path / "huge")
            assert abs(limit.usage() - usage) < percent(1)
            stats = limit.stats()
            assert stats["reclaim_insert"] == stats["stall_count"] == 0
        finally:
            disks.unmount(tmp_path)
