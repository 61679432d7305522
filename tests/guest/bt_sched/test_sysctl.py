# SPDX-License-Identifier: GPL-2.0
"""The files in /proc/sys/kernel: what they hold, take and refuse."""

import errno
import os
import random
import stat
import subprocess
import time

import bt
import linux
import pytest
from boxes import assert_container_cant_write
from bt import CPUFREQ, EINVAL, FLOOR, GRANULARITY, GUARD, LIFT, PERIOD, PSI, RUNTIME, Batch
from target import SCALE

INT_MAX = (1 << 31) - 1


@pytest.mark.parametrize("name", bt.DEFAULTS)
def test_default(sched, name):
    """After loading nothing is limited, and nothing guaranteed."""
    assert bt.read(name) == bt.DEFAULTS[name]
    status = bt.path(name).stat()
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert (status.st_uid, status.st_gid) == (0, 0)


def test_files_go_with_the_module(sched):
    """All of them."""
    assert len(bt.left()) == len(bt.DEFAULTS) + 3
    sched.unload()
    assert not bt.left()


@pytest.mark.parametrize("name, value, error", [
    (PERIOD, 1000000, 0), (PERIOD, 500000, 0), (PERIOD, 100000, 0), (PERIOD, 0, EINVAL),
    (RUNTIME, 100000, 0), (RUNTIME, 1000000, 0), (RUNTIME, 2000000, 0), (RUNTIME, -1, 0),
    (RUNTIME, 0, EINVAL), (FLOOR, 0, 0), (FLOOR, 50000, 0), (FLOOR, -1, EINVAL),
    (FLOOR, 700000, 0), (FLOOR, 700001, EINVAL), (PERIOD, 1000, 0), (PERIOD, 999, EINVAL),
    # A period is taken as a huge one if it is negative, as in TencentOS.
    (PERIOD, -1, 0), (LIFT, 0, 0), (LIFT, 1000000, 0), (LIFT, 1000001, EINVAL), (LIFT, -1, EINVAL),
    (GRANULARITY, 100000, 0), (GRANULARITY, 99999, EINVAL), (GRANULARITY, (1 << 31) - 1, 0),
    (GUARD, 1, 0), (GUARD, 2, EINVAL), (GUARD, -1, EINVAL), (PSI, 0, 0), (PSI, 2, EINVAL),
    (CPUFREQ, 0, 0), (CPUFREQ, 2, EINVAL)])
def test_what_is_taken_and_refused(sched, name, value, error):
    """Refused is refused whole: each is as before."""
    for other, good in ((PERIOD, 700000), (RUNTIME, 300000), (FLOOR, 1000)):
        bt.write(other, good)
    before = bt.read_all()
    assert bt.write_errno(name, value) == error
    assert bt.read_all() == (before if error else {**before, name: value})


@pytest.mark.parametrize("value", [-1, -2, -1000000, -(1 << 31)])
def test_any_negative_runtime_is_no_limit(sched, value):
    """And reads as it was written."""
    bt.write(RUNTIME, 100000)
    bt.write(RUNTIME, value)
    assert bt.read(RUNTIME) == value
    with Batch("burn", policy=bt.POLICY, cpu=bt.CPUS[-1]) as hog, bt.Measured(hog) as measured:
        time.sleep(0.2)
    assert measured.cpus[0] > 0.9 / SCALE


@pytest.mark.parametrize("text", [
    b"", b"\n", b" ", b"x", b"100000x", b"x100000", b"0x", b"1e5", b"100000.5", b"--1", b"- 1", b"on", b"max",
    b"99999999999999999999", b"-99999999999999999999", b"9" * 5000, b"\xff\xfe", b"NaN"])
@pytest.mark.parametrize("name", [PERIOD, RUNTIME])
def test_nonsense(sched, name, text):
    """Is refused, or is nothing."""
    before = bt.read_all()
    error = bt.write_errno(name, text)
    assert error == EINVAL or not text.strip() and error == 0
    assert bt.read_all() == before


def test_users_may_read_and_not_write(sched):
    """As of the other sysctls."""
    for name in bt.DEFAULTS:
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
                               f"cat {bt.path(name)} && ! echo 100000 >{bt.path(name)}"],
                              capture_output=True, check=False)
        assert done.returncode == 0, done
    assert bt.read_all() == bt.DEFAULTS


@pytest.mark.limit(300)
def test_containers_root_cant_write(sched):
    """The settings are the machine's."""
    assert_container_cant_write(bt.path(RUNTIME), 100000, "bt-root")


def test_reloading_forgets(sched):
    """Settings last as long as the module."""
    bt.write(RUNTIME, 100000)
    bt.write(PERIOD, 200000)
    sched.unload()
    sched.load()
    assert bt.read_all() == bt.DEFAULTS


def numbers(draw):
    """What is near something, or anything."""
    kind = draw.randrange(6)
    if kind == 0:
        return draw.choice([0, 1, -1, INT_MAX, -INT_MAX - 1, INT_MAX + 1, 1 << 32, (1 << 63) - 1, 1 << 63,
                            -(1 << 63), 1 << 64])
    if kind == 1:
        return draw.randrange(-10, 10)
    if kind == 2:
        return draw.choice([1, 10, 100, 1000]) * draw.randrange(1, 10000)
    if kind == 3:
        return draw.randrange(-(1 << 33), 1 << 33)
    return draw.randrange(1, 3000000)


@pytest.mark.limit(200)
@pytest.mark.parametrize("seed", range(2))
def test_random_writes(sched, seed):
    """5,000 each, with BT at work: one takes hold as it is, or fails and changes nothing."""
    draw = random.Random(seed)
    files = {name: os.open(bt.path(name), os.O_RDWR) for name in bt.DEFAULTS}

    def look():
        return {name: int(os.pread(fd, 100, 0)) for name, fd in files.items()}

    taken = refused = 0
    with Batch("burn", policy=bt.POLICY), Batch("sleep", 100, policy=bt.POLICY):
        before = look()
        for _ in range(5000):
            name, value = draw.choice(list(files)), numbers(draw)
            error = linux.errno_of(os.pwrite, files[name], str(value).encode(), 0)
            now = look()
            if error:
                assert error in (EINVAL, errno.ERANGE), (name, value)
                assert now == before, (name, value)
                refused += 1
            else:
                assert {**now, name: 0} == {**before, name: 0}, (name, value)
                assert now[name] == value, (name, value)
                taken += 1
            period = now[PERIOD] & 0xffffffff
            assert 0 < period >= now[FLOOR] >= 0 and now[RUNTIME] != 0 and 0 <= now[LIFT] <= 1000000
            before = now
    for fd in files.values():
        os.close(fd)
    assert taken > 500 and refused > 500


@pytest.mark.limit(60)
def test_a_limit_taken_back_frees_at_once(sched):
    """Who is held for the rest of a long period runs when the limit ends."""
    bt.write(PERIOD, 10000000)
    bt.write(RUNTIME, 10000)
    with Batch("burn", policy=bt.POLICY, cpu=bt.CPUS[-1]) as hog:
        with bt.Measured(hog) as measured:
            time.sleep(0.5)
        assert measured.times[0] < 20_000_000
        bt.write(RUNTIME, -1)
        with bt.Measured(hog) as measured:
            time.sleep(0.2)
        assert measured.cpus[0] > 0.5 / SCALE
