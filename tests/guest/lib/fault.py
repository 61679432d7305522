# SPDX-License-Identifier: GPL-2.0
"""Making allocations fail."""

import contextlib
import os
import pathlib

import linux
import pytest
from module import loaded, path

FAILSLAB = pathlib.Path("/sys/kernel/debug/failslab")


@contextlib.contextmanager
def failing_allocations():
    """Allocations of this thread that may sleep can fail; /proc/thread-self/fail-nth says which."""
    if not FAILSLAB.exists():
        pytest.skip("this kernel has no CONFIG_FAILSLAB: the debug one has")
    settings = {"task-filter": "N", "ignore-gfp-wait": "N", "verbose": "0", "cache-filter": "N"}
    before = {name: (FAILSLAB / name).read_text().strip() for name in settings}
    for name, value in settings.items():
        (FAILSLAB / name).write_text(value)
    try:
        yield pathlib.Path("/proc/thread-self/fail-nth")
    finally:
        for name, value in before.items():
            (FAILSLAB / name).write_text(value)


def each_failure(call, after, limit=5000):
    """Calls `call`, which returns an errno, with its n-th allocation failing, for n from 1 on.

    Ends when there are fewer than n. `after(n, errno)` is called after each. Returns how many of
    the calls failed.
    """
    failures = 0
    with failing_allocations() as fail_nth:
        # Open, so that only the call allocates.
        control = os.open(fail_nth, os.O_RDWR)
        for nth in range(1, limit):
            os.pwrite(control, str(nth).encode(), 0)
            error = call()
            left = int(os.pread(control, 16, 0).split(b"\0")[0])
            os.pwrite(control, b"0", 0)
            failures += bool(error)
            after(nth, error)
            if left:
                break
        os.close(control)
    print(f"{failures} failures")
    return failures


def each_failing_load(module, left):
    """Loads a module with its n-th allocation failing. Afterwards nothing of it may be `left`."""
    file = os.open(path(module.name), os.O_RDONLY)

    def after(nth, error):
        if error:
            assert not loaded(module.name), nth
            assert not left(), nth
        else:
            assert module.remove() == 0

    failures = each_failure(lambda: linux.errno_of(linux.finit_module, file), after)
    os.close(file)
    return failures
