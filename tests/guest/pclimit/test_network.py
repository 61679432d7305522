# SPDX-License-Identifier: GPL-2.0
"""What the limit is for: memory for those who can't wait, while files are read."""

import contextlib
import pathlib
import subprocess

import disks
import limit
import pagecache
import pytest
import streams
from pagecache import mib, percent
from target import SCALE, helper

ADDRESS, PORT = "10.9.8.2", 4711
# One fills a page that the interface puts it into.
SIZE = 2500


@contextlib.contextmanager
def two_hosts():
    """Two network namespaces, left and right, with a cable between them."""
    for name in ("left", "right"):
        disks.run("ip", "netns", "add", name)
    try:
        disks.run("ip", "link", "add", "left0", "mtu", "3000", "netns", "left", "type", "veth",
                  "peer", "name", "right0", "mtu", "3000", "netns", "right")
        for name, address in (("left", "10.9.8.1"), ("right", ADDRESS)):
            disks.run("ip", "-n", name, "address", "add", f"{address}/24", "dev", f"{name}0")
            disks.run("ip", "-n", name, "link", "set", f"{name}0", "up")
        yield
    finally:
        for name in ("left", "right"):
            disks.run("ip", "netns", "delete", name)


def dropped(host):
    """Packets that the interface had no memory for, by ip(8)."""
    text = disks.run("ip", "-n", host, "-s", "link", "show", f"{host}0")
    lines = [line.split() for line in text.splitlines()]
    header = next(number for number, line in enumerate(lines) if line[:1] == ["RX:"])
    return int(lines[header + 1][lines[header].index("dropped") - 1])


@contextlib.contextmanager
def one_cpu():
    """A machine with one CPU: kswapd can't run while the network does."""
    online = pathlib.Path("/sys/devices/system/cpu/cpu1/online")
    if not online.exists():
        yield
        return
    with pagecache.setting(online, 0):
        yield


def before_all_others(pid, priority):
    """Lets a process run before others, as interrupts do."""
    disks.run("chrt", "--fifo", "--pid", priority, pid)


def flood(count):
    """A burst of packets that comes while nobody takes them; how many came, and were dropped."""
    with two_hosts(), subprocess.Popen(
            ["ip", "netns", "exec", "right", helper("flood"), "receive", "right0", str(PORT),
             str(count // 64)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
        try:
            assert receiver.stdout.readline() == "ready\n"
            disks.run("ip", "netns", "exec", "left", "chrt", "--fifo", "50", helper("flood"),
                      "send", ADDRESS, PORT, count, SIZE)
            lost = dropped("right")
            text, _ = receiver.communicate(timeout=50 * SCALE)
        finally:
            receiver.kill()
        assert receiver.returncode == 0
        return int(text), lost


@pytest.fixture
def files_fill_the_memory(place):
    """Reads as much as fits, and half of that again."""

    def fill():
        streams.fio_8_reads(place, pagecache.size(150) // 8 * 8)

    return fill


def burst(note, fill):
    """What becomes of a burst that comes when files were read."""
    pages = " ".join([str(pagecache.memory())] * 3)
    with one_cpu(), pagecache.setting("/proc/sys/net/ipv4/udp_mem", pages):
        # On a busy machine packets are taken by this thread: before the one that sends.
        before_all_others(disks.run("pgrep", "-x", "ksoftirqd/0").strip(), 60)
        fill()
        note("free_mib", mib(pagecache.vmstat()["nr_free_pages"]))
        count = percent(12)
        came, lost = flood(count)
    note("sent", count)
    note("came", came)
    note("dropped", lost)
    return count, came, lost


@pytest.mark.long
def test_packets_are_dropped_without_the_limit(pclimit_module, note, files_fill_the_memory):
    """No memory is free for them."""
    sent, came, lost = burst(note, files_fill_the_memory)
    assert lost > sent // 10
    assert came < sent


def test_no_packet_is_dropped_with_it(pclimit, note, files_fill_the_memory):
    """There is."""
    limit.write("limit_ratio", 30)
    sent, came, lost = burst(note, files_fill_the_memory)
    assert lost == 0
    assert came == sent
