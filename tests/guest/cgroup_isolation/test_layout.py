# SPDX-License-Identifier: GPL-2.0
"""Each file has the layout of the kernel's own."""

import pathlib
import re

import pytest

FILES = ["meminfo", "stat", "vmstat", "loadavg", "uptime", "cpuinfo", "swaps"]


def shape(text):
    """A text with the numbers taken out: of blanks before a number one is left."""
    return re.sub(r"[ \t]*\d+(\.\d+)?", " #", text)


@pytest.mark.parametrize("name", FILES)
def test_the_same_lines_in_the_same_order(container, name):
    """But for the numbers, with all CPUs shown, the file is the host's."""
    host = pathlib.Path("/proc", name).read_text()
    view = container.cat(f"/proc/{name}")
    assert shape(view) == shape(host)


def test_meminfo_has_the_same_columns(container):
    """Numbers end where the host's do."""
    host = pathlib.Path("/proc/meminfo").read_text().splitlines()
    view = container.cat("/proc/meminfo").splitlines()
    assert [len(line) for line in view] == [len(line) for line in host]


def test_diskstats_has_as_many_columns(container):
    """20 for each disk, as the host's, and the same beginning."""
    container.run("dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=8", "iflag=direct")
    host = pathlib.Path("/proc/diskstats").read_text().splitlines()
    view = container.cat("/proc/diskstats").splitlines()
    heads = {line[:re.search(r"\D+\d+\s+\d+ \S+", line).end()] for line in host}
    assert view
    for line in view:
        assert len(line.split()) == len(host[0].split())
        assert any(line.startswith(head + " ") for head in heads), line


def test_a_disk_in_sysfs_has_the_same_columns(container):
    """17 numbers, 8 wide; and the container's."""
    container.run("dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=8", "iflag=direct")
    host = pathlib.Path("/sys/block/vda/stat").read_text()
    view = container.cat("/sys/block/vda/stat")
    assert len(view.split()) == len(host.split()) and view.endswith("\n")
    assert re.fullmatch(r"( *\d+ )+ *\d+\n", view)
    # The block layer counts a read's sectors when it is sent.
    assert int(view.split()[2]) < int(host.split()[2])


def test_the_host_sees_the_machine_to_the_byte(isolation_module):
    """What doesn't change by itself is the same before and after loading."""
    def machine():
        files = {name: pathlib.Path("/proc", name).read_text()
                 for name in ("cpuinfo", "meminfo", "vmstat", "stat", "swaps")}
        constant = {name: shape(text) for name, text in files.items()}
        constant["total"] = re.search(r"MemTotal.*", files["meminfo"]).group()
        constant["btime"] = re.search(r"btime.*", files["stat"]).group()
        for name in ("online", "present", "possible"):
            constant[name] = pathlib.Path("/sys/devices/system/cpu", name).read_text()
        return constant

    before = machine()
    isolation_module.load()
    assert machine() == before
