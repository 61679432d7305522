# SPDX-License-Identifier: GPL-2.0
"""The cache that matters survives: what is used again stays, what is read once goes."""

import disks
import limit
import pagecache
import pytest
import streams
from pagecache import mglru, percent, resident

HOT_MIB = 50


@pytest.fixture(params=[True, False], ids=["MGLRU", "classic LRU"])
def lru(request):
    """Either of the kernel's two ways to tell old from new."""
    with mglru(request.param):
        yield


@pytest.fixture
def hot(lru, place):  # pylint: disable=unused-argument
    """A file of 50 MiB that was read a few times."""
    file = place / "hot"
    disks.run("dd", "if=/dev/urandom", f"of={file}", "bs=1M", f"count={HOT_MIB}")
    pagecache.drop_caches()
    assert resident(file) < 0.01, "the measure would always say that the file is there"
    for _ in range(4):
        disks.run("dd", f"if={file}", "of=/dev/null", "bs=128k")
    assert resident(file) == 1
    return file


def stream(place):
    """Much more than may be cached."""
    streams.dd_reads(place, pagecache.size(60))


@pytest.mark.parametrize("mode", [0, 1], ids=["sync", "async"])
def test_warm_file_stays(pclimit, place, hot, note, mode):
    """At least 95 % of it, while four times the limit is read."""
    limit.write("limit_ratio", 15)
    limit.write("limit_async", mode)
    with limit.reclaims_by() as calls:
        stream(place)
    note("resident", resident(hot))
    assert resident(hot) >= 0.95
    # Which of the pages that were used again would go then is a matter of luck.
    assert len(calls) > 100
    assert not [call for call in calls if "ACTIVE" in call["flags"]]


def test_warm_file_goes_when_the_limit_leaves_no_room(pclimit, place, hot, note):
    """The limit comes first."""
    limit.write("limit_ratio", 1)
    stream(place)
    note("resident", resident(hot))
    assert limit.usage() <= percent(2)
    assert resident(hot) < 0.5


def test_lowered_limit_takes_what_was_read_once_first(pclimit, place, hot, note):
    """All at once, by the task that writes the limit."""
    streams.dd_reads(place, pagecache.size(40))
    limit.write("limit_ratio", 12)
    note("resident", resident(hot))
    assert resident(hot) >= 0.95
    assert resident(place / "holes") < 0.5


@pytest.mark.parametrize("margin", [2, 15], ids=["margin", "margin is all of the limit"])
def test_running_programs_stay(pclimit, place, lru, note, margin):
    """They don't have to be read again from the disk because something else was."""
    limit.write("limit_ratio", 15)
    limit.write("limit_reclaim_ratio", 15 + margin)
    faults = pagecache.vmstat()["pgmajfault"]
    stream(place)
    faults = pagecache.vmstat()["pgmajfault"] - faults
    note("faults", faults)
    # Those of dd, which had been dropped with all the rest before the test.
    assert faults < 100
