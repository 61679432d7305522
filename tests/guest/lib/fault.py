# SPDX-License-Identifier: GPL-2.0
"""Making allocations fail."""

import contextlib
import os
import pathlib

import linux
import pytest
from module import loaded, path
from pagecache import setting

DEBUG = pathlib.Path("/sys/kernel/debug")
FAILSLAB = DEBUG / "failslab"
KMEMLEAK = DEBUG / "kmemleak"

# Of slab caches, and of whole pages, as for stacks: all that may sleep.
SETTINGS = {
    "failslab": {"ignore-gfp-wait": "N", "cache-filter": "N"},
    "fail_page_alloc": {"ignore-gfp-wait": "N", "ignore-gfp-highmem": "N", "min-order": "0"},
}
COMMON = {"task-filter": "N", "verbose": "0"}

# The kernel itself says so when it can't note that a module uses its static keys.
WARNINGS_OF_LOADS = r"WARNING: kernel/jump_label\.c:\d+ at jump_label_(del_module|module_notify)"


@contextlib.contextmanager
def failing_allocations():
    """Allocations of this thread that may sleep can fail; /proc/thread-self/fail-nth says which."""
    if not FAILSLAB.exists():
        pytest.skip("this kernel has no CONFIG_FAILSLAB: the debug one has")
    with contextlib.ExitStack() as stack:
        for folder, settings in SETTINGS.items():
            for name, value in {**settings, **COMMON}.items():
                stack.enter_context(setting(DEBUG / folder / name, value))
        yield pathlib.Path("/proc/thread-self/fail-nth")


@contextlib.contextmanager
def no_leaks(*callers):
    """Memory that the block allocated and nobody knows any more has none of these in its traces."""
    if not KMEMLEAK.exists():
        pytest.skip("this kernel has no CONFIG_DEBUG_KMEMLEAK: the debug one has")
    KMEMLEAK.write_text("clear")
    yield
    # What was freed a moment ago is found in the first.
    KMEMLEAK.write_text("scan")
    KMEMLEAK.write_text("scan")
    leaks = KMEMLEAK.read_text()
    for caller in callers:
        assert caller not in leaks, leaks


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
