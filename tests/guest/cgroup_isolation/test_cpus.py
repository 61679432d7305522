# SPDX-License-Identifier: GPL-2.0
"""A container's CPUs, their times, and its load."""

import os
import pathlib
import re
import time

import pytest
from container import Container
from target import SCALE, wait_until

BURN = "import time\nend = time.monotonic() + {}\nwhile time.monotonic() < end: pass"


def cpus(container):
    """How many CPUs each way of asking shows."""
    stat = container.stat()
    return {
        "stat": sum(bool(re.fullmatch(r"cpu\d+", name)) for name in stat),
        "cpuinfo": container.cat("/proc/cpuinfo").count("processor\t:"),
        "online": int(container.python("import os; print(os.sysconf('SC_NPROCESSORS_ONLN'))")),
        "cpu_count": int(container.python("import os; print(os.cpu_count())")),
    }


@pytest.mark.parametrize("quota,count", [("max 100000", None), ("150000 100000", 2),
                                         ("100000 100000", 1), ("30000 100000", 1),
                                         ("900000 100000", None)])
def test_the_quota_is_rounded_up(container, quota, count):
    """All ways of asking agree. None is all that the machine has."""
    container.write("cpu.max", quota)
    assert set(cpus(container).values()) == {count or os.cpu_count()}


def test_the_cpuset_is_numbered_from_0(container, sysctl):
    """CPU 1 alone is cpu0, or cpu1 if the real numbers are wanted."""
    container.write("cpuset.cpus", "1")
    assert set(cpus(container).values()) == {1}
    assert "cpu0" in container.stat() and "cpu1" not in container.stat()
    assert container.cat("/sys/devices/system/cpu/online") == "0\n"
    assert "processor\t: 0\n" in container.cat("/proc/cpuinfo")
    sysctl("cpuset_cpuinfo_show_realinfo", 1)
    assert "cpu1" in container.stat() and "cpu0" not in container.stat()
    assert container.cat("/sys/devices/system/cpu/online") == "1\n"
    assert "processor\t: 1\n" in container.cat("/proc/cpuinfo")


def test_the_policy_is_global_and_for_a_group(container, sysctl):
    """The cpuset, the smaller, the quota; the group's own setting wins."""
    container.write("cpuset.cpus", "0-1")
    container.write("cpu.max", "100000 100000")
    assert cpus(container)["stat"] == 1
    sysctl("container_cpuquota_aware", 0)
    assert cpus(container)["stat"] == 2
    container.write("cpu.quota_aware", 1)
    assert cpus(container)["stat"] == 1
    container.write("cpuset.cpus", "1")
    container.write("cpu.max", "200000 100000")
    assert cpus(container)["stat"] == 1
    container.write("cpu.quota_aware", 2)
    assert cpus(container)["stat"] == 2


def read_uptime(container):
    """The container's age and the time that its CPUs have idled, in seconds."""
    return [float(word) for word in container.cat("/proc/uptime").split()]


@pytest.mark.limit(120)
def test_times_are_the_containers_own(container):
    """What is burnt is in user and system time as cpu.stat has it; all columns are the time that
    has passed; and nothing of what the host burns is there."""
    before, start = container.stat()["cpu"], container.numbers("cpu.stat")
    host = os.fork()
    if not host:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            pass
        os._exit(0)
    container.python(BURN.format(2))
    os.waitpid(host, 0)
    after, end = container.stat()["cpu"], container.numbers("cpu.stat")
    delta = [new - old for new, old in zip(after, before)]
    assert min(delta) >= 0
    used = (end["usage_usec"] - start["usage_usec"]) / 10000
    assert abs(sum(delta[:3]) - used) <= max(0.02 * used, 8 * SCALE), (delta, used)
    # To start a program that reads takes a second with checkers in the kernel.
    uptimes, stat, later = read_uptime(container), container.stat(), read_uptime(container)
    for name in ("cpu0", "cpu1"):
        assert uptimes[0] - 0.5 < sum(stat[name]) / 100 < later[0] + 0.5, (name, stat[name], uptimes)
    assert uptimes[1] - 0.5 < stat["cpu"][3] / 100 < later[1] + 0.5, (stat["cpu"], uptimes)


def test_what_the_quota_denies_is_steal_time(container):
    """Half a CPU for one that could use all of it."""
    container.write("cpu.max", "50000 100000")
    before = container.stat()["cpu"]
    container.python(BURN.format(3))
    delta = [new - old for new, old in zip(container.stat()["cpu"], before)]
    assert delta[7] > 0.3 * sum(delta), delta


def test_load_counts_what_is_active(container):
    """Two that burn, the reader, and nobody of the host."""
    hogs = [container.start("python3", "-c", BURN.format(1000)) for _ in range(2)]
    host = os.fork()
    if not host:
        while True:
            pass
    try:
        def running():
            fields = container.cat("/proc/loadavg").split()
            return int(fields[3].split("/")[0])

        wait_until(lambda: running() == 3, "two run, and the reader")
        loads = container.cat("/proc/loadavg").split()
        total = int(loads[3].split("/")[1])
        # nsenter and cat were there then.
        assert total == container.number("pids.current") + 2
        wait_until(lambda: 0.1 < float(container.cat("/proc/loadavg").split()[0]) < 2.5,
                   "the load rises")
        assert float(pathlib.Path("/proc/loadavg").read_text().split()[0]) >= 0
    finally:
        os.kill(host, 9)
        os.waitpid(host, 0)
        for hog in hogs:
            hog.kill()
            hog.wait()


def test_time_began_with_the_container(container):
    """uptime, btime and the start of processes agree with each other and with the clock."""
    uptime = float(container.cat("/proc/uptime").split()[0])
    assert uptime < 20 * SCALE
    btime = container.stat()["btime"][0]
    assert abs(time.time() - uptime - btime) < 2 * SCALE
    stat = container.cat("/proc/1/stat")
    assert int(stat.rsplit(")", 1)[1].split()[19]) < 5
    started = container.run("ps", "-o", "lstart=", "-p", "1").strip()
    assert abs(time.mktime(time.strptime(started)) - btime) < 2
    assert abs(int(container.python("import ctypes; b = (ctypes.c_long * 16)(); "
                                    "ctypes.CDLL(None).sysinfo(b); print(b[0])"))
               - float(container.cat("/proc/uptime").split()[0])) < 2 * SCALE


def test_start_times_can_stay_the_machines(container, sysctl):
    """Then btime does too."""
    sysctl("container_btime_isolated", 0)
    btime = re.search(r"btime (\d+)", pathlib.Path("/proc/stat").read_text()).group(1)
    assert container.stat()["btime"] == [int(btime)]
    host = pathlib.Path(f"/proc/{container.init}/stat").read_text().rsplit(")", 1)[1].split()[19]
    assert container.cat("/proc/1/stat").rsplit(")", 1)[1].split()[19] == host


def test_a_container_in_the_hosts_pid_namespace(isolation):  # pylint: disable=unused-argument
    """Its time begins with its oldest process."""
    with Container("pod", shared_pids=True, memory_max=1 << 27) as pod:
        time.sleep(1)
        assert pod.meminfo()["MemTotal"] == 1 << 17
        assert 0.9 < float(pod.cat("/proc/uptime").split()[0]) < 20 * SCALE
