# SPDX-License-Identifier: GPL-2.0
"""On which CPU BT runs: all that are free, and none else."""

import contextlib
import os
import time

import bt
import pytest
from bt import POLICY, Batch, Measured, batches, busy_cpus
from cgroup import Cgroup
from target import wait_until


@contextlib.contextmanager
def started_together(count):
    """Hogs that begin on one CPU, and are then let go."""
    everywhere = set(bt.CPUS)
    with batches(count, "burn", policy=POLICY, cpu=bt.CPUS[0]) as hogs:
        for hog in hogs:
            os.sched_setaffinity(hog.pid, everywhere)
        yield hogs


@pytest.mark.limit(60)
def test_one_hog_for_each_cpu(sched, turns, note):
    """Within 100 ms, from wherever they begin; and they stay so."""
    count = len(bt.CPUS)
    with started_together(count) as hogs:
        start = time.monotonic()
        wait_until(lambda: bt.spread(hogs) == dict.fromkeys(bt.CPUS, 1), "one on each CPU", timeout=2)
        took = time.monotonic() - start
        note("took_ms", 1000 * took)
        with Measured(*hogs) as measured:
            time.sleep(0.5)
        note("cpus", measured.cpus)
    assert took < 0.1
    # Of this test, too.
    assert min(measured.cpus) > 0.9 and sum(measured.cpus) > 0.97 * count


@pytest.mark.limit(60)
def test_new_ones_spread_as_they_come(sched, turns):
    """Forked one after the other."""
    with batches(len(bt.CPUS), "burn", policy=POLICY) as hogs:
        time.sleep(0.1)
        with Measured(*hogs) as measured:
            time.sleep(0.5)
    assert min(measured.cpus) > 0.9


@pytest.mark.limit(60)
def test_bt_moves_out_of_the_way(sched, turns, four_cpus, note):
    """When online work takes two CPUs, those that were there go on on the others."""
    with batches(4, "burn", policy=POLICY) as hogs:
        time.sleep(0.2)
        with busy_cpus(bt.CPUS[:2]) as online:
            start = time.monotonic()
            wait_until(lambda: set(bt.spread(hogs)) <= set(bt.CPUS[2:]), "BT's moving", timeout=2)
            note("took_ms", 1000 * (time.monotonic() - start))
            with Measured(*hogs, *online) as measured:
                time.sleep(1)
            note("cpus", measured.cpus)
        # And back, when there is room.
        time.sleep(0.1)
        with Measured(*hogs) as after:
            time.sleep(0.5)
    assert min(measured.cpus[4:]) > 0.97
    assert sum(measured.cpus[:4]) > 1.9
    # Each has its part.
    assert min(measured.cpus[:4]) > 0.3
    assert min(after.cpus) > 0.85


@pytest.mark.limit(60)
def test_free_cpus_are_used_though_the_last_one_is_busy(sched, turns):
    """A BT task that wakes up behind online work goes elsewhere, at once."""
    with busy_cpus(bt.CPUS[1:]), Batch("sleep", 1000, policy=POLICY) as sleeper:
        time.sleep(0.2)
        before, start = sleeper.time(), time.monotonic()
        time.sleep(1)
        # 1 ms of sleep and 10,000 turns for each.
        assert sleeper.time() - before > 0
        assert sleeper.cpu() == bt.CPUS[0]
        assert time.monotonic() - start < 1.5


@pytest.mark.limit(60)
def test_online_work_is_placed_as_if_bt_was_not_there(sched, turns):
    """Beside BT everywhere, two that never sleep come to have a CPU each."""
    with batches(2 * len(bt.CPUS), "burn", policy=POLICY), \
            batches(len(bt.CPUS), "burn") as online:
        time.sleep(0.3)
        with Measured(*online) as measured:
            time.sleep(1)
    assert min(measured.cpus) > 0.85
    assert sum(measured.cpus) > 0.97 * len(bt.CPUS)


# --- Where they may run ---------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_affinity(sched):
    """Of who runs, waits behind somebody, or sleeps."""
    with Batch("burn", policy=POLICY) as hog, Batch("sleep", 1000, policy=POLICY) as sleeper:
        for cpu in 2 * bt.CPUS:
            for process in hog, sleeper:
                os.sched_setaffinity(process.pid, {cpu})
                assert os.sched_getaffinity(process.pid) == {cpu}
                wait_until(lambda who=process, where=cpu: who.cpu() == where, "the CPU", timeout=2)
            before = hog.time()
            wait_until(lambda: hog.time() > before, "the hog's going on", timeout=2)
    with busy_cpus(), Batch("burn", policy=POLICY) as starved:
        for cpu in bt.CPUS:
            os.sched_setaffinity(starved.pid, {cpu})
        # It never gets there, but will be there.
        assert os.sched_getaffinity(starved.pid) == {bt.CPUS[-1]}


@pytest.mark.limit(60)
def test_pinned_ones_are_not_pulled(sched):
    """A CPU that is free leaves them where they have to be."""
    with batches(3, "burn", policy=POLICY, cpu=bt.CPUS[0]) as hogs:
        time.sleep(0.3)
        with Measured(*hogs) as measured:
            time.sleep(0.5)
        assert bt.spread(hogs) == {bt.CPUS[0]: 3}
    assert sum(measured.cpus) < 1.01


@pytest.mark.limit(60)
def test_cpusets(sched):
    """Moving in and out, and changing them."""
    with Cgroup("bt", cpuset_cpus=str(bt.CPUS[0])) as group, batches(3, "burn", policy=POLICY) as hogs:
        for hog in hogs:
            group.write("cgroup.procs", hog.pid)
        wait_until(lambda: bt.spread(hogs) == {bt.CPUS[0]: 3}, "the cpuset's CPU", timeout=2)
        group.write("cpuset.cpus", str(bt.CPUS[-1]))
        wait_until(lambda: bt.spread(hogs) == {bt.CPUS[-1]: 3}, "the other CPU", timeout=2)
        assert bt.all_policies(hogs) == {POLICY}
        for hog in hogs:
            with open("/sys/fs/cgroup/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(hog.pid))
        wait_until(lambda: len(bt.spread(hogs)) > 1, "more than one CPU", timeout=2)


@pytest.mark.limit(120)
def test_processors_come_and_go(sched):
    """Who was there goes on elsewhere; who was pinned there too."""
    cpu = bt.CPUS[-1]
    with batches(len(bt.CPUS), "burn", policy=POLICY) as hogs, \
            Batch("burn", policy=POLICY, cpu=cpu) as pinned, \
            Batch("sleep", 500, policy=POLICY, cpu=cpu) as sleeper:
        for _ in range(5):
            with bt.offline(cpu):
                before = {who: who.time() for who in (*hogs, pinned, sleeper)}
                wait_until(lambda old=before: all(who.time() > old[who] for who in old),
                           "everybody's going on", timeout=5)
                assert cpu not in bt.spread([*hogs, pinned])
            before = {who: who.time() for who in (*hogs, pinned, sleeper)}
            wait_until(lambda old=before: all(who.time() > old[who] for who in old),
                       "everybody's going on", timeout=5)
        # By whom doesn't matter: who was pinned there isn't pinned any more.
        wait_until(lambda: cpu in bt.spread([*hogs, pinned]), "the CPU's being used again", timeout=5)


@pytest.mark.limit(120)
def test_a_cpu_with_starved_ones_can_go(sched):
    """And with throttled ones."""
    cpu = bt.CPUS[-1]
    with busy_cpus([cpu]), batches(3, "burn", policy=POLICY, cpu=cpu) as hogs, bt.offline(cpu):
        before = [hog.time() for hog in hogs]
        wait_until(lambda: all(hog.time() > old for hog, old in zip(hogs, before)), "going on",
                   timeout=5)
    bt.write(bt.PERIOD, 10000000)
    bt.write(bt.RUNTIME, 10000)
    with batches(3, "burn", policy=POLICY, cpu=cpu) as hogs:
        time.sleep(0.3)
        bt.path(bt.RUNTIME)
        with bt.offline(cpu):
            bt.write(bt.RUNTIME, -1)
            before = [hog.time() for hog in hogs]
            wait_until(lambda: all(hog.time() > old for hog, old in zip(hogs, before)), "going on",
                       timeout=5)
