# SPDX-License-Identifier: GPL-2.0
"""Eight CPUs: two packages of two cores with two threads each."""

import signal
import time

import bt
import pytest
from bt import POLICY, Measured, batches, busy_cpus
from bt_group import Group, hogs
from target import wait_until
from topology import cores


@pytest.fixture(autouse=True)
def eight_cpus():
    """That is what these are about."""
    if len(bt.CPUS) < 8:
        pytest.skip("this machine has fewer than 8 CPUs")


@pytest.mark.limit(120)
def test_few_have_a_core_each(sched, turns):
    """As long as there are as many cores, on whatever node."""
    if len(cores(bt.CPUS)) == len(bt.CPUS):
        pytest.skip("this machine's cores have one thread")
    with batches(len(cores(bt.CPUS)), "burn", policy=POLICY) as processes:
        time.sleep(0.3)
        where = bt.spread(processes)
    assert len(cores(where)) == len(cores(bt.CPUS)), where


@pytest.mark.limit(120)
def test_hogs_fill_what_online_work_leaves(sched, turns, note):
    """All CPUs within 100 ms of its going to sleep; and they are gone when it is back."""
    half = bt.CPUS[:4]
    with Group("offline", cpu_offline=1) as group, hogs(*[group] * 8) as processes, busy_cpus(half) as online:
        time.sleep(0.5)
        for _ in range(5):
            assert not set(bt.spread(processes)) & set(half)
            for one in online:
                one.signal(signal.SIGSTOP)
            time.sleep(0.1)
            # Who looks is online work, and on 8 CPUs that take turns it takes 8 times as long: one
            # of them is put off for some ticks.
            with Measured(*processes) as measured:
                time.sleep(0.2)
            note("cpus", sum(measured.cpus))
            assert sum(measured.cpus) > 0.97 * 8
            assert all(share > 0.8 for share in measured.cpus), measured.cpus
            for one in online:
                one.signal(signal.SIGCONT)
            time.sleep(0.2)


@pytest.mark.limit(300)
def test_thousands_of_tasks(sched, turns, note):
    """What is done under a run queue's lock doesn't grow with them."""
    longest = {}
    # The more there are the longer each sleeps: as many wait.
    for threads in (20, 40):
        with batches(50, "sleep", 2500 * threads, policy=POLICY, threads=threads) as processes, \
                busy_cpus(bt.CPUS[:4]) as online:
            before = bt.starvation()
            for one in online * 6:
                one.signal(signal.SIGSTOP)
                time.sleep(0.1)
                one.signal(signal.SIGCONT)
                time.sleep(0.1)
            after = bt.starvation()
            longest[threads] = after["longest_balance_ns"]
            assert after["pushes"] + after["pulls"] > before["pushes"] + before["pulls"]
            for process in processes:
                process.leave()
        sched.unload()
        sched.load()
    note("longest_balance_ns", longest)
    # An emulated nanosecond is an instruction of the whole machine, whose eight CPUs take turns: of a CPU's
    # own it is an eighth of this, and the others' turns come in between or don't. A full batch is eight moves;
    # to look at 2,000 tasks would take more than ten times as long.
    assert max(longest.values()) < 1_000_000


@pytest.mark.limit(120)
def test_unequal_weights_are_spread(sched, turns, note):
    """By weight, not by number: one of nice 0 has a CPU for itself beside many of nice 19."""
    with batches(2, "burn", policy=POLICY, nice=0) as heavy, batches(14, "burn", policy=POLICY, nice=19), \
            busy_cpus(bt.CPUS[4:]):
        wait_until(lambda: len(bt.spread(heavy)) == 2, "their places", timeout=2)
        time.sleep(0.5)
        with Measured(*heavy) as measured:
            time.sleep(1)
    note("cpus", measured.cpus)
    # Beside a few light ones it has nearly all of it.
    assert min(measured.cpus) > 0.8
