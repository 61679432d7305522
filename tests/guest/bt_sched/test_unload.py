# SPDX-License-Identifier: GPL-2.0
"""Loading and unloading with processes of the class in every state."""

import contextlib
import errno
import os
import signal
import time

import bt
import linux
import pytest
from bt import POLICY, Batch, Stat, batches, busy_cpus
from cgroup import Cgroup
from clock import is_deterministic
from fault import each_failing_load
from target import SCALE, wait_until

# Seconds that unloading may take.
BOUND = 2 * SCALE if is_deterministic() else 20 * SCALE


def unload(module):
    """And how long it took, in s."""
    start = time.monotonic()
    assert module.remove() == 0
    return time.monotonic() - start


def all_go_on(processes):
    """Each gets CPU time."""
    before = [process.time() for process in processes]
    wait_until(lambda: all(process.time() > old for process, old in zip(processes, before)),
               "everybody's going on", timeout=10)


@pytest.mark.limit(120)
def test_everybody_is_made_normal_with_his_nice_value(sched, note):
    """Running, waiting, sleeping, stopped; with threads, starved, and pinned."""
    with contextlib.ExitStack() as stack:
        def start(*work, **options):
            return stack.enter_context(Batch(*work, policy=POLICY, **options))

        processes = [start("burn", nice=nice) for nice in (0, 5, -5, 19)]
        processes += [start("burn", cpu=cpu, nice=3) for cpu in bt.CPUS]
        processes += [start("sleep", 1000, nice=7), start("sleep", 10_000_000, nice=2)]
        processes += [start("burn", threads=4, nice=1), start("sleep", 500, threads=4)]
        processes += [start("proc"), start("yield", nice=4)]
        stopped = start("burn", nice=6)
        stopped.signal(signal.SIGSTOP)
        wait_until(lambda: Stat(stopped.pid).state == "T", "stopping")
        nices = {process: Stat(process.pid).nice for process in (*processes, stopped)}
        assert sorted(nices.values())[0] == -5
        assert bt.all_policies(nices) == {POLICY}

        note("took_ms", 1000 * unload(sched))
        assert bt.all_policies(nices) == {bt.NORMAL}
        for process, nice in nices.items():
            assert (Stat(process.pid).nice, Stat(process.pid).priority) == (nice, 20 + nice)
        stopped.signal(signal.SIGCONT)
        sleeping = processes[len(bt.CPUS) + 5]
        all_go_on([process for process in (*processes, stopped) if process is not sleeping])
        # And what isn't there can't be entered.
        assert bt.enter_errno(processes[0].pid) == bt.EINVAL


@pytest.mark.limit(120)
def test_unloading_with_starved_ones(sched, note):
    """Nothing that the unloading waits for is theirs to do."""
    with busy_cpus(), batches(8, "burn", policy=POLICY) as hogs, \
            batches(4, "proc", policy=POLICY) as readers:
        time.sleep(0.3)
        took = unload(sched)
        note("took_ms", 1000 * took)
        assert took < BOUND
        assert bt.all_policies([*hogs, *readers]) == {bt.NORMAL}
        all_go_on([*hogs, *readers])


@pytest.mark.limit(120)
def test_unloading_while_they_fork_and_die(sched, note):
    """Children, grandchildren that nobody waits for, threads: none is left behind."""
    with batches(4, "fork", policy=POLICY) as parents, busy_cpus(bt.CPUS[:1]):
        time.sleep(0.3)
        took = unload(sched)
        note("took_ms", 1000 * took)
        assert took < BOUND
        assert not bt.everybodys_policy()
        for parent in parents:
            assert parent.stop() > 0


@pytest.mark.limit(120)
@pytest.mark.parametrize("starved", [False, True], ids=["alone", "starved"])
def test_unloading_with_dying_ones(sched, note, starved):
    """They are on no list any more, but still to be scheduled for a last time."""
    with contextlib.ExitStack() as stack:
        hogs = [stack.enter_context(Batch("burn", policy=POLICY, threads=8)) for _ in range(4)]
        if starved:
            stack.enter_context(busy_cpus())
        for hog in hogs:
            hog.process.kill()
        took = unload(sched)
        note("took_ms", 1000 * took)
        assert took < BOUND
        for hog in hogs:
            assert hog.process.wait(30 * SCALE) == -signal.SIGKILL


@pytest.mark.limit(60)
def test_unloading_with_throttled_ones(sched, note):
    """They don't wait for the period's end."""
    bt.write(bt.PERIOD, 30000000)
    bt.write(bt.RUNTIME, 1000)
    with batches(2 * len(bt.CPUS), "burn", policy=POLICY) as hogs:
        time.sleep(0.3)
        took = unload(sched)
        note("took_ms", 1000 * took)
        assert took < BOUND
        all_go_on(hogs)


@pytest.mark.limit(60)
def test_unloading_with_traced_and_frozen_ones(sched):
    """Whoever keeps them from running."""
    with Cgroup("bt") as group, Batch("burn", policy=POLICY) as frozen, \
            Batch("burn", policy=POLICY, nice=2) as traced:
        group.write("cgroup.procs", frozen.pid)
        group.write("cgroup.freeze", 1)
        wait_until(lambda: group.numbers("cgroup.events")["frozen"] == 1, "freezing")
        linux.ptrace("SEIZE", traced.pid)
        linux.ptrace("INTERRUPT", traced.pid)
        os.waitpid(traced.pid, 0)
        assert unload(sched) < BOUND
        assert bt.all_policies([frozen, traced]) == {bt.NORMAL}
        linux.ptrace("DETACH", traced.pid)
        group.write("cgroup.freeze", 0)
        all_go_on([frozen, traced])


@pytest.mark.limit(60)
def test_reset_on_fork_survives_unloading(sched):
    """It is not the class's."""
    with Batch("sleep", 1000) as process:
        bt.set_policy(process.pid, POLICY | bt.RESET_ON_FORK)
        sched.unload()
        assert bt.policy(process.pid) in (bt.NORMAL, bt.NORMAL | bt.RESET_ON_FORK)
        all_go_on([process])


def test_open_files_do_not_hold_the_module(sched):
    """Neither sysctls nor counters."""
    # pylint: disable=consider-using-with
    files = [open(path, "rb", buffering=0) for path in
             (*map(bt.path, bt.DEFAULTS), bt.STAT, bt.STARVATION)]
    for file in files:
        file.read(10)
    assert sched.remove() == 0
    for file in files:
        with contextlib.suppress(OSError):
            os.pread(file.fileno(), 10, 0)
        file.close()
    assert not bt.left()


def test_processes_do_not_hold_the_module(sched):
    """One in the class is no user of the module."""
    with Batch("burn", policy=POLICY), open("/sys/module/bt_sched_shim/refcnt", encoding="ascii") as file:
        assert int(file.read()) == 0


def test_loading_twice_says_that_it_exists(sched):
    """And the first stays as it is."""
    with Batch("burn", policy=POLICY) as hog:
        assert sched.insert() == errno.EEXIST
        assert bt.policy(hog.pid) == POLICY


def test_who_was_made_normal_can_come_back(sched):
    """When the module does."""
    with Batch("burn", policy=POLICY) as hog:
        for _ in range(3):
            sched.unload()
            assert bt.policy(hog.pid) == bt.NORMAL
            sched.load()
            assert bt.policy(hog.pid) == bt.NORMAL
            bt.enter(hog.pid)
            all_go_on([hog])


@pytest.mark.limit(300)
def test_each_failing_allocation_of_the_load_leaves_nothing(bt_module, kernel_log):
    """The n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    assert each_failing_load(bt_module, bt.left) > 5
    with Batch("sleep", 1000) as process:
        assert bt.enter_errno(process.pid) == bt.EINVAL
    bt_module.load()
    assert bt.read_all() == bt.DEFAULTS
