# SPDX-License-Identifier: GPL-2.0
"""What the layer leaves when there is no memory."""

import errno
import os
import pathlib

import linux
import pytest
from fault import failing_allocations
from module import loaded, path

# Loads over and over.
pytestmark = pytest.mark.storm


@pytest.mark.limit(300)
def test_each_failing_allocation_leaves_nothing(selftest, kernel_log):
    """ENOMEM for the n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    file = os.open(path("tk_selftest"), os.O_RDONLY)
    failures = 0
    with failing_allocations() as fail_nth:
        # Open, so that only the loading allocates.
        control = os.open(fail_nth, os.O_RDWR)
        for nth in range(1, 5000):
            os.pwrite(control, str(nth).encode(), 0)
            error = linux.errno_of(linux.finit_module, file, "files=7 thread=1")
            left = int(os.pread(control, 16, 0).split(b"\0")[0])
            os.pwrite(control, b"0", 0)
            if error:
                failures += 1
                assert error == errno.ENOMEM, nth
                assert not loaded("tk_selftest"), nth
                assert not pathlib.Path("/proc/sys/tk_selftest").exists(), nth
                assert not pathlib.Path("/proc/tk_selftest").exists(), nth
                assert not list(pathlib.Path("/proc/sys/vm").glob("tk_*")), nth
            else:
                assert selftest.remove() == 0
            if left:
                # Fewer allocations than that.
                break
        os.close(control)
    os.close(file)
    print(f"{failures} failures")
    assert failures > 10
