# SPDX-License-Identifier: GPL-2.0
"""Suspend to RAM, with tasks of the class in all states."""

import contextlib
import time

import bt
import pytest
import suspend
from bt import POLICY, Batch
from bt_group import Group, priority
from target import wait_until

SECONDS = 3
ROUNDS = 3

OFFLINE, NORMAL = 60, 20

pytestmark = pytest.mark.skipif(bool(suspend.why_not()), reason=suspend.why_not() or "")


@contextlib.contextmanager
def everything(group):
    """Tasks of the class that run, sleep, fork, are in system calls, starve behind a normal one,
    and are held up by a limit; and that normal one."""
    with contextlib.ExitStack() as stack:
        def batch(*work, **options):
            return stack.enter_context(Batch(*work, **options))

        offline = [batch("burn", policy=POLICY) for _ in bt.CPUS]
        offline += [batch("proc", policy=POLICY, cpu=bt.CPUS[0]), batch("mmap", policy=POLICY, cpu=bt.CPUS[-1]),
                    batch("fork", policy=POLICY), batch("sleep", 500, policy=POLICY), stack.enter_context(group.hog())]
        yield offline, batch("burn", cpu=bt.CPUS[0])


def assert_all_run(processes, normal):
    """Each gets on; what is bound to the CPU of the normal one doesn't, since it starves."""
    before = [process.time() for process in processes]
    with bt.Measured(normal) as measured:
        wait_until(lambda: all(process.time() > old for process, old in zip(processes, before)), "a turn of each")
        time.sleep(1)
    assert measured.cpus[0] > 0.8


@pytest.mark.limit(240)
def test_all_go_on_afterwards(sched):
    """They are where they were, in the class, and it can be unloaded."""
    with Group("held", cpu_offline=1, cpu_bt_max="20000 100000") as group, everything(group) as (offline, normal):
        bound = offline[len(bt.CPUS)]
        others = [process for process in offline if process is not bound]
        for _ in range(ROUNDS):
            assert_all_run(others, normal)
            before = bt.cpu_lines()
            assert suspend.suspend_to_ram(SECONDS) > SECONDS - 2
            assert all(priority(process) == OFFLINE for process in offline)
            assert bt.cpu_lines().keys() == before.keys()
            with bt.Measured(bound) as measured:
                assert_all_run(others, normal)
            assert measured.cpus[0] < 0.1
        sched.unload()
        for process in offline:
            assert priority(process) == NORMAL
            process.stop()


@pytest.mark.limit(240)
def test_unloads_and_loads_in_between(sched):
    """The class comes and goes with the machine asleep in between."""
    with Batch("burn") as process:
        for _ in range(ROUNDS):
            bt.enter(process.pid)
            suspend.suspend_to_ram(SECONDS)
            assert priority(process) == OFFLINE
            sched.unload()
            assert priority(process) == NORMAL
            suspend.suspend_to_ram(SECONDS)
            sched.load()


@pytest.mark.limit(240)
def test_limit_counts_no_time_asleep(sched):
    """Who was at his limit isn't owed for the time in which nobody ran."""
    with Group("held", cpu_offline=1, cpu_bt_max="20000 100000") as group, group.hog() as hog:
        suspend.suspend_to_ram(SECONDS)
        with bt.Measured(hog) as measured:
            time.sleep(2)
    assert measured.cpus[0] == pytest.approx(0.2, abs=0.03)
