# SPDX-License-Identifier: GPL-2.0
"""Loading and unloading: under load, and when something is in the way."""

import errno
import os
import pathlib
import subprocess
import threading
import time

import limit
import linux
import pagecache
import pytest
import streams
from cgroup import Cgroup
from fault import WARNINGS_OF_LOADS, each_failing_load, each_failure, failing_allocations, no_leaks
from hammer import priority
from module import path
from pagecache import Sampler, counted, percent, size
from target import SCALE, helper, wait_until

# A kernel with checkers takes ten times as long for each, and one without hooks.patch waits
# some seconds for all that the load runs before the module is gone.
ROUNDS = 100 if SCALE == 1 and not path("tkhooks") else 20


class Load:
    """Eight readers and four writers, as long as the block runs."""

    def __init__(self, place):
        words = []
        for number in range(8):
            words += ["read", str(streams.holes(place, size(20), f"read{number}"))]
        for number in range(4):
            words += ["write", str(streams.holes(place, 32, f"write{number}"))]
        # pylint: disable=consider-using-with
        self._process = subprocess.Popen([helper("storm"), "600", "128", "0", *words], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.results = []

    def __enter__(self):
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *exception):
        try:
            text, _ = self._process.communicate(timeout=60 * SCALE)
        finally:
            self._process.kill()
            self._process.wait()
        if exception[0] is None:
            assert self._process.returncode == 0
            assert all(int(line.split()[1]) > 0 for line in text.splitlines())

    def children(self):
        """Numbers of the processes that read and write."""
        text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def progress(self):
        """The bytes that each has read or written so far."""
        found = {}
        for pid in self.children():
            lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
            found[pid] = sum(int(line.split()[1]) for line in lines[:2])
        return found

    def all_go_on(self):
        """Whether each process gets something done."""
        before = self.progress()
        assert len(before) == 12

        def done():
            now = self.progress()
            return all(now[pid] > before[pid] for pid in before)

        wait_until(done, "somebody's progress", timeout=20)


@pytest.fixture
def load(place):
    """See Load."""
    with Load(place) as running:
        yield running


@pytest.mark.limit(300)
def test_loads_and_unloads_all_the_time_during_a_stream(pclimit_module, load):
    """Often, with a limit that is reached, in both modes."""
    pclimit_module.load_needed()
    file = os.open(path("pclimit"), os.O_RDONLY)
    reclaimed = 0
    with priority(-10):
        for number in range(ROUNDS):
            assert linux.errno_of(linux.finit_module, file) == 0
            limit.write("limit_ratio", 5 + number % 3)
            if number % 2:
                limit.write("limit_async", 1)
            # At times just long enough for the others to meet the limit.
            time.sleep(0.002 * (number % 10))
            stats = limit.stats()
            reclaimed += sum(stats[f"reclaim_{who}"] for who in ("insert", "worker", "kpclimitd"))
            assert pclimit_module.remove() == 0
            assert not limit.left()
    os.close(file)
    print(f"reclaimed {reclaimed} times")
    assert reclaimed > ROUNDS
    load.all_go_on()


@pytest.mark.limit(120)
@pytest.mark.parametrize("mode", [0, 1], ids=["sync", "async"])
@pytest.mark.parametrize("ignore_dirty", [1, 0], ids=["clean", "dirty too"])
def test_unloading_under_load_restores_plain_behaviour(pclimit, load, mode, ignore_dirty):
    """Files and thread are gone, nobody waits any more, and nothing is limited."""
    limit.write("limit_ignore_dirty", ignore_dirty)
    limit.write("limit_ratio", 5)
    limit.write("limit_async", mode)
    wait_until(lambda: limit.stats()["over_limit"] > 20, "the load's reaching the limit")
    start = time.monotonic()
    assert pclimit.remove() == 0
    assert time.monotonic() - start < 5 * SCALE
    assert not limit.left()
    load.all_go_on()
    wait_until(lambda: counted(pagecache.vmstat()) > percent(20), "the cache's growth")


def test_unloading_ends_the_write_of_a_limit(pclimit, place):
    """Who waits for the cache to shrink doesn't hold the module."""
    streams.dd_reads(place, size(50))
    errors = []
    fd = os.open(limit.path("limit_ratio"), os.O_RDWR)

    def write():
        for ratio in range(40, 1, -1):
            try:
                os.pwrite(fd, str(ratio).encode(), 0)
            except OSError as error:
                errors.append(error.errno)

    writer = threading.Thread(target=write)
    writer.start()
    assert pclimit.remove() == 0
    writer.join(20 * SCALE)
    assert not writer.is_alive()
    # The file is still open, of a module that is gone.
    assert set(errors) <= {errno.ENOENT}
    assert linux.errno_of(os.pread, fd, 10, 0) == errno.ENOENT
    os.close(fd)
    assert not limit.left()


def test_open_files_do_not_hold_the_module(pclimit):
    """Neither the settings nor the counters."""
    files = [open(name, "rb", buffering=0) for name in  # pylint: disable=consider-using-with
             (limit.path("limit_ratio"), limit.path(limit.USAGE), limit.STATS)]
    for file in files:
        file.read(10)
    assert pclimit.remove() == 0
    for file in files:
        assert linux.errno_of(os.pread, file.fileno(), 10, 0) in (errno.ENOENT, errno.EIO, errno.ENODEV)
        file.close()
    assert not limit.left()


def test_loading_twice_says_that_it_exists(pclimit):
    """And the first stays as it is."""
    limit.write("limit_ratio", 90)
    assert pclimit.insert() == errno.EEXIST
    assert limit.read("limit_ratio") == 90


@pytest.mark.long
@pytest.mark.limit(120)
def test_processors_come_and_go(pclimit, load):
    """The limit is kept whichever of them insert."""
    online = pathlib.Path("/sys/devices/system/cpu/cpu1/online")
    if not online.exists():
        pytest.skip("this machine has one CPU")
    limit.write("limit_ratio", 10)
    with Sampler() as sampler:
        for _ in range(10):
            with pagecache.setting(online, 0):
                time.sleep(0.2)
            time.sleep(0.2)
    # And what is written counts only when the disk has it, much at a time.
    assert sampler.samples.largest(counted) <= percent(15)
    load.all_go_on()


@pytest.mark.limit(120)
def test_settings_change_all_the_time_under_load(pclimit, load):
    """All of them, by several at once. The lowest limit leaves some room beside what the load has dirty:
    with less, these programs' own code goes all the time, and they take minutes."""
    script = """
        draw=$1; end=$((SECONDS + 3))
        while ((SECONDS < end)); do
            draw=$(((draw * 1103515245 + 12345) & 0x7fffffff))
            value=$((draw >> 16))
            case $((draw >> 8 & 7)) in
            0 | 1) echo $((10 + value % 20)) >/proc/sys/vm/pagecache_limit_ratio ;;
            2) echo $((value & 1)) >/proc/sys/vm/pagecache_limit_async ;;
            3) echo $((value % 3)) >/proc/sys/vm/pagecache_limit_ignore_dirty ;;
            4) echo $((value & 1)) >/proc/sys/vm/pagecache_limit_ignore_slab ;;
            5) echo $((value % 100)) >/proc/sys/vm/pagecache_limit_reclaim_ratio ;;
            6) echo $(((200 + value % 300) << 20)) >/proc/sys/vm/pagecache_limit_bytes ;;
            7) echo 0 >/proc/sys/vm/pagecache_limit_ratio ;;
            esac
        done 2>/dev/null"""
    writers = [subprocess.Popen(["bash", "-c", script, "bash", str(seed)]) for seed in range(4)]
    for writer in writers:
        writer.wait(60 * SCALE)
    load.all_go_on()
    limit.write("limit_async", 0)
    limit.write("limit_ignore_dirty", 1)
    limit.write("limit_ignore_slab", 1)
    limit.write("limit_ratio", 10)
    wait_until(lambda: counted(pagecache.vmstat()) <= percent(11), "the last limit's effect")


@pytest.mark.limit(300)
def test_each_failing_allocation_of_the_load_leaves_nothing(pclimit_module, kernel_log):
    """The n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    kernel_log.expected = WARNINGS_OF_LOADS
    with Cgroup("there", memory_max=1 << 26), no_leaks("pclimit", "do_init_module"):
        assert each_failing_load(pclimit_module, limit.left) > 10
    pclimit_module.load()
    assert limit.read_all() == limit.DEFAULTS


@pytest.mark.limit(300)
@pytest.mark.parametrize("name, value", [
    ("limit_ratio", 50), ("limit_bytes", 1 << 29), ("limit_reclaim_ratio", 99), ("limit_async", 1),
    ("limit_ignore_dirty", 0)])
def test_each_failing_allocation_of_a_write_changes_nothing(pclimit, kernel_log, name, value):
    """ENOMEM and as before, or 0 and done."""
    kernel_log.allow_call_traces = True
    limit.write("limit_ratio", 95)
    before = limit.read_all()
    fd = os.open(limit.path(name), os.O_WRONLY)
    text = str(value).encode()

    def after(nth, error):
        assert error in (0, errno.ENOMEM, errno.EINTR), nth
        if error:
            assert limit.read_all() == before, nth
            assert not limit.threads(), nth

    each_failure(lambda: linux.errno_of(os.pwrite, fd, text, 0), after, limit=500)
    os.close(fd)
    assert limit.read(name) == value


@pytest.mark.limit(300)
@pytest.mark.parametrize("name, value", [("max_ratio", 50), ("reclaim_ratio", 7)])
def test_each_failing_allocation_of_a_cgroup_file_changes_nothing(pclimit, kernel_log, name, value):
    """ENOMEM and as before, or 0 and done."""
    kernel_log.allow_call_traces = True
    with Cgroup("limited", memory_max=1 << 26) as group:
        file = f"memory.pagecache.{name}"
        before = group.read(file)
        fd = os.open(group.path / file, os.O_WRONLY)
        text = str(value).encode()
        written = []

        def after(nth, error):
            assert error in (0, errno.ENOMEM), nth
            if not error:
                written.append(nth)
            assert group.read(file) == (str(value) if written else before), nth

        each_failure(lambda: linux.errno_of(os.pwrite, fd, text, 0), after, limit=500)
        os.close(fd)
        assert group.number(file) == value


@pytest.mark.limit(300)
def test_each_failing_allocation_of_a_cgroup_leaves_nothing(pclimit, kernel_log):
    """While it is made, in one with a limit and with its files; and it can be removed."""
    kernel_log.allow_call_traces = True
    with Cgroup("limited", memory_max=1 << 26) as parent, no_leaks("pclimit"):
        parent.write("memory.pagecache.max_ratio", 50)
        parent.delegate()
        child = parent.path / "child"

        def after(nth, error):
            assert error in (0, errno.ENOMEM, errno.EAGAIN), nth
            assert child.exists() == (not error), nth
            if not error:
                assert (child / "memory.pagecache.current").read_text() == "0\n", nth
                child.rmdir()

        assert each_failure(lambda: linux.errno_of(os.mkdir, child), after) > 10


@pytest.mark.limit(300)
def test_failing_allocations_of_readers_are_theirs_alone(pclimit, place, kernel_log):
    """The limit holds, and a reader sees no other error than without it."""
    kernel_log.allow_call_traces = True
    limit.write("limit_ratio", 5)
    with failing_allocations() as fail_nth:
        fd = os.open(streams.holes(place, size(40)), os.O_RDONLY)
        control = os.open(fail_nth, os.O_RDWR)
        for number in range(size(40)):
            os.pwrite(control, str(number % 60 + 1).encode(), 0)
            error = linux.errno_of(os.pread, fd, pagecache.MIB, number * pagecache.MIB)
            os.pwrite(control, b"0", 0)
            assert error in (0, errno.ENOMEM, errno.EIO)
        os.close(control)
        os.close(fd)
    assert counted(pagecache.vmstat()) <= percent(6)
