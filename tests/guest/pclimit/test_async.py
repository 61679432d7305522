# SPDX-License-Identifier: GPL-2.0
"""Asynchronous mode: kpclimitd reclaims, those who insert don't."""

import limit
import pagecache
import pytest
import streams
from pagecache import Sampler, counted, mib, percent
from target import wait_until

RATIO = 10
# How far above the limit the cache may be, in percent of the memory: by the margin, and what is on
# the way when others begin to help the thread.
OVERSHOOT = 3
# Faults of mapped files are quicker than what it takes to unmap them.
TOO_MUCH_FOR_ONE_THREAD = {"mmap"}


@pytest.fixture
def asynchronous(pclimit):
    """A limit, and the thread."""
    limit.write("limit_ratio", RATIO)
    limit.write("limit_async", 1)
    return pclimit


def size(share):
    """That share of the memory, in MiB, for up to 8 files alike."""
    return pagecache.size(share) // 8 * 8


@pytest.mark.parametrize("name", streams.READS)
def test_thread_keeps_the_cache_near_the_limit(asynchronous, place, note, name):
    """Above it by what is inserted before the thread runs."""
    with Sampler() as sampler:
        streams.READS[name](place, size(40))
    over = sampler.samples.usage() - percent(RATIO)
    note("counted_mib", mib(sampler.samples.largest(counted)))
    note("overshoot_percent", round(over / percent(1), 2))
    assert over <= percent(OVERSHOOT)
    stats = limit.stats()
    # Nobody who read did the work.
    if name not in TOO_MUCH_FOR_ONE_THREAD:
        assert stats["reclaim_insert"] == 0
    assert stats["pgfree_kpclimitd"] > percent(5)
    wait_until(lambda: limit.usage() <= percent(RATIO), "the thread's work", timeout=5)


def test_thread_sleeps_while_there_is_nothing_to_do(asynchronous, place):
    """It isn't woken by insertions far below the limit, nor by itself."""
    limit.write("limit_ratio", 80)
    wakeups = limit.stats()["kpclimitd_wakeups"]
    streams.dd_reads(place, size(20))
    assert limit.stats()["kpclimitd_wakeups"] == wakeups
    [thread] = limit.threads()
    with open(f"/proc/{thread}/stat", encoding="ascii") as file:
        assert file.read().split()[2] in "SI"


def test_lower_limit_is_left_to_the_thread(pclimit, place, note):
    """Who writes it doesn't wait."""
    streams.dd_reads(place, size(40))
    limit.write("limit_ratio", 90)
    limit.write("limit_async", 1)
    stats = limit.stats()
    limit.write("limit_ratio", 10)
    assert limit.stats()["reclaim_setting"] == stats["reclaim_setting"]
    wait_until(lambda: limit.usage() <= percent(10), "the thread's work", timeout=5)
    assert limit.stats()["pgfree_kpclimitd"] > percent(25)


def test_switching_to_asynchronous_mode_and_back_while_reading(pclimit, place):
    """The limit holds all the time."""
    limit.write("limit_ratio", RATIO)
    streams.holes(place, size(60))
    with Sampler() as sampler, open(place / "holes", "rb", buffering=0) as file:
        for number in range(size(60)):
            if number % 16 == 0:
                limit.write("limit_async", number // 16 % 2)
            file.read(pagecache.MIB)
    assert sampler.samples.usage() <= percent(RATIO + OVERSHOOT)


def test_thread_is_an_ordinary_one(asynchronous):
    """root can see it, move it and renice it: it works on its own behalf only."""
    [thread] = limit.threads()
    with open(f"/proc/{thread}/status", encoding="ascii") as file:
        status = dict(line.split(":\t") for line in file.read().splitlines() if ":\t" in line)
    assert status["Kthread"] == "1"
    assert status["Name"] == limit.THREAD
    assert status["PPid"] == "2"
