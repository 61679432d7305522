# SPDX-License-Identifier: GPL-2.0
"""The files as such: their layout, that they agree with each other, and that the host's are
what they were."""

import os
import pathlib
import re
import time

import pytest
import view
from disks import run
from engines import MIB
from module import Module

MEMORY = 256 * MIB


def host(path):
    """The host's file."""
    return pathlib.Path(path).read_text()


def directories(names):
    """The CPUs among the names of files."""
    return {int(name[3:]) for name in names if re.fullmatch(r"cpu\d+", name)}


@pytest.mark.parametrize("path", view.FILES)
def test_layout_is_the_kernels(box, cgroup_isolation, path):
    """So every parser of the host's file can read the container's."""
    there = box.read(path)
    expected = view.layout(path, host(path))
    assert view.layout(path, there) == expected
    # Not because it is the host's.
    if path not in ("/proc/swaps", "/proc/loadavg"):
        assert there != host(path)


def test_files_agree_about_the_cpus(box, cgroup_isolation):
    """One, the first: renumbered, whichever of the host's it is."""
    assert view.Stat(box.read("/proc/stat")).cpu_names() == ["cpu0"]
    blocks = view.cpuinfo(box.read("/proc/cpuinfo"))
    assert [[block[name] for name in ("processor", "siblings", "cpu cores")] for block in blocks] == \
        [["0", "1", "1"]]
    for name in ("online", "present", "possible"):
        assert view.cpu_list(box.read(f"{view.CPU_DIRECTORY}/{name}")) == {0}, name
    assert directories(box.run("ls", view.CPU_DIRECTORY).split()) == {0}
    assert directories(os.listdir(view.CPU_DIRECTORY)) == set(range(os.cpu_count()))
    # But for the others' directories all is there.
    assert [name for name in box.run("ls", view.CPU_DIRECTORY).split() if name != "cpu0"] == \
        [name for name in sorted(os.listdir(view.CPU_DIRECTORY)) if not re.fullmatch(r"cpu\d+", name)]


def test_files_agree_about_the_memory(box, cgroup_isolation):
    """And with the cgroup's own."""
    meminfo = view.meminfo(box.read("/proc/meminfo"))
    used = box.group.number("memory.current")
    assert meminfo["MemTotal"] == MEMORY
    assert abs(MEMORY - meminfo["MemFree"] - used) < 16 * MIB
    assert meminfo["MemFree"] <= meminfo["MemAvailable"] <= MEMORY
    for name, value in meminfo.items():
        if not name.startswith(("Vmalloc", "CommitLimit", "DirectMap", "Huge")):
            assert value <= MEMORY, name
    vmstat = view.vmstat(box.read("/proc/vmstat"))
    page = os.sysconf("SC_PAGE_SIZE")
    assert abs(vmstat["nr_free_pages"] * page - meminfo["MemFree"]) < 16 * MIB
    assert abs(vmstat["nr_anon_pages"] * page - meminfo["AnonPages"]) < 16 * MIB


def test_files_agree_about_time(box, cgroup_isolation):
    """A CPU's times add up to how long the machine is up, and its idle time is in both files."""
    up, idle = view.uptime(box.read("/proc/uptime"))
    stat = view.Stat(box.read("/proc/stat"))
    later, _ = view.uptime(box.read("/proc/uptime"))
    assert up - 0.05 <= stat.total() <= later + 0.05
    assert idle <= up
    assert abs(stat.cpus["cpu"]["idle"] / view.TICKS - idle) <= later - up + 0.05
    assert abs(time.time() - stat.rest["btime"] - later) < 2


def test_every_view_follows_the_limits(box, cgroup_isolation):
    """At once: a limit that is changed under it, and back."""
    try:
        box.group.write("memory.max", 300 * MIB)
        assert view.meminfo(box.read("/proc/meminfo"))["MemTotal"] == 300 * MIB
        box.group.write("cpuset.cpus", "1-3")
        # 1.5 CPUs take two.
        assert view.Stat(box.read("/proc/stat")).cpu_names() == ["cpu0", "cpu1"]
        assert view.cpu_list(box.read(f"{view.CPU_DIRECTORY}/online")) == {0, 1}
        box.group.write("cpu.max", "max 100000")
        blocks = view.cpuinfo(box.read("/proc/cpuinfo"))
        machine = view.cpuinfo(host("/proc/cpuinfo"))[1:]
        assert [block["processor"] for block in blocks] == ["0", "1", "2"]
        for block, real in zip(blocks, machine, strict=True):
            package = [other for other in machine if other["physical id"] == real["physical id"]]
            assert block["siblings"] == str(len(package))
            assert block["cpu cores"] == str(len({other["core id"] for other in package}))
        assert directories(box.run("ls", view.CPU_DIRECTORY).split()) == {0, 1, 2}
        assert view.cpu_list(box.read(f"{view.CPU_DIRECTORY}/online")) == {0, 1, 2}
    finally:
        box.group.write("memory.max", MEMORY)
        box.group.write("cpuset.cpus", "0")
        box.group.write("cpu.max", "150000 100000")
    assert view.meminfo(box.read("/proc/meminfo"))["MemTotal"] == MEMORY


def test_view_ends_with_the_module(box, cgroup_isolation):
    """And is there again when it is loaded again, in a container that is none the wiser."""
    for _ in range(5):
        assert view.meminfo(box.read("/proc/meminfo"))["MemTotal"] == MEMORY
        cgroup_isolation.unload()
        assert view.meminfo(box.read("/proc/meminfo"))["MemTotal"] == \
            view.meminfo(host("/proc/meminfo"))["MemTotal"]
        cgroup_isolation.load()


def test_host_sees_the_host(box, cgroup_isolation):
    """From its own root, and from a limited cgroup that isn't a container: its daemons'."""
    cgroup_isolation.unload()
    before = {path: (view.layout(path, host(path)), host(path)) for path in view.FILES}
    cgroup_isolation.load()
    for path, (layout, text) in before.items():
        assert view.layout(path, host(path)) == layout, path
        if path.startswith("/sys") or path == "/proc/swaps":
            assert host(path) == text
    meminfo = view.meminfo(before["/proc/meminfo"][1])
    # With the shell as a daemon in the container's own cgroup, as runtimes have them there.
    script = f"echo $$ >{box.group.path}/cgroup.procs 2>/dev/null || " \
             f"echo $$ >{box.root.path}/cgroup.procs; cat /proc/meminfo /proc/uptime; grep -c ^cpu /proc/stat"
    *lines, up, cpus = run("sh", "-c", script).splitlines()
    assert view.meminfo("\n".join(lines))["MemTotal"] == meminfo["MemTotal"]
    assert abs(float(up.split()[0]) - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5
    assert int(cpus) == os.cpu_count() + 1
    assert os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") == meminfo["MemTotal"]


def test_loading_and_unloading_leave_nothing(box, cgroup_isolation):
    """The host's files are the same, but for what counts on."""
    def shape():
        return [view.layout(path, host(path)) for path in view.FILES]

    names = sorted(os.listdir("/proc/sys/kernel"))
    groups = sorted(os.listdir(box.group.path))
    cgroup_isolation.unload()
    before = shape(), sorted(os.listdir("/proc/sys/kernel")), sorted(os.listdir(box.group.path))
    module = Module("cgroup_isolation")
    module.load()
    assert sorted(os.listdir("/proc/sys/kernel")) == names
    assert sorted(os.listdir(box.group.path)) == groups
    module.unload()
    assert (shape(), sorted(os.listdir("/proc/sys/kernel")), sorted(os.listdir(box.group.path))) == before
