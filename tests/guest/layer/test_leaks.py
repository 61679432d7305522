# SPDX-License-Identifier: GPL-2.0
"""What the layer leaves behind when it is used as intended: nothing."""

import pathlib

import pytest
from module import Selftest

KMEMLEAK = pathlib.Path("/sys/kernel/debug/kmemleak")


@pytest.mark.limit(300)
def test_no_memory_is_kept_after_unloading():
    """With all files and a thread, and of the KUnit suites."""
    if not KMEMLEAK.exists():
        pytest.skip("this kernel has no CONFIG_DEBUG_KMEMLEAK: the debug one has")
    selftest = Selftest(suites="tk_*")
    selftest.clean_up()
    KMEMLEAK.write_text("clear")
    for _ in range(2):
        selftest.load(files=7, thread=1)
        for file in pathlib.Path("/proc/sys/tk_selftest/numbers").iterdir():
            file.read_text()
        pathlib.Path("/proc/tk_selftest").read_text()
        selftest.unload()
    KMEMLEAK.write_text("scan")
    KMEMLEAK.write_text("scan")
    leaks = KMEMLEAK.read_text()
    # Of the module itself nothing but addresses is left to read.
    for caller in ("do_init_module", "kunit", "proc_sys", "proc_reg", "single_open", "kthread"):
        assert caller not in leaks, leaks
