# SPDX-License-Identifier: GPL-2.0
"""Wait queues: modules/tk/wait_queue.rs. Processes wait by writing to a file in /proc/sys/vm."""

import errno
import os
import pathlib
import signal
import time

import pytest
from target import SCALE, wait_until

VM = pathlib.Path("/proc/sys/vm")


class Waiter:
    """A process that writes to a file and ends with the errno."""

    def __init__(self, name, number):
        self._status = None
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGUSR1, lambda *_: None)
            file = os.open(VM / f"tk_selftest_{name}", os.O_WRONLY)
            try:
                os.write(file, str(number).encode())
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)

    def ended(self):
        """Whether it has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status is not None

    def result(self):
        """The errno, or the negative signal that killed it."""
        wait_until(self.ended, "a waiter's end")
        return self._status

    def sleeps(self):
        """Whether it waits in the queue."""
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "D"


def show(name):
    """The number in a file."""
    return int((VM / f"tk_selftest_{name}").read_text())


def set_to(name, number):
    """Writes a number to a file."""
    (VM / f"tk_selftest_{name}").write_text(str(number))


@pytest.fixture
def wait(selftest):
    """Makes processes that wait, until the test ends."""
    selftest.load(files=4)
    waiters = []

    def make(name, number=1):
        waiter = Waiter(name, number)
        waiters.append(waiter)
        wait_until(lambda: waiter.ended() or waiter.sleeps(), "waiting")
        return waiter

    yield make
    for waiter in waiters:
        if not waiter.ended():
            os.kill(waiter.pid, signal.SIGKILL)
    for waiter in waiters:
        waiter.result()


def test_true_condition_needs_no_wait(wait):
    """The queue is never entered."""
    set_to("level", 3)
    assert wait("wait_for_level", 3).result() == 0
    assert show("has_waiters") == 0


def test_waiter_is_woken_when_its_condition_is_true(wait):
    """Not before."""
    waiter = wait("wait_for_level", 5)
    assert show("has_waiters") == 1
    set_to("level", 4)
    time.sleep(0.2)
    assert not waiter.ended()
    assert show("has_waiters") == 1
    set_to("level", 5)
    assert waiter.result() == 0
    assert show("has_waiters") == 0


def test_wake_all_wakes_all(wait):
    """Those whose condition isn't true go on waiting."""
    low = [wait("wait_for_level", 1) for _ in range(5)]
    high = [wait("wait_for_level", 2) for _ in range(2)]
    set_to("level", 1)
    assert [waiter.result() for waiter in low] == [0] * 5
    assert not any(waiter.ended() for waiter in high)
    assert show("has_waiters") == 1
    set_to("level", 2)
    assert [waiter.result() for waiter in high] == [0] * 2
    assert show("wait_for_level") == 7


def test_wake_one_wakes_the_oldest(wait):
    """One for each ticket."""
    waiters = [wait("wait_for_ticket") for _ in range(3)]
    for number, waiter in enumerate(waiters):
        assert show("wait_for_ticket") == number
        set_to("ticket", 1)
        assert waiter.result() == 0
    assert show("ticket") == 0
    assert show("has_waiters") == 0


def test_timeout_ends_a_wait(wait):
    """ETIMEDOUT, not before the time is over but for a tick."""
    for milliseconds in (0, 1, 400):
        set_to("timeout_ms", milliseconds)
        start = time.monotonic()
        assert wait("wait_for_level", 1).result() == errno.ETIMEDOUT
        assert time.monotonic() - start >= milliseconds / 1000 - 0.01
    assert show("has_waiters") == 0


def test_timeout_that_is_not_over_does_no_harm(wait):
    """Neither a long one nor the longest."""
    for level, milliseconds in ((1, 60_000), (2, 2 ** 31 - 1)):
        set_to("timeout_ms", milliseconds)
        waiter = wait("wait_for_level", level)
        set_to("level", level)
        assert waiter.result() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_process_stops_waiting(wait, number):
    """At once; by every signal that ends a process."""
    waiter = wait("wait_for_level", 1)
    start = time.monotonic()
    os.kill(waiter.pid, number)
    assert waiter.result() == -number
    assert time.monotonic() - start < 2 * SCALE
    assert show("has_waiters") == 0
    assert show("wait_for_level") == 0


def test_signal_that_does_not_kill_does_not_end_a_wait(wait):
    """One with a handler."""
    waiter = wait("wait_for_level", 1)
    os.kill(waiter.pid, signal.SIGUSR1)
    time.sleep(0.2)
    assert not waiter.ended()
    assert waiter.sleeps()
    set_to("level", 1)
    assert waiter.result() == 0


@pytest.mark.limit(120)
def test_killed_process_takes_no_wake_up_with_it(wait):
    """When a ticket is given while the oldest waiter dies, that or the other one gets it."""
    for round_number in range(30):
        oldest = wait("wait_for_ticket")
        other = wait("wait_for_ticket")
        passed = show("wait_for_ticket")
        if round_number % 2:
            os.kill(oldest.pid, signal.SIGKILL)
            set_to("ticket", 1)
        else:
            set_to("ticket", 1)
            os.kill(oldest.pid, signal.SIGKILL)
        oldest.result()
        wait_until(lambda passed=passed: show("wait_for_ticket") == passed + 1, "the ticket")
        # For the other one, or what is left if that has got the first.
        set_to("ticket", 1)
        assert other.result() == 0
        if show("ticket"):
            assert wait("wait_for_ticket").result() == 0


def test_unloading_waits_for_a_waiter(wait, selftest):
    """Whose time is over then."""
    set_to("timeout_ms", 1500)
    start = time.monotonic()
    waiter = wait("wait_for_level", 1)
    assert selftest.remove() == 0
    assert time.monotonic() - start >= 1.4
    assert waiter.result() == errno.ETIMEDOUT
