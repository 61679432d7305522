# SPDX-License-Identifier: GPL-2.0
"""What the layer leaves behind when it is used as intended: nothing."""

import pathlib

import pytest
from fault import no_leaks
from module import Selftest


@pytest.mark.limit(300)
def test_no_memory_is_kept_after_unloading():
    """With all files and a thread, and of the KUnit suites."""
    selftest = Selftest(suites="tk_*")
    selftest.clean_up()
    # Of the module itself nothing but addresses is left to read.
    with no_leaks("do_init_module", "kunit", "proc_sys", "proc_reg", "single_open", "kthread"):
        for _ in range(2):
            selftest.load(files=7, thread=1)
            for file in pathlib.Path("/proc/sys/tk_selftest/numbers").iterdir():
                file.read_text()
            pathlib.Path("/proc/tk_selftest").read_text()
            selftest.unload()
