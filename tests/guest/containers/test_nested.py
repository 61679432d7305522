# SPDX-License-Identifier: GPL-2.0
"""Containers in containers: a tree of seven levels, as the peers' tests have it, in which each
level shows the least that it and all above it allow."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest
import view
from cgroup import Cgroup
from disks import run
from engines import MIB, Namespaces, children
from module import modprobe
from target import SCALE, helper, wait_until

pytestmark = pytest.mark.usefixtures("cgroup_isolation")

MEMORY = [None, 500, 600, None, 400, None, 900]
QUOTAS = [None, 3.5, 3, None, 1.2, None, 4]
CPUSETS = ["", "1-3", "", "2-3", "", "3", ""]

# Which namespaces make a container: of processes, of cgroups, or both.
KINDS = {"both": {}, "shares processes": {"pids": False}, "shares cgroups": {"cgroups": False}}


@pytest.fixture(params=KINDS)
def kind(request):
    """See KINDS."""
    return KINDS[request.param]


@pytest.fixture
def tree():
    """Seven cgroups, each in the one before it."""
    with contextlib.ExitStack() as stack:
        groups = []
        for level in range(7):
            group = Cgroup(f"level{level}", groups[-1] if groups else None)
            stack.enter_context(group)
            groups.append(group)
            if level < 6:
                group.delegate("+memory +cpu +cpuset +pids +io")
        yield groups


@contextlib.contextmanager
def leaf(group, last):
    """Where processes can be: the last level itself, else a group of its own below, because none can
    be in a group that has controllers for others."""
    if last:
        yield group
        return
    with Cgroup("leaf", group) as below:
        yield below


def each_level(tree, *paths, **namespaces):
    """What a container at each level reads."""
    for number, group in enumerate(tree):
        with leaf(group, number == len(tree) - 1) as place:
            yield number, Namespaces(place, **namespaces).run("cat", *paths)


def least(values, unlimited):
    """The least of what came so far, for each."""
    so_far = unlimited
    for value in values:
        so_far = min(so_far, unlimited if value is None else value)
        yield so_far


def host_memory():
    """Bytes."""
    return view.meminfo(pathlib.Path("/proc/meminfo").read_text())["MemTotal"]


def test_memory_is_the_least_up_the_tree(tree, kind):
    """500, 500, 500, 400, 400, 400 MiB below the first, which has all."""
    for group, limit in zip(tree, MEMORY):
        group.write("memory.max", "max" if limit is None else limit * MIB)
    expected = [min(value, host_memory()) for value in
                least([value and value * MIB for value in MEMORY], host_memory())]
    assert expected[1:] == [500 * MIB] * 3 + [400 * MIB] * 3
    seen = [view.meminfo(text) for _, text in each_level(tree, "/proc/meminfo", **kind)]
    assert [row["MemTotal"] for row in seen] == expected
    for row in seen:
        assert row["MemFree"] <= row["MemAvailable"] <= row["MemTotal"]


def test_free_memory_is_the_least_up_the_tree(tree):
    """What others use of a limit above isn't left for those below."""
    tree[1].write("memory.max", 500 * MIB)
    tree[3].write("memory.max", 400 * MIB)
    with Cgroup("other", tree[1]) as other, \
            other.start(helper("work"), "alloc", "300", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE) as work:
        assert work.stdout.readline() == b"ready\n"
        meminfo = view.meminfo(Namespaces(tree[6]).run("cat", "/proc/meminfo"))
        left = 500 * MIB - tree[1].number("memory.current")
        work.stdin.close()
    assert meminfo["MemTotal"] == 400 * MIB
    assert left < 200 * MIB
    assert abs(meminfo["MemFree"] - left) < 4 * MIB
    assert meminfo["MemFree"] <= meminfo["MemAvailable"] < 200 * MIB


def test_quotas_are_the_least_up_the_tree(tree, kind):
    """Rounded up to whole CPUs: 4, 4, 3, 3, 2, 2, 2."""
    for group, limit in zip(tree, QUOTAS):
        group.write("cpu.max", "max" if limit is None else f"{round(limit * 100000)} 100000")
    expected = [-(-value // 1) for value in least(QUOTAS, os.cpu_count())]
    assert expected == [4, 4, 3, 3, 2, 2, 2]
    for number, text in each_level(tree, f"{view.CPU_DIRECTORY}/online", "/proc/stat", **kind):
        online, stat = text.split("\n", 1)
        assert view.cpu_list(online) == set(range(int(expected[number]))), number
        assert len(view.Stat(stat).cpu_names()) == expected[number]


def test_cpusets_and_quotas_together(tree):
    """The smaller of both, at each level."""
    for group, limit, cpuset in zip(tree, QUOTAS, CPUSETS):
        group.write("cpu.max", "max" if limit is None else f"{round(limit * 100000)} 100000")
        group.write("cpuset.cpus", cpuset or "\n")
    seen = [len(view.cpuinfo(text)) for _, text in each_level(tree, "/proc/cpuinfo")]
    assert seen == [4, 3, 3, 2, 2, 1, 1]


def test_swap_is_the_least_up_the_tree(tree):
    """And never more than there is."""
    assert modprobe("zram", "num_devices=1").returncode == 0
    disk = pathlib.Path("/sys/block/zram0/disksize")
    try:
        disk.write_text("512M")
        run("mkswap", "/dev/zram0")
        run("swapon", "/dev/zram0")
        swap = view.meminfo(pathlib.Path("/proc/meminfo").read_text())["SwapTotal"]
        for group, limit in zip(tree, [None, 300, 2000, 200, None, 0, 100]):
            group.write("memory.swap.max", "max" if limit is None else limit * MIB)
        seen = [view.meminfo(text) for _, text in each_level(tree, "/proc/meminfo")]
        assert [row["SwapTotal"] for row in seen] == \
            [swap, 300 * MIB, 300 * MIB, 200 * MIB, 200 * MIB, 0, 0]
        for row in seen:
            assert row["SwapFree"] <= row["SwapTotal"]
    finally:
        run("sh", "-c", "swapoff /dev/zram0; rmmod zram")


def test_use_of_the_groups_below_counts():
    """What a container's children use is used, and each of them sees the whole container."""
    with Cgroup("outer") as outer, Cgroup("a", outer) as first, Cgroup("b", outer) as second:
        outer.write("memory.max", 500 * MIB)
        init = Namespaces(outer).start("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            # It answers once the namespaces are made, whose root is the group it was in.
            init.stdin.write(b"x\n")
            init.stdin.flush()
            assert init.stdout.readline() == b"x\n"
            pids = outer.read("cgroup.procs").split()
            for pid in pids:
                second.write("cgroup.procs", pid)
            outer.delegate("+memory")
            second.write("memory.max", 200 * MIB)
            with first.start(helper("work"), "alloc", "100", stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE) as work:
                assert work.stdout.readline() == b"ready\n"
                text = second.run("nsenter", "--cgroup", "--target", pids[-1], "cat", "/proc/meminfo")
                used = outer.number("memory.current")
                work.stdin.close()
        finally:
            init.communicate(timeout=30 * SCALE)
    meminfo = view.meminfo(text)
    assert meminfo["MemTotal"] == 500 * MIB
    assert used > 100 * MIB
    assert abs(500 * MIB - meminfo["MemFree"] - used) < 8 * MIB
    assert 100 * MIB <= meminfo["AnonPages"] < 110 * MIB


def test_clients_at_the_bottom(tree):
    """psutil and Zabbix's agent see what the files say."""
    tree[1].write("memory.max", 500 * MIB)
    tree[4].write("memory.max", 400 * MIB)
    tree[4].write("cpu.max", "120000 100000")
    bottom = Namespaces(tree[6])
    said = json.loads(bottom.run("python3", "-c", "import json, psutil; print(json.dumps("
                                 "[psutil.virtual_memory().total, psutil.cpu_count()]))"))
    assert said == [400 * MIB, 2]
    assert f"|{400 * MIB}]" in bottom.run("zabbix_agentd", "-t", "vm.memory.size[total]")
    assert "|2]" in bottom.run("zabbix_agentd", "-t", "system.cpu.num[online]")


def test_innermost_counts(tree):
    """A container in a container: each its own, at the same time."""
    tree[1].write("memory.max", 500 * MIB)
    tree[4].write("memory.max", 400 * MIB)
    with Cgroup("leaf", tree[1]) as outer:
        inner = Namespaces(tree[6]).command("cat", "/proc/meminfo")
        script = 'cat /proc/meminfo; echo; "$@"; echo; cat /proc/meminfo'
        # The inner one is made from inside, with the host's tree still mounted.
        texts = Namespaces(outer).run("sh", "-c", script, "sh", *inner).split("\n\n")
    assert [view.meminfo(text)["MemTotal"] for text in texts] == [500 * MIB, 400 * MIB, 500 * MIB]


@pytest.mark.parametrize("path", ["/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/cpuinfo"])
def test_open_files_show_the_reader(path):
    """Whoever has opened them: neither the host's nor a sibling's come in that way."""
    with Cgroup("one") as one, Cgroup("other") as other:
        one.write("memory.max", 300 * MIB)
        one.write("cpuset.cpus", "0-1")
        other.write("memory.max", 200 * MIB)
        other.write("cpuset.cpus", "2")

        def cat_what_is_open(file):
            process = Namespaces(other).start("cat", stdin=file, stdout=subprocess.PIPE, text=True)
            return process.communicate(timeout=30 * SCALE)[0]

        def is_the_others(text):
            if path == "/proc/meminfo":
                return view.meminfo(text)["MemTotal"] == 200 * MIB
            if path == "/proc/stat":
                return view.Stat(text).cpu_names() == ["cpu0"]
            if path == "/proc/cpuinfo":
                return len(view.cpuinfo(text)) == 1
            return view.uptime(text)[0] < 5 * SCALE

        with open(path, "rb") as file:
            assert is_the_others(cat_what_is_open(file))
        with Namespaces(one).start("sleep", "1000") as sibling:
            try:
                # The sibling's own /proc, and its namespaces' view of it, opened from outside.
                inner = []

                def started():
                    inner[:] = [child for child in children(sibling.pid) if
                                pathlib.Path(f"/proc/{child}/comm").read_text() == "sleep\n"]
                    return inner

                wait_until(started, "the sibling")
                with open(f"/proc/{inner[0]}/root{path}", "rb") as file:
                    assert is_the_others(cat_what_is_open(file))
            finally:
                sibling.kill()
