# SPDX-License-Identifier: GPL-2.0
"""Registering with hooks, and leaving them."""

import errno
import os
import threading
import time

import pytest
from module import loaded

PTRACE, ACCESS, PROCESS = 1, 2, 4


@pytest.mark.parametrize("hook", [PTRACE, ACCESS, PROCESS])
def test_second_owner_is_refused_and_leaves_nothing(selftest, ttools_module, hook):
    """EBUSY, whichever hook is taken; the others are free again."""
    assert selftest.insert(f"hold={hook}") == 0
    assert ttools_module.insert() == errno.EBUSY
    assert not loaded("ttools")
    assert not os.path.exists("/dev/ttools")
    assert not os.path.exists("/sys/class/misc/ttools")
    selftest.unload()
    # All three, so none of them was kept.
    assert selftest.insert(f"hold={PTRACE | ACCESS | PROCESS}") == 0
    selftest.unload()
    ttools_module.load()


def test_ptrace_only_leaves_the_access_hook_to_others(selftest, ttools_module):
    """What the module doesn't need it doesn't take."""
    assert selftest.insert(f"hold={ACCESS}") == 0
    ttools_module.load(ptrace_only=1)


def test_unloading_waits_for_a_task_that_sleeps_in_an_op(selftest, kernel_log):
    """The op's code is there until its last line has run."""
    delay = 2
    assert selftest.insert(f"hold={PROCESS} fork_delay_ms={delay * 1000}") == 0

    def fork():
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    forker = threading.Thread(target=fork)
    start = time.monotonic()
    forker.start()
    time.sleep(delay / 4)
    assert selftest.remove() == 0
    waited = time.monotonic() - start
    assert waited >= delay, "the module went while its code slept"
    assert kernel_log.matching("a fork slept in the hook")
    forker.join(60)
    assert not forker.is_alive()
