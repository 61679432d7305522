# SPDX-License-Identifier: GPL-2.0
"""Suspend to RAM with everything loaded but bt_sched_shim, which has bt_sched/test_suspend.py."""

import errno
import os
from contextlib import closing

import limit
import pagecache
import pytest
import suspend
import traces
from disks import filesystem
from module import Module
from pagecache import counted
from target import Target

MODULES = ("ttools", "pclimit", "cgroup_isolation", *traces.FEATURES)

pytestmark = pytest.mark.skipif(bool(suspend.why_not()), reason=suspend.why_not() or "")


def contents():
    """Of all settings of the small features."""
    return {file: file.read_text() for feature in traces.FEATURES for file in traces.files(feature)
            if file.is_relative_to("/proc/sys") or file.is_relative_to("/proc/tkernel")}


@pytest.fixture
def everything():
    """All modules."""
    modules = [Module(name) for name in MODULES]
    try:
        for module in modules:
            module.load()
        yield modules
    finally:
        for module in reversed(modules):
            module.clean_up()


@pytest.mark.limit(240)
def test_all_go_on_afterwards(everything):
    """Settings, protection, and the thread that makes room for the page cache."""
    (traces.files("nonpriv_netbind")[0]).write_text("80")
    (traces.files("epoll_min_wait")[0]).write_text("7")
    before = contents()
    with filesystem("ext4") as place, closing(Target()) as mine, closing(Target()) as other:
        mine.protect()
        limit.write("limit_ratio", 10)
        limit.write("limit_async", 1)
        for _ in range(2):
            suspend.suspend_to_ram(3)
            assert contents() == before
            assert other.attach(mine.pid) == errno.EPERM
            (place / "file").write_bytes(os.urandom(1 << 20) * (pagecache.size(20) or 1))
            (place / "file").read_bytes()
            assert counted(pagecache.vmstat()) <= pagecache.size(10) * pagecache.PAGES_PER_MIB * 1.1
    for module in reversed(everything):
        module.unload()
