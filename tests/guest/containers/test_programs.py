# SPDX-License-Identifier: GPL-2.0
"""What programs that nobody here wrote say in a container of 256 MiB, 1.5 CPUs and the cpuset 0.

The smaller of quota and cpuset counts, so it has one CPU. `cpuset 0` alone makes nproc(1) right,
but nothing else.
"""

import pathlib
import re
import time

import disks
import monitors
import pagecache
import pytest
import view
from engines import MIB, start_time

MEMORY = 256 * MIB
# What its programs may take or give back between two looks at it.
SLACK = 24 * MIB

class Host:
    """The machine itself, as if it were a container."""

    @staticmethod
    def run(*words):
        """What a program prints, which has to succeed."""
        return disks.run(*words)


HOST = Host()

pytestmark = pytest.mark.usefixtures("cgroup_isolation")


def near(value, expected, slack):
    """Whether it is about that much."""
    return abs(value - expected) <= slack


def epoch(boottime):
    """The time of the epoch at a time of CLOCK_BOOTTIME."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + boottime


def is_start(box, seconds, slack=1.01):
    """Whether that is when the container was started, in seconds of the epoch. Most programs cut
    to whole seconds. No process is older than that, the first one included."""
    first = min(box.after, start_time(box.pid))
    return epoch(box.before) - slack <= seconds <= epoch(first) + slack


def ps_tells(started, real):
    """Whether ps(1) shows that as the time when a process was started: it adds the machine's start and
    the process's after it, each cut to whole seconds."""
    return -0.1 <= real - started <= 2.1


# Memory

@pytest.mark.parametrize("command", [(), ("busybox",)], ids=["procps", "busybox"])
def test_free(box, command):
    """procps's reads /proc/meminfo, busybox's asks sysinfo(2) as well."""
    said = monitors.free(box, *command)
    memory = said["Mem"]
    assert memory["total"] == MEMORY
    used = box.group.number("memory.current")
    assert near(memory["total"] - memory["free"], used, SLACK)
    # busybox's asks twice.
    assert memory["free"] - (SLACK if command else 0) <= memory["available"] <= MEMORY
    assert memory["used"] < MEMORY
    assert said["Swap"]["total"] == 0


def test_top_shows_the_memory(box):
    """In MiB, with one digit."""
    total, free, swap = monitors.Top(box).memory()
    assert total == 256.0
    assert near(256 - free, box.group.number("memory.current") / MIB, SLACK / MIB)
    assert swap == 0


def test_vmstat_shows_the_memory(box):
    """In KiB."""
    said = monitors.vmstat(box)
    assert near(MEMORY - (said["free"] << 10), box.group.number("memory.current"), SLACK)
    assert (said["free"] + said["buff"] + said["cache"]) << 10 <= MEMORY


def test_python_counts_pages(box):
    """By sysconf(3), which asks sysinfo(2)."""
    pages, free, size = monitors.python(
        box, 'answer = [os.sysconf(f"SC_{name}") for name in ("PHYS_PAGES", "AVPHYS_PAGES", "PAGE_SIZE")]')
    assert pages * size == MEMORY
    assert near(MEMORY - free * size, box.group.number("memory.current"), SLACK)


# CPUs

def test_nproc(box):
    """What may be used, and what is installed."""
    assert box.run("nproc") == "1\n"
    assert box.run("nproc", "--all") == "1\n"


def test_python_counts_cpus(box):
    """All ways that programs use."""
    said = monitors.python(box, 'answer = [os.cpu_count(), os.sysconf("SC_NPROCESSORS_ONLN"), '
                                'os.sysconf("SC_NPROCESSORS_CONF"), len(os.sched_getaffinity(0))]')
    assert said == [1, 1, 1, 1]


def test_top_shows_the_cpus(box):
    """One, whose times add up."""
    top = monitors.Top(box, "-1")
    assert len(top.cpus) == 1
    # Eight numbers are rounded to a digit.
    assert near(sum(top.cpus[0].values()), 100, 0.5)


def test_vmstat_adds_up(box):
    """And sees no task of others."""
    said = monitors.vmstat(box)
    assert near(sum(said[name] for name in ("us", "sy", "id", "wa", "st")), 100, 3)
    assert said["r"] <= 3
    assert said["b"] <= 1


def test_mpstat_has_one_cpu(box):
    """Which is the whole machine."""
    said = monitors.mpstat(box)
    assert set(said) == {"all", "0"}
    for row in said.values():
        assert near(sum(row.values()), 100, 0.1)
    assert said["all"] == pytest.approx(said["0"], abs=1)


def test_iostat(box):
    """Its CPU times add up since the start, and its disks are the kernel's."""
    times, disks = monitors.iostat(box)
    assert near(sum(times.values()), 100, 0.1)
    # Of the host's own reads, which brought up this machine, it knows nothing.
    host = view.diskstats(pathlib.Path("/proc/diskstats").read_text())
    assert host["vda"]["rd_sectors"] > 2 * 1024
    if "vda" in disks:
        assert disks["vda"]["kB_read"] < host["vda"]["rd_sectors"] / 2


# Time

def test_uptime(box):
    """By /proc/uptime and by sysinfo(2)."""
    assert is_start(box, monitors.uptime_since(box))
    up = float(box.read("/proc/uptime").split()[0])
    assert is_start(box, time.time() - up, slack=0.3)
    seconds, load = monitors.python(box, """
import ctypes
info = (ctypes.c_long * 64)()
assert ctypes.CDLL(None).sysinfo(info) == 0
answer = [info[0], [number / 65536 for number in info[1:4]]]""")
    assert 0 <= seconds - up <= 3
    assert load == pytest.approx(view.Loadavg(box.read("/proc/loadavg")).averages, abs=0.2)


def test_start_times_are_those_of_the_processes(box):
    """By ps(1), and by adding what /proc/PID/stat says to btime."""
    btime = view.Stat(box.read("/proc/stat")).rest["btime"]
    assert is_start(box, btime)
    before = int(time.time())
    with box.start("sleep", "1000"):
        try:
            pid = int(box.run("pgrep", "-n", "-x", "sleep"))
            assert pid != 1
            assert before - 1 <= monitors.ps_start(box, pid)[0] <= time.time() + 1
            for pid_there, real in ((1, epoch(start_time(box.pid))), (pid, before)):
                ticks = int(box.read(f"/proc/{pid_there}/stat").rpartition(")")[2].split()[19])
                assert ticks / view.TICKS <= float(box.read("/proc/uptime").split()[0])
                assert near(btime + ticks / view.TICKS, real, 2.5)
            assert ps_tells(monitors.ps_start(box, 1)[0], epoch(start_time(box.pid)))
            # And by the host's ps, whoever's process it is.
            host = start_time(box.pid)
            started, age = monitors.ps_start(HOST, box.pid)
            assert ps_tells(started, epoch(host))
            assert near(age, time.clock_gettime(time.CLOCK_BOOTTIME) - host, 2)
        finally:
            box.run("pkill", "-f", "^sleep 1000")


def test_ages_of_processes(box):
    """procps compares start times with CLOCK_BOOTTIME, of which there is only one: it tells ages if
    they count from the machine's start, as docs/cgroup_isolation.md says."""
    with pagecache.setting("/proc/sys/kernel/container_btime_isolated", 0):
        started, age = monitors.ps_start(box, 1)
        assert ps_tells(started, epoch(start_time(box.pid)))
        assert near(age, time.time() - epoch(start_time(box.pid)), 2)
        # The uptime is the container's all the same.
        assert is_start(box, monitors.uptime_since(box))


# All in one

def test_htop(box):
    """On a terminal: the memory, and the bar of the only CPU, which then has no number. It counts
    directories in /sys."""
    screen = monitors.htop(box).replace(" ", "")
    assert "/256M" in screen, screen
    assert re.search(r"CPU\[[^\]]*%\]", screen), screen
    assert not re.search(r"(?<!\d)\d\[[^\]]*\]", screen), screen
    assert "offline" not in screen


def test_psutil(box):
    """As most of Python's monitoring does."""
    said = monitors.python(box, """
import psutil
memory = psutil.virtual_memory()
percent = psutil.cpu_times_percent(1, percpu=True)
answer = {"total": memory.total, "available": memory.available, "free": memory.free,
          "swap": psutil.swap_memory().total, "cpus": psutil.cpu_count(),
          "boot": psutil.boot_time(), "started": psutil.Process(1).create_time(),
          "percent": [sum(row) - row.guest - row.guest_nice for row in percent],
          "load": psutil.getloadavg()}""")
    assert said["total"] == MEMORY
    assert said["free"] <= said["available"] <= MEMORY
    assert near(MEMORY - said["free"], box.group.number("memory.current"), SLACK)
    assert said["swap"] == 0
    assert said["cpus"] == 1
    assert is_start(box, said["boot"])
    assert near(said["started"], epoch(start_time(box.pid)), 1.5)
    assert len(said["percent"]) == 1
    # It takes less than a second for a second.
    assert near(said["percent"][0], 100, 2)


def test_zabbix_agent(box):
    """It asks sysinfo(2) where others read /proc."""
    assert int(monitors.zabbix(box, "vm.memory.size[total]")) == MEMORY
    assert 0 < int(monitors.zabbix(box, "vm.memory.size[available]")) <= MEMORY
    assert int(monitors.zabbix(box, "system.cpu.num[online]")) == 1
    assert int(monitors.zabbix(box, "system.cpu.num[max]")) == 1
    assert int(monitors.zabbix(box, "system.swap.size[all,total]")) == 0
    assert is_start(box, int(monitors.zabbix(box, "system.boottime")))
    up = time.time() - int(monitors.zabbix(box, "system.uptime"))
    assert is_start(box, up, slack=2)
    load = view.Loadavg(box.read("/proc/loadavg")).averages[0]
    assert near(float(monitors.zabbix(box, "system.cpu.load[all,avg1]")), load, 0.2)


def test_node_exporter(box):
    """A Go program: what it exports, and how many threads it takes for itself."""
    said = monitors.node_exporter(box, 9100)
    assert said["go_sched_gomaxprocs_threads"] == 1
    assert said["node_memory_MemTotal_bytes"] == MEMORY
    free, available = (said[f"node_memory_Mem{what}_bytes"] for what in ("Free", "Available"))
    assert free <= available <= MEMORY
    cpus = {key for key in said if key.startswith("node_cpu_seconds_total")}
    assert {key.split('"')[1] for key in cpus} == {"0"}
    assert is_start(box, said["node_boot_time_seconds"])
    total = sum(said[key] for key in cpus)
    assert near(total, time.time() - said["node_boot_time_seconds"], 2.5)


@pytest.mark.parametrize("options", [(), ("-XX:-UseContainerSupport",)], ids=["cgroups", "machine"])
def test_jvm(box, options):
    """Whether it looks into cgroups itself, as newer ones do, or not."""
    assert monitors.jvm(box, *options) == (1, 1, MEMORY)
