# SPDX-License-Identifier: GPL-2.0
"""What offline work does to the frequency of its CPU, with the governor schedutil."""

import contextlib
import os
import pathlib
import time

import bt
import disks
import pytest
from bt import POLICY, Batch
from target import wait_until

SLOW, FAST = 1_000_000, 3_000_000


class Frequency:
    """Of one CPU, in kHz."""

    def __init__(self, cpu):
        self._cpu = cpu
        self._policy = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq")
        (self._policy / "scaling_governor").write_text("schedutil")
        assert int((self._policy / "scaling_min_freq").read_text()) == SLOW
        assert int((self._policy / "scaling_max_freq").read_text()) == FAST

    def get(self):
        """As it was set last."""
        return int((self._policy / "scaling_cur_freq").read_text())

    @contextlib.contextmanager
    def _there(self):
        """Who looks wakes up on the CPU: nobody sets the frequency of one that idles all the time."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._cpu})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def becomes(self, frequency):
        """Within some half lives of what a CPU is known to have done, which are 32 ms."""
        with self._there():
            wait_until(lambda: self.get() == frequency, f"{frequency} kHz", 2)

    def stays(self, frequency):
        """Whenever somebody looks."""
        with self._there():
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                assert self.get() == frequency
                time.sleep(0.01)


@pytest.fixture(scope="module", autouse=True)
def driver():
    """Each CPU has frequencies: tests/vm/pstates.sh."""
    if not list(pathlib.Path("/sys/firmware/acpi/tables").glob("SSDT*")):
        pytest.skip("this machine's CPUs have one frequency")
    disks.run("modprobe", "acpi-cpufreq")
    yield
    disks.run("modprobe", "-r", "acpi-cpufreq")


@pytest.fixture
def frequency():
    """Of a CPU that nobody uses."""
    here = Frequency(bt.CPUS[-1])
    here.becomes(SLOW)
    return here


@contextlib.contextmanager
def hog(policy=POLICY, **options):
    """On that CPU."""
    with Batch("burn", policy=policy, cpu=bt.CPUS[-1], **options) as process:
        yield process


@pytest.mark.parametrize("policy", [bt.NORMAL, POLICY])
def test_as_any_other_work(sched, frequency, policy):
    """It goes up while it runs and down afterwards."""
    with hog(policy):
        frequency.becomes(FAST)
        frequency.stays(FAST)
    frequency.becomes(SLOW)


def test_it_does_not_count_if_it_is_not_to(sched, frequency):
    """The CPU runs it as slowly as it can, whatever ran before."""
    bt.write(bt.CPUFREQ, 0)
    with hog():
        # What it did before it was put into the class counts.
        frequency.becomes(SLOW)
        frequency.stays(SLOW)
        with hog(bt.NORMAL):
            frequency.becomes(FAST)
        frequency.becomes(SLOW)
        frequency.stays(SLOW)


def test_the_switch_holds_at_once(sched, frequency):
    """For what runs already."""
    with hog():
        for _ in range(2):
            bt.write(bt.CPUFREQ, 1)
            frequency.becomes(FAST)
            bt.write(bt.CPUFREQ, 0)
            frequency.becomes(SLOW)


def test_a_limit_shows(sched, frequency):
    """A tenth of the CPU needs no more than the lowest frequency."""
    bt.write(bt.PERIOD, 10_000)
    bt.write(bt.RUNTIME, 1_000)
    with hog():
        time.sleep(0.3)
        frequency.stays(SLOW)
        bt.write(bt.RUNTIME, -1)
        frequency.becomes(FAST)


def test_unloading_while_it_counts(bt_module, frequency):
    """The governor goes on with those that are left."""
    bt_module.load()
    with hog():
        frequency.becomes(FAST)
        bt_module.unload()
        frequency.stays(FAST)
    frequency.becomes(SLOW)
    bt_module.load()
    bt_module.unload()
