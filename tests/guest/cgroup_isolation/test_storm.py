# SPDX-License-Identifier: GPL-2.0
"""Loading, unloading, and containers that come and go while all is read."""

import contextlib
import subprocess
import threading

import pytest
from container import Container, dying, settle
from module import loaded
from target import SCALE

MIB = 1 << 20
READ = """
while :; do
    cat /proc/meminfo /proc/stat /proc/vmstat /proc/loadavg /proc/uptime /proc/diskstats /proc/swaps \
        /proc/cpuinfo /sys/devices/system/cpu/online /sys/block/*/stat /proc/1/stat >/dev/null
done
"""


@contextlib.contextmanager
def readers(containers):
    """One in each, which reads everything without pause."""
    running = [container.start("sh", "-c", READ, stderr=subprocess.DEVNULL)
               for container in containers]
    yield
    for reader in running:
        assert reader.poll() is None, "a reader has ended"
        reader.kill()
        reader.wait()


@pytest.mark.storm
@pytest.mark.limit(600)
def test_loading_and_unloading_under_readers(isolation_module):
    """Readers see the one or the other, and go on."""
    with contextlib.ExitStack() as stack:
        containers = [stack.enter_context(Container(f"storm{number}", memory_max=256 * MIB))
                      for number in range(3)]
        with readers(containers):
            for _ in range(25):
                isolation_module.load()
                assert containers[0].meminfo()["MemTotal"] == 256 * 1024
                isolation_module.unload()
                assert containers[0].meminfo()["MemTotal"] > 256 * 1024
    assert not loaded("cgroup_isolation")


@pytest.mark.storm
@pytest.mark.limit(600)
@pytest.mark.parametrize("count", [60, pytest.param(200, marks=pytest.mark.long)])
def test_containers_come_and_go(isolation_module, count):
    """So many (fewer where all is slower), read, moved and resized, with the module going and coming: none
    is kept."""
    count = round(count / SCALE)
    settle(dying())
    before = dying()
    stop = threading.Event()

    def reload():
        while not stop.is_set():
            isolation_module.load()
            stop.wait(0.5)
            isolation_module.unload()

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        for number in range(count):
            with Container(f"come{number}", memory_max=256 * MIB) as container:
                reader = container.start("sh", "-c", READ, stderr=subprocess.DEVNULL)
                container.write("memory.max", 128 * MIB)
                container.write("cpu.max", "50000 100000")
                container.write("cpuset.cpus", str(number % 2))
                total = container.meminfo()["MemTotal"]
                assert total == 128 * 1024 or total > 256 * 1024, "the wrong container"
            reader.wait()
    finally:
        stop.set()
        thread.join()
    settle(before + 5)
