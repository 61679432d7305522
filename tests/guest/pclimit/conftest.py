# SPDX-License-Identifier: GPL-2.0
"""The module, and file systems to fill the page cache from."""

import pathlib

import limit
import pagecache
import pytest
from disks import filesystem
from module import modprobe


@pytest.fixture
def pclimit(pclimit_module):
    """pclimit.ko, loaded: no limit is set yet."""
    pclimit_module.load()
    yield pclimit_module
    # For who looks at a test that failed.
    if limit.STATS.exists():
        print({name: value for name, value in limit.stats().items() if value})


@pytest.fixture(autouse=True)
def little_cache():
    """Each test begins with as little page cache as there can be."""
    pagecache.drop_caches()


@pytest.fixture
def place(request):
    """A new file system, mounted: ext4, or what the test's parameter says."""
    kind = getattr(request, "param", "ext4")
    # Debian's kernel has xfs as a module, which mount(8) would load too late for this.
    modprobe(kind)
    if f"\t{kind}\n" not in pathlib.Path("/proc/filesystems").read_text():
        pytest.skip(f"this kernel has no {kind}")
    with filesystem(kind) as path:
        yield path


@pytest.fixture
def note(record_property):
    """Keeps a figure with the test's result, and prints it."""

    def keep(name, value):
        record_property(name, value)
        print(f"{name}: {value}")

    return keep
