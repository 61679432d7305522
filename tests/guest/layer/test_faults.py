# SPDX-License-Identifier: GPL-2.0
"""What the layer leaves when there is no memory."""

import errno
import os
import pathlib

import linux
import pytest
from fault import each_failure
from module import loaded, path

# Loads over and over.
pytestmark = pytest.mark.storm


@pytest.mark.limit(300)
def test_each_failing_allocation_leaves_nothing(selftest, kernel_log):
    """ENOMEM for the n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    file = os.open(path("tk_selftest"), os.O_RDONLY)

    def after(nth, error):
        if error:
            assert error == errno.ENOMEM, nth
            assert not loaded("tk_selftest"), nth
            assert not pathlib.Path("/proc/sys/tk_selftest").exists(), nth
            assert not pathlib.Path("/proc/tk_selftest").exists(), nth
            assert not list(pathlib.Path("/proc/sys/vm").glob("tk_*")), nth
        else:
            assert selftest.remove() == 0

    def load():
        return linux.errno_of(linux.finit_module, file, "files=7 thread=1")

    assert each_failure(load, after) > 10
    os.close(file)
