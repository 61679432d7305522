# SPDX-License-Identifier: GPL-2.0
"""Beside sched_ext: a scheduler of its own for online work, which finds the CPUs that BT has.

The scheduler is the kernel's own scx_simple, with the kernel's choice of an idle CPU.
"""

import contextlib
import pathlib
import re
import subprocess
import time

import bt
import pytest
from bt import POLICY, Batch, Measured, batches
from bt_group import Group
from target import SCALE, wait_until

STATE = pathlib.Path("/sys/kernel/sched_ext/state")
SIMPLE = pathlib.Path("/usr/share/tkernel-rs/scx/scx_simple")
EXT = 7

pytestmark = pytest.mark.skipif(not STATE.exists(), reason="this kernel has no sched_ext")


class Simple:
    """scx_simple, which has all normal tasks while it runs."""

    def __enter__(self):
        # pylint: disable=consider-using-with
        self._process = subprocess.Popen([SIMPLE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            wait_until(lambda: STATE.read_text() == "enabled\n", "the scheduler")
        except AssertionError:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        # What it has printed since, and why it ended.
        self.output = self._process.communicate(timeout=60 * SCALE)[0]
        wait_until(lambda: STATE.read_text() == "disabled\n", "the scheduler's end")
        assert "EXIT: unregistered from user space" in self.output, self.output

    def placed(self):
        """How many tasks went to a CPU that was free, and into the queue for all, up to the end."""
        return [int(number) for number in re.findall(r"^local=(\d+) global=(\d+)$", self.output, re.MULTILINE)[-1]]


@pytest.fixture
def simple():
    """The scheduler."""
    with Simple() as scheduler:
        yield scheduler


def test_number(bt_module):
    """8, since 7 is SCHED_EXT; both with the parameter, while no scheduler is loaded."""
    assert POLICY == 8
    bt_module.load()
    with Batch("sleep", 1000) as process:
        bt.set_policy(process.pid, EXT)
        assert bt.policy(process.pid) == EXT
    bt_module.unload()
    bt_module.load(policy7=1)
    with Batch("sleep", 1000) as process:
        bt.set_policy(process.pid, EXT)
        assert bt.policy(process.pid) == POLICY
        with Simple():
            # Who is in the class stays.
            assert bt.policy(process.pid) == POLICY
            bt.set_policy(process.pid, EXT)
            assert bt.policy(process.pid) == EXT


@pytest.mark.limit(120)
def test_cpus_that_bt_has_are_idle_to_the_scheduler(sched, note):
    """It places online work there, as where nobody runs, instead of having it wait."""
    shares = []
    for hogs in (0, len(bt.CPUS)):
        # Online work that wakes up all the time, on half of the CPUs at most.
        with Simple() as scheduler, batches(hogs, "burn", policy=POLICY), \
                batches(len(bt.CPUS) // 2, "sleep", 500):
            time.sleep(4)
        local, everywhere = scheduler.placed()
        note(f"placed_{hogs}", (local, everywhere))
        assert local > 1000
        shares.append(local / (local + everywhere))
    assert shares[1] > 0.95 * shares[0]


@pytest.mark.limit(60)
def test_online_work_has_what_it_wants(sched, simple, note):
    """And BT the rest."""
    count = len(bt.CPUS)
    with batches(count, "burn", policy=POLICY) as hogs, batches(count // 2, "burn") as online:
        time.sleep(0.5)
        with Measured(*online, *hogs) as measured:
            time.sleep(2)
    note("cpus", measured.cpus)
    assert min(measured.cpus[:count // 2]) > 0.95
    assert sum(measured.cpus) > 0.97 * count


@pytest.mark.limit(60)
def test_wakes_up_where_bt_runs(sched, simple, note):
    """A task that may run on one CPU only has it when it wakes up, not when BT's turn ends."""
    cpu = bt.CPUS[-1]
    with batches(2, "burn", policy=POLICY, cpu=cpu), Batch("sleep", 500, cpu=cpu) as online:
        time.sleep(0.2)
        with Measured(online) as measured:
            time.sleep(2)
        alone = measured.times[0]
    with Batch("sleep", 500, cpu=cpu) as online:
        time.sleep(0.2)
        with Measured(online) as measured:
            time.sleep(2)
    note("time", (alone, measured.times[0]))
    assert alone > 0.9 * measured.times[0]


@pytest.mark.limit(60)
def test_offline_groups(sched):
    """Stay in the class when a scheduler comes, and come to it when they are normal again."""
    with Group("offline") as group, group.hog() as hog:
        def priority():
            return bt.Stat(hog.pid).priority

        group.write("cpu.offline", 1)
        assert priority() == 60
        with Simple():
            assert priority() == 60
            group.write("cpu.offline", 0)
            assert priority() == 20
            group.write("cpu.offline", 1)
            assert priority() == 60
            before = hog.time()
            time.sleep(0.5)
            assert hog.time() > before
        assert priority() == 60


@pytest.mark.limit(300)
def test_coming_and_going(bt_module):
    """Of schedulers while BT runs, and of the module while a scheduler does: nobody is lost."""
    count = len(bt.CPUS)
    with contextlib.ExitStack() as stack:
        works = [("burn",), ("sleep", 300), ("fork",), ("mmap",), ("proc",), ("affinity",)]
        everybody = [stack.enter_context(Batch(*work)) for work in works]
        everybody += stack.enter_context(batches(count, "burn"))
        bt_module.load()
        for _ in range(8):
            for process in everybody:
                bt.enter(process.pid)
            with Simple():
                time.sleep(0.3)
                bt_module.unload()
                time.sleep(0.1)
                assert not bt.everybodys_policy()
                bt_module.load()
                for process in everybody[::2]:
                    bt.enter(process.pid)
                time.sleep(0.2)
        for process in everybody:
            assert process.stop() > 0
