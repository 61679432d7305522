# SPDX-License-Identifier: GPL-2.0
"""The limit of a cgroup: memory.pagecache.*."""

import contextlib
import errno
import os
import pathlib
import random
import stat
import subprocess
import threading

import disks
import limit
import linux
import pagecache
import pytest
import streams
from cgroup import ROOT, Cgroup, Watch
from module import path
from pagecache import MIB, mglru, percent, resident
from target import SCALE, wait_until

EINVAL, EPERM = errno.EINVAL, errno.EPERM
FILES = {"max_ratio": 0o644, "reclaim_ratio": 0o644, "current": 0o444, "events": 0o444}
MAX_RATIO, RECLAIM_RATIO = "memory.pagecache.max_ratio", "memory.pagecache.reclaim_ratio"
CURRENT, EVENTS = "memory.pagecache.current", "memory.pagecache.events"

# Of memory.max, and how far the cache may be above its limit.
MAX = 400 * MIB
TOLERANCE = MAX // 50


def names(cgroup):
    """The files of the module that a cgroup has."""
    return {entry.name for entry in cgroup.path.glob("memory.pagecache.*")}


ALL = {f"memory.pagecache.{name}" for name in FILES}


@pytest.fixture
def group(pclimit):
    """A cgroup with a limit of memory, and none of its page cache."""
    with Cgroup("limited", memory_max=MAX) as cgroup:
        yield cgroup


def read(cgroup, size_mib, file):
    """dd, in the cgroup."""
    cgroup.run("dd", f"if={file}", "of=/dev/null", "bs=128k", f"count={size_mib * 8}")


def test_files_come_and_go_with_the_module(pclimit_module):
    """In cgroups that are there already, and in those that are made later; not in the root."""
    with Cgroup("before") as before:
        before.delegate()
        with Cgroup("child", before) as child:
            assert not names(before)
            pclimit_module.load()
            with Cgroup("after") as after:
                for cgroup in (before, child, after):
                    assert names(cgroup) == ALL
                    for name, mode in FILES.items():
                        file = cgroup.path / f"memory.pagecache.{name}"
                        assert stat.S_IMODE(file.stat().st_mode) == mode
                assert not list(ROOT.glob("memory.pagecache.*"))
                pclimit_module.unload()
                assert not names(before) | names(child) | names(after)
            pclimit_module.load()
            assert names(child) == ALL


def test_files_follow_the_memory_controller(pclimit):
    """They are its own."""
    with Cgroup("parent") as parent, Cgroup("child", parent) as child:
        assert not names(child)
        parent.delegate("+memory")
        assert names(child) == ALL
        child.write("memory.max", MAX)
        child.write(MAX_RATIO, 50)
        parent.delegate("-memory")
        assert not names(child)
        parent.delegate("+memory")
        assert names(child) == ALL
        # Another controller, with its own settings.
        assert child.read(MAX_RATIO) == "100"


def test_defaults(group):
    """Nothing is limited."""
    assert group.read(MAX_RATIO) == "100"
    assert group.read(RECLAIM_RATIO) == "5"
    assert group.number(CURRENT) >= 0
    assert group.numbers(EVENTS)["pagecache_max"] == 0


def test_events_have_the_format_of_memory_events(group):
    """A name, a blank and a number a line."""
    for line in (group.path / EVENTS).read_text().splitlines():
        name, number = line.split(" ")
        assert name.startswith("pagecache_")
        assert int(number) == 0


@pytest.mark.parametrize("value, error", [
    (5, 0), (50, 0), (99, 0), (100, 0), (4, EINVAL), (0, EINVAL), (101, EINVAL), (-1, EINVAL),
    (1 << 32 | 50, EINVAL)])
def test_max_ratio(group, value, error):
    """From 5 to 100."""
    group.write(MAX_RATIO, 77)
    assert group.write_errno(MAX_RATIO, value) == error
    assert group.number(MAX_RATIO) == (77 if error else value)


@pytest.mark.parametrize("value, stored, error", [
    (1, 1, 0), (50, 50, 0), (99, 99, 0), (100, 42, 0), (0, 42, EINVAL), (101, 42, EINVAL),
    (-1, 42, EINVAL), (1 << 32 | 50, 42, EINVAL)])
def test_reclaim_ratio(group, value, stored, error):
    """From 1 to 99; 100 does something and isn't stored."""
    group.write(RECLAIM_RATIO, 42)
    assert group.write_errno(RECLAIM_RATIO, value) == error
    assert group.number(RECLAIM_RATIO) == stored


def test_max_ratio_needs_a_memory_limit(pclimit):
    """Percent of what, else? Bad values are bad all the same."""
    with Cgroup("unlimited") as cgroup:
        assert cgroup.write_errno(MAX_RATIO, 50) == EPERM
        assert cgroup.write_errno(MAX_RATIO, 3) == EINVAL
        assert cgroup.read(MAX_RATIO) == "100"
        # Dropping the cache needs none.
        assert cgroup.write_errno(RECLAIM_RATIO, 100) == 0


def test_nested_memory_limit_is_not_ones_own(pclimit):
    """The limit of the parent doesn't count as the child's."""
    with Cgroup("parent", memory_max=MAX) as parent:
        parent.delegate()
        with Cgroup("child", parent) as child:
            assert child.write_errno(MAX_RATIO, 50) == EPERM


def bad_texts(draw, low, high):
    """Without end: what is out of range, or no number."""
    while True:
        kind = draw.randrange(4)
        if kind == 0:
            yield b"%d" % draw.randint(high + 1, 1 << draw.randint(8, 80))
        elif kind == 1:
            yield b"%d" % draw.randint(-(1 << draw.randint(1, 80)), low - 1)
        elif kind == 2:
            yield bytes([draw.choice(b"xyz_*/.,;%$#@!?")]) + draw.randbytes(draw.randint(0, 20))
        else:
            yield b"%d" % draw.randint(low, high) + draw.choice((b"x", b"%", b"M", b".5", b" 1"))


@pytest.mark.limit(120)
@pytest.mark.parametrize("name, low, high", [(MAX_RATIO, 5, 100), (RECLAIM_RATIO, 1, 100)])
def test_ten_thousand_bad_writes_change_nothing(group, name, low, high):
    """EINVAL, each of them, also those that no number can hold."""
    values = bad_texts(random.Random(name), low, high)
    group.write(MAX_RATIO, 77)
    group.write(RECLAIM_RATIO, 42)
    file = os.open(group.path / name, os.O_RDWR)
    before = os.pread(file, 20, 0)
    for number in range(10_000):
        text = next(values)
        assert linux.errno_of(os.pwrite, file, text, 0) == EINVAL, text
        if number % 100 == 0:
            assert os.pread(file, 20, 0) == before, text
    os.close(file)
    assert group.read(MAX_RATIO) == "77"
    assert group.read(RECLAIM_RATIO) == "42"


@pytest.mark.parametrize("place", ["ext4", "xfs"], indirect=True)
@pytest.mark.parametrize("name", ["holes", "written"])
def test_stream_stays_under_the_limit(group, place, note, name):
    """What is read and what is written."""
    group.write(MAX_RATIO, 50)
    with Watch(group) as watch:
        if name == "holes":
            read(group, 800, streams.holes(place, 800))
        else:
            group.run("dd", "if=/dev/zero", f"of={place / 'data'}", "bs=128k", "count=4800")
    note("most_mib", watch.most >> 20)
    note("looks", watch.looks)
    assert MAX * 0.4 < watch.most <= MAX // 2 + TOLERANCE
    assert group.numbers("memory.events")["max"] == 0
    # What is written is still on its way to the disk, and limited by that alone.
    if name == "holes":
        assert group.number(CURRENT) == pytest.approx(group.files(), abs=TOLERANCE)


def test_same_stream_without_a_limit_does_not(group, place, note):
    """Or the test before this one would prove nothing."""
    with Watch(group) as watch:
        read(group, 800, streams.holes(place, 800))
    note("most_mib", watch.most >> 20)
    assert watch.most > MAX * 0.9
    assert group.numbers("memory.events")["max"] > 0
    assert group.numbers(EVENTS)["pagecache_max"] == 0


def test_anonymous_memory_is_not_squeezed(group, place, note):
    """What memory.max and memory.high do: they take from the heap as well."""
    group.write(MAX_RATIO, 30)
    code = f"b = bytearray({200 * MIB}); b[::4096] = b'x' * len(b[::4096]); print(1, flush=True); input()"
    with group.start("python3", "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     text=True) as process:
        assert process.stdout.readline() == "1\n"
        anonymous = group.numbers("memory.stat")["anon"]
        read(group, 800, streams.holes(place, 800))
        note("anonymous_mib", group.numbers("memory.stat")["anon"] >> 20)
        assert group.numbers("memory.events")["max"] == 0
        assert group.numbers("memory.events")["high"] == 0
        # dd's own went with it.
        assert abs(group.numbers("memory.stat")["anon"] - anonymous) < 8 * MIB
        process.communicate("\n")
    assert group.numbers(EVENTS)["pagecache_max"] >= 0


def test_current_and_limit_are_of_the_subtree(pclimit, place):
    """A parent's limit is for what all below it have."""
    with Cgroup("parent", memory_max=MAX) as parent:
        parent.delegate()
        with Cgroup("one", parent) as one, Cgroup("two", parent) as two:
            read(one, 100, streams.holes(place, 100, "one"))
            assert parent.number(CURRENT) == pytest.approx(100 * MIB, abs=TOLERANCE)
            parent.write(MAX_RATIO, 50)
            with Watch(parent) as watch:
                read(two, 600, streams.holes(place, 600, "two"))
            assert watch.most <= MAX // 2 + TOLERANCE
            assert one.number(CURRENT) + two.number(CURRENT) == pytest.approx(
                parent.number(CURRENT), abs=TOLERANCE)
            assert parent.numbers(EVENTS)["pagecache_max"] >= 0
            assert one.numbers(EVENTS)["pagecache_max"] == 0


def test_others_keep_their_cache(group, place):
    """The one who exceeds his limit pays."""
    with Cgroup("other") as other:
        read(other, 100, streams.holes(place, 100, "other"))
        group.write(MAX_RATIO, 25)
        read(group, 800, streams.holes(place, 800, "stream"))
        assert resident(place / "other") == 1
        assert group.number(CURRENT) <= MAX // 4 + TOLERANCE


def test_lower_limit_shrinks_the_cache_at_once(group, place):
    """In the task that writes it."""
    read(group, 360, streams.holes(place, 360))
    assert group.number(CURRENT) > 350 * MIB
    group.write(MAX_RATIO, 50)
    assert group.number(CURRENT) <= MAX // 2
    group.write(RECLAIM_RATIO, 50)
    assert group.number(CURRENT) <= MAX // 4 + TOLERANCE


def test_limit_follows_memory_max(group, place):
    """It is percent of what that is at the time."""
    group.write(MAX_RATIO, 50)
    group.write("memory.max", MAX // 2)
    streams.holes(place, 800)
    read(group, 400, place / "holes")
    assert group.number(CURRENT) <= MAX // 4 + TOLERANCE
    group.write("memory.max", 2 * MAX)
    pagecache.drop_caches()
    read(group, 800, place / "holes")
    assert MAX * 0.8 < group.number(CURRENT) <= MAX + TOLERANCE
    # No limit of memory, no limit of its cache.
    group.write("memory.max", "max")
    pagecache.drop_caches()
    read(group, 600, place / "holes")
    assert group.number(CURRENT) > 590 * MIB


def test_cache_is_dropped_once(group, place):
    """All that is clean and nobody's; what others have cached stays."""
    with Cgroup("other") as other:
        read(other, 50, streams.holes(place, 50, "other"))
        read(group, 300, streams.holes(place, 300, "mine"))
        before = group.read(RECLAIM_RATIO)
        group.write(RECLAIM_RATIO, 100)
        assert group.number(CURRENT) < 4 * MIB
        assert group.read(RECLAIM_RATIO) == before
        assert resident(place / "other") == 1
        # And it may grow again.
        read(group, 300, place / "mine")
        assert group.number(CURRENT) > 290 * MIB


def test_both_limits_hold(group, place):
    """That of the machine and that of a cgroup, whatever pagecache_limit_global says."""
    for value in (1, 0):
        limit.write("limit_global", value)
        limit.write("limit_ratio", 40)
        group.write(MAX_RATIO, 25)
        pagecache.drop_caches()
        with contextlib.suppress(FileNotFoundError):
            (place / "holes").unlink()
        read(group, 800, streams.holes(place, 800))
        assert group.number(CURRENT) <= MAX // 4 + TOLERANCE
        limit.write("limit_ratio", 3)
        pagecache.drop_caches()
        read(group, 800, place / "holes")
        assert limit.usage() <= percent(4)
        limit.write("limit_ratio", 0)


def test_events_count(group, place):
    """How often the limit was met by those who had to pay at once."""
    group.write(MAX_RATIO, 10)
    group.write(RECLAIM_RATIO, 1)
    path_ = place / "holes"
    streams.holes(place, 800)
    readers = [group.start("dd", f"if={path_}", "of=/dev/null", "bs=128k", f"skip={number * 1600}",
                           "count=1600", stderr=subprocess.DEVNULL) for number in range(4)]
    for reader in readers:
        assert reader.wait(60 * SCALE) == 0
    events = group.numbers(EVENTS)
    assert events["pagecache_max"] > 0
    assert group.number(CURRENT) <= MAX // 10 + TOLERANCE


@pytest.mark.parametrize("multi", [True, False], ids=["MGLRU", "classic LRU"])
@pytest.mark.parametrize("low", [0, 200 * MIB], ids=["unprotected", "memory.low"])
def test_memory_low_protects_from_the_machines_limit(pclimit, place, note, low, multi):
    """What is below it isn't taken, though it is older than all that is read."""
    with mglru(multi), Cgroup("protected", memory_low=low) as cgroup:
        read(cgroup, 100, streams.holes(place, 100, "file"))
        limit.write("limit_ratio", 10)
        streams.dd_reads(place, pagecache.size(60))
        share = resident(place / "file")
    note("resident", share)
    if low:
        assert share >= 0.95
        assert limit.usage() <= percent(11)
    else:
        assert share < 0.5


def test_removed_cgroup_is_forgotten(group, place):
    """And another one of the same name begins anew."""
    group.write(MAX_RATIO, 50)
    read(group, 100, streams.holes(place, 100))
    group.remove()
    with Cgroup("limited") as again:
        assert again.read(MAX_RATIO) == "100"


def test_cache_of_a_removed_cgroup_is_its_parents(pclimit, place):
    """It doesn't vanish with it, and can still be reclaimed."""
    with Cgroup("parent", memory_max=MAX) as parent:
        parent.delegate()
        with Cgroup("child", parent) as child:
            read(child, 100, streams.holes(place, 100))
        wait_until(lambda: parent.number(CURRENT) > 95 * MIB, "the cache's coming to the parent")
        parent.write(MAX_RATIO, 10)
        assert parent.number(CURRENT) <= MAX // 10 + TOLERANCE


@pytest.mark.limit(120)
def test_cgroups_come_and_go_while_they_reach_their_limits(pclimit, place):
    """Many of them, at once."""
    streams.holes(place, 100)
    failures = []

    def churn(number):
        try:
            for turn in range(10):
                with Cgroup(f"churn{number}-{turn}", memory_max=40 * MIB) as cgroup:
                    cgroup.write(MAX_RATIO, 20)
                    with cgroup.start("dd", f"if={place / 'holes'}", "of=/dev/null", "bs=128k",
                                      f"skip={number * 200}", stderr=subprocess.DEVNULL) as reader:
                        if turn % 2:
                            reader.wait(30 * SCALE)
        except (OSError, AssertionError) as error:
            failures.append(error)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not list(ROOT.glob("churn*"))


@pytest.mark.limit(300)
def test_loads_and_unloads_while_cgroups_reach_their_limits(pclimit_module, place):
    """50 times; files are read and written meanwhile."""
    streams.holes(place, 400)
    pclimit_module.load_needed()
    file = os.open(path("pclimit"), os.O_RDONLY)
    with Cgroup("busy", memory_max=100 * MIB) as cgroup:
        loop = ("while :; do dd if=$1 of=/dev/null bs=128k; cat $2/memory.pagecache.*; "
                "echo 20 >$2/memory.pagecache.max_ratio; done >/dev/null 2>&1")
        with cgroup.start("bash", "-c", loop, "bash", place / "holes", cgroup.path) as process:
            for _ in range(50):
                assert linux.errno_of(linux.finit_module, file) == 0
                cgroup.write(MAX_RATIO, 20)
                wait_until(lambda: cgroup.number(CURRENT) <= 25 * MIB, "the limit's effect")
                assert pclimit_module.remove() == 0
                assert not names(cgroup)
            process.kill()
    os.close(file)


def test_open_files_of_a_cgroup_do_not_hold_the_module(pclimit, group):
    """They are dead when it is gone."""
    with open(group.path / CURRENT, "rb", buffering=0) as file:
        assert int(file.read()) >= 0
        pclimit.unload()
        assert linux.errno_of(os.pread, file.fileno(), 10, 0) == errno.ENODEV


def test_tmpfs_is_not_page_cache_of_files(group):
    """As little as of the machine."""
    group.write(MAX_RATIO, 5)
    try:
        group.run("dd", "if=/dev/zero", "of=/dev/shm/pclimit", "bs=1M", "count=100")
        assert group.number(CURRENT) < 10 * MIB
        assert group.numbers(EVENTS)["pagecache_max"] == 0
        assert pathlib.Path("/dev/shm/pclimit").stat().st_size == 100 * MIB
    finally:
        disks.run("rm", "-f", "/dev/shm/pclimit")
