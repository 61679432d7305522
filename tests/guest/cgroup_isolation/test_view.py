# SPDX-License-Identifier: GPL-2.0
"""Whose container it is."""

import errno
import os
import pathlib
import subprocess

import pytest
from boxes import assert_container_cant_write
from cgroup import Cgroup
from container import CONTROLLERS, Container

MIB = 1 << 20
TOTAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024


def host_total():
    """MemTotal of a reader on the host."""
    return int(pathlib.Path("/proc/meminfo").read_text().split()[1])


def test_only_who_has_namespaces_has_a_view(isolation):  # pylint: disable=unused-argument
    """Not who is just in a cgroup with a limit, as the host's services are."""
    with Cgroup("service", memory_max=256 * MIB) as service:
        assert int(service.run("cat", "/proc/meminfo").split()[1]) == TOTAL
        unshared = service.run("unshare", "-C", "cat", "/proc/meminfo")
        assert int(unshared.split()[1]) == 256 * 1024
    assert host_total() == TOTAL


def test_a_pid_namespace_is_enough(isolation):  # pylint: disable=unused-argument
    """The cgroup of its init counts, for all in it."""
    with Container("pids", own_cgroups=False, memory_max=256 * MIB) as container:
        assert container.meminfo()["MemTotal"] == 256 * 1024


def test_namespaces_without_a_cgroup_are_the_host(isolation):  # pylint: disable=unused-argument
    """In the root cgroup."""
    output = subprocess.run(["unshare", "-C", "-p", "-f", "--mount-proc", "cat", "/proc/meminfo"],
                            check=True, capture_output=True, text=True).stdout
    assert int(output.split()[1]) == TOTAL


def test_the_innermost_container_counts(isolation):  # pylint: disable=unused-argument
    """A container in a container."""
    with Cgroup("outer", memory_max=512 * MIB) as outer:
        outer.delegate(CONTROLLERS)
        with Container("first", outer, memory_max=300 * MIB) as first, \
                Container("second", outer, memory_max=200 * MIB) as second:
            assert first.meminfo()["MemTotal"] == 300 * 1024
            assert second.meminfo()["MemTotal"] == 200 * 1024
            nested = first.run("unshare", "-C", "-p", "-f", "cat", "/proc/meminfo")
            assert int(nested.split()[1]) == 300 * 1024


def test_an_open_file_shows_the_readers_numbers(container):
    """Whoever opened it: a container gets nothing of the host by a file that it is given."""
    with open("/proc/meminfo", encoding="ascii") as file:
        with container.start("cat", stdin=file, stdout=subprocess.PIPE, text=True) as cat:
            assert int(cat.communicate()[0].split()[1]) == 256 * 1024
    with open(f"/proc/{container.init}/root/proc/meminfo", encoding="ascii") as file:
        assert int(file.read().split()[1]) == TOTAL


def test_views_can_be_switched_off(container, sysctl):
    """For all, and for one."""
    sysctl("stats_isolated", 0)
    assert container.meminfo()["MemTotal"] == TOTAL
    sysctl("stats_isolated", 1)
    assert container.meminfo()["MemTotal"] == 256 * 1024
    container.write("memory.stats_isolated", 0)
    assert container.read("memory.stats_isolated") == "0"
    assert container.meminfo()["MemTotal"] == TOTAL
    container.write("memory.stats_isolated", 1)
    assert container.meminfo()["MemTotal"] == 256 * 1024


@pytest.mark.limit(300)
def test_containers_root_cant_write_what_holds_for_all(isolation):
    """As the files of cgroups."""
    switch = pathlib.Path("/proc/sys/kernel/stats_isolated")
    assert_container_cant_write(switch, 0, "isolation-root")


@pytest.mark.parametrize("name,bad", [("memory.stats_isolated", 2), ("cpu.quota_aware", 3)])
def test_settings_of_a_cgroup_take_what_has_a_meaning(container, name, bad):
    """And nothing from a container, though its root may write the file."""
    assert container.write_errno(name, bad) == errno.EINVAL
    assert container.read(name) == "1"
    program = (f"import os\ntry: os.write(os.open('{container.path}/{name}', os.O_WRONLY), b'0')\n"
               "except OSError as error: print(error.errno)")
    assert container.python(program) == str(errno.EPERM)
    assert container.read(name) == "1"


def test_files_of_the_cgroup_say_the_same(container):
    """For who looks from outside."""
    info = container.read("memory.meminfo")
    inside = container.cat("/proc/meminfo").splitlines()
    assert info.splitlines()[0] == inside[0]
    assert [line.split()[0] for line in info.splitlines()] == [line.split()[0] for line in inside]
    assert [line for line in info.splitlines() if line.startswith("HugePages_Total")]
    assert container.read("memory.vmstat").splitlines()[-1] == "nr_unstable 0"
    assert container.read("cpuset.stat").startswith("cpu  ")
    assert container.read("cpuset.cpuinfo").count("processor\t:") == os.cpu_count()
    assert len(container.read("cpuset.loadavg").split()) == 5
    assert len(container.read("cpu.uptime").split()) == 2
    container.run("dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=8", "iflag=direct")
    (line,) = [line for line in container.read("io.diskstats").splitlines() if " vda " in line]
    stat = dict(pair.split("=") for line in container.read("io.stat").splitlines()
                for pair in line.split()[1:])
    assert int(line.split()[5]) * 512 == int(stat["rbytes"]) >= 8 * MIB
    assert int(line.split()[3]) == int(stat["rios"])
    assert container.cat("/proc/diskstats").split()[5] == line.split()[5]


def test_swap_is_what_may_be_swapped_to(container):
    """None without a limit, because the machine has none."""
    assert container.cat("/proc/swaps").splitlines()[1:] == []
    assert container.meminfo()["SwapTotal"] == 0
