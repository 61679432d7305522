# SPDX-License-Identifier: GPL-2.0
"""BT tasks that are starved in the middle of a system call hold up nobody.

They may hold locks or be in RCU read sections then: whoever waits for those would wait for as long
as online work keeps every CPU.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import bt
import pytest
from bt import POLICY, Batch, busy_cpus
from cgroup import Cgroup
from clock import is_deterministic
from hammer import priority
from linux import syscall
from target import SCALE

MEMBARRIER_GLOBAL = 1

# Seconds that something may take which needs a lock that one of many in turn holds, each of which
# shares its CPU with one that never sleeps; and a grace period, which each CPU has to pass.
LOCK = 0.3 if is_deterministic() else 5
GRACE = 1 if is_deterministic() else 15

ROUNDS = 25


class Starved:
    """On each CPU, BT doing something in the kernel, and online work that comes and goes."""

    def __init__(self, online, victims):
        self._online = online
        self._victims = victims
        self.longest = 0

    def _signal(self, number):
        for process in self._online:
            process.signal(number)

    def again(self):
        """Lets BT work for a moment, and stops it wherever it is then."""
        self._signal(signal.SIGSTOP)
        # Not in step with what they do.
        time.sleep(0.002 + 0.00037 * (len(os.listdir("/proc")) % 7))
        self._signal(signal.SIGCONT)
        time.sleep(0.01)

    def while_starved(self, call):
        """Calls it many times, and keeps the longest time it took, in s."""
        before = [victim.time() for victim in self._victims]
        for _ in range(ROUNDS):
            self.again()
            start = time.monotonic()
            call()
            self.longest = max(self.longest, time.monotonic() - start)
        # Or it has shown nothing.
        assert all(victim.time() > old for victim, old in zip(self._victims, before))
        return self.longest


@contextlib.contextmanager
def starving(*work, each=2):
    """See Starved; `each` on each CPU."""
    with contextlib.ExitStack() as stack:
        victims = [stack.enter_context(Batch(*work, cpu=cpu, policy=POLICY))
                   for cpu in bt.CPUS for _ in range(each)]
        for victim in victims:
            # Rather than killed: they clean up what they make.
            stack.callback(victim.stop)
        online = stack.enter_context(busy_cpus())
        # This test is to wait for what they do, not for a CPU.
        stack.enter_context(priority(-15))
        yield Starved(online, victims)


@pytest.mark.limit(120)
@pytest.mark.parametrize("work", ["rename", "mkdir"])
def test_lock_of_a_directory(sched, turns, note, tmp_path, work):
    """A mutex that every one of them takes: who is online gets it."""
    def use():
        os.mkdir(tmp_path / "mine")
        os.rmdir(tmp_path / "mine")

    before = bt.starvation()["lifts"]
    with starving(work, tmp_path) as starved:
        note("longest_ms", 1000 * starved.while_starved(use))
    assert starved.longest < LOCK
    # Else nobody ever was in the way, and nothing was shown.
    assert bt.starvation()["lifts"] > before


@pytest.mark.limit(120)
def test_they_hold_up_others_if_they_are_not_lifted(sched, turns, note, tmp_path):
    """That the tests here can fail: with a second to wait until they are."""
    bt.write(bt.LIFT, 1000000)
    with starving("mkdir", tmp_path, each=4) as starved:
        for _ in range(40):
            starved.again()
            start = time.monotonic()
            os.mkdir(tmp_path / "mine")
            os.rmdir(tmp_path / "mine")
            took = time.monotonic() - start
            if took > 0.5:
                break
    note("took_ms", 1000 * took)
    assert took > 0.5


@pytest.mark.limit(120)
def test_lock_of_all_cgroups(sched, turns, note):
    """Of the whole machine."""
    def use():
        with Cgroup("mine"):
            pass

    with Cgroup("theirs") as group, starving("mkdir", group.path, each=1) as starved:
        note("longest_ms", 1000 * starved.while_starved(use))
    assert starved.longest < LOCK


@pytest.mark.limit(120)
def test_moving_between_cgroups_while_they_fork(sched, turns, note):
    """Which waits for all that are forking."""
    with Cgroup("mine") as group, Batch("sleep", 10000) as moved, starving("fork", each=1) as starved:
        def use():
            group.write("cgroup.procs", moved.pid)
            pathlib.Path("/sys/fs/cgroup/cgroup.procs").write_text(str(moved.pid))

        note("longest_ms", 1000 * starved.while_starved(use))
    assert starved.longest < LOCK


@pytest.mark.limit(120)
def test_memory_of_theirs_can_be_looked_at(sched, turns, note):
    """ps(1) and its like don't hang."""
    with starving("mmap") as starved:
        def use():
            for victim in starved._victims:  # pylint: disable=protected-access
                for name in "cmdline", "maps", "status":
                    pathlib.Path(f"/proc/{victim.pid}/{name}").read_text()

        note("longest_ms", 1000 * starved.while_starved(use))
    assert starved.longest < LOCK


@pytest.mark.limit(180)
@pytest.mark.parametrize("work", ["proc", "fork", "mmap"])
def test_grace_periods_end(sched, turns, note, work):
    """synchronize_rcu(), by the system call that is little else."""
    before = bt.starvation()["lifts"]
    with starving(work) as starved:
        note("longest_ms", 1000 * starved.while_starved(lambda: syscall(bt.SYS_MEMBARRIER,
                                                                       MEMBARRIER_GLOBAL, 0, 0)))
    assert starved.longest < GRACE
    assert bt.starvation()["lifts"] > before


@pytest.mark.limit(120)
@pytest.mark.parametrize("work", ["proc", "fork", "mmap", "policy"])
def test_the_module_can_be_unloaded(sched, turns, note, tmp_path, work):
    """Whatever they were stopped in."""
    with starving(work, POLICY, each=3) as starved:
        starved.again()
        start = time.monotonic()
        assert sched.remove() == 0
        took = time.monotonic() - start
        note("took_ms", 1000 * took)
    assert took < 2 * GRACE


@pytest.mark.limit(120)
def test_programs_start_and_end(sched, turns, note):
    """With all that this needs of the kernel."""
    with starving("proc") as starved:
        note("longest_ms", 1000 * starved.while_starved(lambda: subprocess.run(["true"], check=True)))
    assert starved.longest < LOCK


@pytest.mark.limit(120)
def test_being_lifted_is_no_way_out(sched, turns, note):
    """Who is in the kernel for long doesn't get more than others leave, but for its last call."""
    cpu = bt.CPUS[-1]
    with Batch("proc", cpu=cpu, policy=POLICY) as reader, Batch("burn", cpu=cpu, policy=POLICY) as hog, \
            busy_cpus([cpu]) as [online]:
        time.sleep(0.2)
        with bt.Measured(reader, hog, online) as measured:
            time.sleep(1)
        note("cpus", measured.cpus)
        assert bt.all_policies([reader, hog]) == {POLICY}
    assert measured.cpus[2] > 0.98
    assert measured.times[1] < 1_000_000 * SCALE
