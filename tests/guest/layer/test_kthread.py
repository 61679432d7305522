# SPDX-License-Identifier: GPL-2.0
"""Kernel threads: modules/tk/kthread.rs. What runs in them is tested by KUnit."""

import contextlib
import pathlib
import time

import pytest
from target import SCALE, wait_until

NAME = "tk_selftest/idler"


def threads():
    """The numbers of the kernel threads with the name."""
    found = []
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        # Processes end while one looks.
        with contextlib.suppress(OSError):
            if comm.read_text() == NAME + "\n":
                found.append(int(comm.parent.name))
    return found


def state(pid):
    """The letter of the state."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_thread_is_there_while_the_module_is_loaded(selftest):
    """With its whole name, a child of kthreadd."""
    assert not threads()
    selftest.load(thread=1)
    (thread,) = threads()
    assert f"({NAME}) " in pathlib.Path(f"/proc/{thread}/stat").read_text()
    assert "\nPPid:\t2\n" in pathlib.Path(f"/proc/{thread}/status").read_text()
    selftest.unload()
    assert not threads()


def test_thread_that_waits_is_idle(selftest):
    """It doesn't count as load."""
    selftest.load(thread=1)
    (thread,) = threads()
    wait_until(lambda: state(thread) == "I", "waiting")


def test_thread_that_waits_stops_at_once(selftest):
    """Though nobody wakes its queue."""
    selftest.load(thread=1)
    (thread,) = threads()
    wait_until(lambda: state(thread) == "I", "waiting")
    start = time.monotonic()
    assert selftest.remove() == 0
    assert time.monotonic() - start < 2 * SCALE
    assert not threads()


@pytest.mark.storm
@pytest.mark.limit(300)
def test_loads_and_unloads_50_times(selftest):
    """The thread may not have run yet, or wait already."""
    for round_number in range(50):
        assert selftest.insert("thread=1 files=7") == 0
        time.sleep(round_number % 5 / 1000)
        assert selftest.remove() == 0
        assert not threads()
