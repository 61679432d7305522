# SPDX-License-Identifier: GPL-2.0
"""Threads of one core: what runs on one slows down the other."""

import contextlib
import os
import pathlib
import signal
import time

import bt
import pytest
from bt import POLICY, Batch, Measured, batches, busy_cpus
from target import wait_until
from topology import cores, siblings

@pytest.fixture
def core():
    """The first CPU of a core, and another one."""
    here = sorted(siblings(bt.CPUS[0]))
    if len(here) < 2:
        pytest.skip("this machine's cores have one thread")
    return here[:2]


@pytest.fixture
def guarded(sched):
    """The class leaves cores alone on which something else runs."""
    bt.write(bt.GUARD, 1)
    yield sched
    bt.write(bt.GUARD, 0)


@contextlib.contextmanager
def aside(core):
    """The test itself, which is online work, too, runs on the last thread of another core."""
    os.sched_setaffinity(0, [max(set(bt.CPUS) - set(core))])
    try:
        yield
    finally:
        os.sched_setaffinity(0, bt.CPUS)


@pytest.mark.limit(60)
def test_without_the_guard(sched, core):
    """A thread is a CPU like any other."""
    with busy_cpus(core[:1]), Batch("burn", policy=POLICY, cpu=core[1]) as hog:
        time.sleep(0.1)
        with Measured(hog) as measured:
            time.sleep(0.5)
    assert measured.cpus[0] > 0.9


@pytest.mark.limit(60)
def test_nothing_runs_beside_online_work(guarded, turns, core):
    """Not for a moment; and all of the time when that is over."""
    with busy_cpus(core[:1]) as [online], Batch("burn", policy=POLICY, cpu=core[1]) as hog:
        for _ in range(3):
            time.sleep(0.1)
            with Measured(hog, online) as measured:
                time.sleep(0.5)
            assert measured.times[0] == 0
            assert measured.cpus[1] > 0.95
            online.signal(signal.SIGSTOP)
            time.sleep(0.01)
            with Measured(hog) as measured:
                time.sleep(0.2)
            assert measured.cpus[0] > 0.95
            online.signal(signal.SIGCONT)


@pytest.mark.limit(60)
def test_they_go_to_another_core(guarded, core, note):
    """As many as there are CPUs, where one core of the machine has online work."""
    with batches(len(bt.CPUS), "burn", policy=POLICY) as hogs:
        time.sleep(0.2)
        with busy_cpus(core[:1]):
            time.sleep(0.2)
            assert not set(bt.spread(hogs)) & set(core)
            with Measured(*hogs) as measured:
                time.sleep(0.5)
        note("cpus", sum(measured.cpus))
        assert sum(measured.cpus) > 0.97 * (len(bt.CPUS) - len(siblings(core[0])))
        # Where it looks from they are gone.
        with aside(core):
            wait_until(lambda: set(bt.spread(hogs)) >= set(core), "their return", timeout=0.1)


def sleeps(process):
    """How often a process went to sleep."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


@pytest.mark.limit(60)
def test_the_rest_of_a_core_is_used(guarded, turns, core, note):
    """Online work that sleeps in between leaves that to the class, which is told when it is back: that takes
    as long as the emulator's CPUs take their turns."""
    with Batch("sleep", 2000, cpu=core[0]) as online, Batch("burn", policy=POLICY, cpu=core[1]) as hog:
        time.sleep(0.1)
        before = sleeps(online)
        with Measured(online, hog) as measured:
            time.sleep(1)
        times = sleeps(online) - before
    beside = sum(measured.times) - measured.elapsed
    note("cpus", measured.cpus)
    note("beside_ns_each", beside / times)
    assert measured.cpus[1] > 0.9 * (1 - measured.cpus[0])
    assert times > 300
    assert beside / times < 20_000


@pytest.mark.limit(60)
def test_nobody_waits_for_a_lock_of_theirs(guarded, core, tmp_path):
    """Who is stopped in a system call leaves it all the same."""
    with busy_cpus(core[:1]) as [online]:
        online.signal(signal.SIGSTOP)
        with Batch("rename", tmp_path, policy=POLICY, cpu=core[1]):
            for _ in range(20):
                time.sleep(0.01)
                online.signal(signal.SIGCONT)
                start = time.monotonic()
                (tmp_path / "x").mkdir()
                (tmp_path / "x").rmdir()
                assert time.monotonic() - start < 0.1
                online.signal(signal.SIGSTOP)


@pytest.mark.limit(60)
def test_switching_it_while_all_run(sched, turns, core):
    """Holds at once."""
    with busy_cpus(core[:1]), Batch("burn", policy=POLICY, cpu=core[1]) as hog:
        for _ in range(5):
            bt.write(bt.GUARD, 1)
            with Measured(hog) as measured:
                time.sleep(0.1)
            assert measured.times[0] < 1_000_000
            bt.write(bt.GUARD, 0)
            with Measured(hog) as measured:
                time.sleep(0.1)
            assert measured.cpus[0] > 0.9


# --- A core for each, as long as there are enough ---------------------------------------------------

@pytest.fixture
def two_cores(core):
    """Another one than that is there."""
    if len(cores(bt.CPUS)) < 2:
        pytest.skip("this machine has one core")
    return core


@pytest.mark.limit(60)
def test_one_of_two_leaves_the_core(sched, turns, two_cores):
    """They run all the time, so nobody finds them waiting. One stays: it has the core for itself then."""
    with Batch("burn", policy=POLICY, cpu=two_cores[0]) as one, \
            Batch("burn", policy=POLICY, cpu=two_cores[1]) as two, aside(two_cores):
        for _ in range(5):
            time.sleep(0.1)
            assert {one.cpu(), two.cpu()} == set(two_cores)
            before = bt.starvation()["pushes"]
            for process in (one, two):
                os.sched_setaffinity(process.pid, bt.CPUS)
            time.sleep(0.1)
            assert len(cores(bt.spread([one, two]))) == 2
            time.sleep(0.2)
            assert len(cores(bt.spread([one, two]))) == 2
            # More if a kernel thread drove one away; if they went to and fro there would be twenty.
            assert 1 <= bt.starvation()["pushes"] - before <= 3
            os.sched_setaffinity(one.pid, two_cores[:1])
            os.sched_setaffinity(two.pid, two_cores[1:])


@pytest.mark.limit(60)
def test_it_leaves_online_work_alone(sched, turns, two_cores):
    """Which has all of the core then, without the guard."""
    with Batch("burn", policy=POLICY, cpu=two_cores[1]) as hog, busy_cpus(two_cores[:1]), aside(two_cores):
        time.sleep(0.1)
        os.sched_setaffinity(hog.pid, bt.CPUS)
        time.sleep(0.1)
        assert hog.cpu() not in two_cores


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.limit(60)
def test_one_that_may_not_go_stays(sched, turns, two_cores, threads):
    """On its thread, or its core; and it isn't stopped for nothing."""
    with busy_cpus(two_cores[:1]), Batch("burn", policy=POLICY, cpu=two_cores[1]) as hog, aside(two_cores):
        os.sched_setaffinity(hog.pid, two_cores[-threads:])
        before = bt.starvation()["pushes"]
        with Measured(hog) as measured:
            time.sleep(0.3)
        assert measured.cpus[0] > 0.9
        assert hog.cpu() == two_cores[1]
        assert bt.starvation()["pushes"] == before


@pytest.mark.limit(60)
def test_a_moment_of_another_one_moves_nobody(sched, turns, two_cores):
    """One tick that finds the core shared is no reason to lose a cache."""
    with Batch("sleep", 20000, cpu=two_cores[0]) as online, Batch("burn", policy=POLICY, cpu=two_cores[1]) as hog, \
            aside(two_cores):
        os.sched_setaffinity(hog.pid, bt.CPUS)
        before, slept = bt.starvation()["pushes"], sleeps(online)
        time.sleep(1)
        # A CPU that goes idle may have fetched it while it waited for some kernel thread.
        assert bt.starvation()["pushes"] == before
        assert sleeps(online) - slept > 20
