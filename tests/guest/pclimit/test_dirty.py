# SPDX-License-Identifier: GPL-2.0
"""Dirty pages: what of them counts, and what becomes of those who make them."""

import contextlib
import resource
import signal
import subprocess
import time

import disks
import limit
import pagecache
import pytest
import streams
from pagecache import Sampler, in_files, percent, size
from target import SCALE

# In MiB/s of the machine's own time, which on an emulated one is slow.
SPEED = 100
RATIO = 10


@contextlib.contextmanager
def slow_disk(speed=SPEED):
    """One that a writer outruns by far."""
    with disks.null_disk(size(100), mbps=speed, irqmode=2, completion_nsec=20000) as device:
        yield device


@contextlib.contextmanager
def writer(device, size_mib):
    """dd, which fills the cache with dirty pages."""
    with subprocess.Popen(["dd", "if=/dev/zero", f"of={device}", "bs=128k",
                           f"count={size_mib * 8}"], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def nobody_writes():
    """Dirty pages stay dirty."""
    with pagecache.vm("dirty_ratio", 80), pagecache.vm("dirty_background_ratio", 70), \
            pagecache.vm("dirty_expire_centisecs", 360000), \
            pagecache.vm("dirty_writeback_centisecs", 0):
        yield


@pytest.mark.parametrize("ignore, share", [
    (0, 1), (1, 0), (2, 1 / 2), (4, 3 / 4), (100, 0.99), (-1, 1)])
def test_what_of_dirty_pages_counts(pclimit, place, ignore, share):
    """All of them, none, or all but one in so many; the number is taken as unsigned."""
    with nobody_writes():
        limit.write("limit_ignore_dirty", 1)
        clean = limit.usage()
        streams.dd_writes(place, size(10))
        dirty = pagecache.vmstat()["nr_dirty"]
        assert dirty >= percent(9)
        limit.write("limit_ignore_dirty", ignore)
        assert limit.usage() - clean == pytest.approx(dirty * share, abs=percent(1) / 2)


@pytest.mark.limit(120)
def test_writer_is_held_at_the_limit(pclimit, note):
    """One that outruns the disk, if dirty pages count: it runs at the disk's speed then."""
    limit.write("limit_ignore_dirty", 0)
    limit.write("limit_ratio", RATIO)
    data = size(25)
    with slow_disk() as device, Sampler() as sampler:
        start = time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with writer(device, data) as process:
            assert process.wait(100 * SCALE) == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = time.monotonic() - start
    cpu = after.ru_stime - before.ru_stime
    over = sampler.samples.largest(in_files) - percent(RATIO)
    note("overshoot_percent", round(over / percent(1), 2))
    note("seconds", seconds)
    note("cpu_seconds", cpu)
    assert over <= percent(1)
    # It waits, and doesn't spin: nor does it wait for longer than the disk takes. With checkers in the
    # kernel the disk's driver takes longer than the disk, without a limit as well.
    if SCALE == 1:
        assert seconds < 1.5 * data / SPEED + 1
        assert cpu < seconds / 2


def test_same_writer_goes_beyond_the_limit_if_dirty_pages_do_not_count(pclimit, note):
    """Or the test before this one would prove nothing."""
    limit.write("limit_ratio", RATIO)
    with slow_disk() as device, Sampler() as sampler:
        with writer(device, size(25)) as process:
            assert process.wait(50 * SCALE) == 0
    over = sampler.samples.largest(in_files) - percent(RATIO)
    note("overshoot_percent", round(over / percent(1), 2))
    assert over > percent(2)


def test_killed_writer_is_gone_at_once(pclimit):
    """However slow the disk."""
    limit.write("limit_ignore_dirty", 0)
    limit.write("limit_ratio", RATIO)
    with slow_disk(20) as device, open(device, "rb"), writer(device, size(60)) as process:
        # The last one who closes the disk would wait until all is written, limit or not.
        deadline = time.monotonic() + 30 * SCALE
        while limit.usage() < percent(RATIO) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGKILL)
        assert process.wait(10 * SCALE) == -signal.SIGKILL
        assert time.monotonic() - start < 1 * SCALE


def test_reader_does_not_wait_for_a_slow_disk(pclimit, place, note):
    """That is for who writes: others go on, at the price of the limit."""
    limit.write("limit_ignore_dirty", 0)
    limit.write("limit_ratio", RATIO)
    streams.holes(place, size(10))
    with slow_disk(40) as device, writer(device, size(60)):
        deadline = time.monotonic() + 30 * SCALE
        while limit.usage() < percent(RATIO) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert limit.usage() >= percent(RATIO - 1)
        start = time.monotonic()
        disks.run("dd", f"if={place / 'holes'}", "of=/dev/null", "bs=128k")
        seconds = time.monotonic() - start
    note("seconds", seconds)
    assert seconds < 5 * SCALE


def test_locked_memory_holds_nobody_up(pclimit, place, note):
    """More of it than the limit allows: it can't be reclaimed, so it isn't tried for long."""
    path = place / "locked"
    streams.dd_writes(place, 1)
    disks.run("fallocate", "-l", f"{size(15)}M", path)
    # khugepaged unmaps what it makes huge, locked or not, and leaves it to the next fault to map it
    # again: the kernel may reclaim it until then. So not of this process.
    locker = ("import ctypes, mmap, os, sys\n"
              "PR_SET_THP_DISABLE = 41\n"
              "libc = ctypes.CDLL(None)\n"
              "assert libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0\n"
              "file = os.open(sys.argv[1], os.O_RDWR)\n"
              "size = os.fstat(file).st_size\n"
              "memory = mmap.mmap(file, size)\n"
              "address = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n"
              "assert libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0\n"
              "print('locked', flush=True)\n"
              "sys.stdin.read()\n")
    with subprocess.Popen(["python3", "-c", locker, path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        assert pagecache.vmstat()["nr_mlock"] >= percent(14)
        start = time.monotonic()
        limit.write("limit_ratio", RATIO)
        streams.dd_reads(place, size(40))
        note("seconds", time.monotonic() - start)
        note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
        assert limit.usage() <= percent(RATIO + 1)
        assert pagecache.resident(path) == 1
        process.communicate()


def test_who_inserts_looks_at_no_more_than_it_pays_for(pclimit, place, note):
    """Much that isn't to be freed where reclaim looks first, such as mapped pages."""
    mapper = ("import mmap, os, sys\n"
              "file = os.open(sys.argv[1], os.O_RDONLY)\n"
              "while os.read(file, 1 << 20): pass\n"
              "memory = mmap.mmap(file, int(sys.argv[2]), prot=mmap.PROT_READ)\n"
              "sum(memory[::4096])\n"
              "print('mapped', flush=True)\n"
              "sys.stdin.read()\n")
    data = streams.holes(place, size(25))
    mapped = size(7)
    # Page by page: one look takes in as many as 64 folios, of whatever size.
    with disks.null_disk(mapped) as device, \
            pagecache.setting(f"/sys/block/{device.name}/queue/read_ahead_kb", 4), \
            open(device, "rb"), \
            subprocess.Popen(["python3", "-c", mapper, device, str(mapped * pagecache.MIB)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "mapped\n"
        assert pagecache.vmstat()["nr_mapped"] >= percent(6)
        limit.write("limit_ratio", RATIO)
        with limit.reclaims_by("dd") as calls:
            disks.run("dd", f"if={data}", "of=/dev/null", "bs=128k")
        process.communicate()
    note("calls", len(calls))
    # 160 are asked for. The last look may be at 64 more, and some of those are large: of programs.
    vain = [call["scanned"] for call in calls if not call["reclaimed"]]
    note("vain", len(vain))
    note("most", max(vain, default=0))
    note("stall_max_ms", limit.stats()["stall_max_ns"] / 1e6)
    assert max(vain, default=0) <= 160 + 64 + 8 * 32
    assert limit.usage() <= percent(RATIO + 1)


def unused_names():
    """Names that were looked up and aren't there, which the kernel remembers in slab memory."""
    with open("/proc/sys/fs/dentry-state", encoding="ascii") as file:
        return int(file.read().split()[4])


@pytest.mark.parametrize("ignore", [0, 1])
def test_slab_memory(pclimit, place, note, ignore):
    """Counts, and is reclaimed, only if it isn't ignored."""
    limit.write("limit_ignore_slab", 1)
    files = limit.usage()
    limit.write("limit_ignore_slab", ignore)
    counters = pagecache.vmstat()
    slab = counters["nr_slab_reclaimable"] + counters["nr_slab_unreclaimable"]
    assert limit.usage() - files == pytest.approx(0 if ignore else slab, abs=percent(1) / 2)

    for number in range(50_000):
        (place / f"no such file {number}").exists()
    before = unused_names()
    assert before >= 50_000
    streams.dd_reads(place, size(30))
    # Not left to readers: they read ahead with the file system's locks held, which slab memory's
    # users may need.
    limit.write("limit_ratio", RATIO)
    after = unused_names()
    note("names", (before, after))
    if ignore:
        assert after > before * 0.9
    else:
        assert after < before * 0.9
