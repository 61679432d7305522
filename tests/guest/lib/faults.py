# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail."""

import contextlib
import pathlib

import pytest

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
