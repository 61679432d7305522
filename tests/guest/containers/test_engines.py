# SPDX-License-Identifier: GPL-2.0
"""The containers themselves, without the module: what the other tests take for granted."""

import os
import pathlib

from engines import MIB, SHARE


def test_limits_are_in_force(box):
    """As the cgroup's own files say."""
    assert box.group.number("memory.max") == 256 * MIB
    assert box.group.read("cpu.max") == "150000 100000"
    assert box.group.read("cpuset.cpus.effective") == "0"


def test_is_a_container(box):
    """A pid and a cgroup namespace of its own, with a fresh /proc and nothing mounted over it
    where a view of ours would be."""
    for name in ("pid", "cgroup", "mnt"):
        assert os.readlink(f"/proc/{box.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")
    assert box.read("/proc/1/comm") == "sleep\n"
    mounts = {line.split()[1] for line in box.read("/proc/mounts").splitlines()}
    assert "/proc" in mounts
    for name in ("meminfo", "stat", "vmstat", "cpuinfo", "loadavg", "uptime", "diskstats", "swaps"):
        assert f"/proc/{name}" not in mounts
    assert not [path for path in mounts if path.startswith("/sys/devices")]


def test_programs_run_in_its_cgroup(box):
    """In its root, or where the engine puts them below it."""
    script = "import sys; print('ready', flush=True); sys.stdin.read()"
    with box.start("python3", "-c", script, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        pids = [int(pid) for file in box.root.path.rglob("cgroup.procs")
                for pid in file.read_text().split()]
        names = [pathlib.Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]
        process.stdin.close()
        assert process.wait(30) == 0
    assert "python3" in names
    assert box.pid in pids


def test_sees_the_programs_of_the_tests(box):
    """Unmodified, like all others."""
    assert box.run("ls", SHARE / "bin").split() == sorted(os.listdir(SHARE / "bin"))
