# SPDX-License-Identifier: GPL-2.0
"""Every number of a container that works: 100 MiB of its memory, 0.7 of its CPU, 50 MiB written, and
tasks in D state; against its cgroup's own files and what the work says of itself.

Each number is read between two looks at the cgroup: it may be as the one or as the other was, or
between them, give or take 2 % or a tick. So it doesn't matter how long a look takes.
"""

import contextlib
import pathlib
import subprocess
import time

import pytest
import view
from cgroup import Cgroup
from container import delegate_all
from disks import filesystem, scratch_disk
from engines import MIB, Limits, Namespaces, Podman, Reader
from target import SCALE, helper, wait_until

SHARE = 0.02
TICK = 1 / view.TICKS
PAGE = 4096
# Counters of a cgroup are summed up later than they are counted: up to 64 pages on each CPU.
LAG = 4 * 64 * PAGE


class Work:
    """A process of src/work.c. Use as a context manager."""

    def __init__(self, box, *words):
        # pylint: disable=consider-using-with
        self._process = box.start(helper("work"), *words, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends it; what it has to say."""
        if self._process.stdin.closed:
            return None
        self._process.stdin.close()
        text = self._process.stdout.read()
        self._process.stdout.close()
        assert self._process.wait(30 * SCALE) == 0
        return text


@pytest.fixture(scope="module")
def place():
    """A file system on a disk of its own, where a container can write."""
    with filesystem("ext4") as path:
        yield path


@pytest.fixture(scope="module")
def box(place):
    """A container that does all of it."""
    with Podman("tk-truth", Limits(memory=400 * MIB), binds=[place]) as container:
        with Work(container, "alloc", "100"), Work(container, "burn", "70"), \
                Work(container, "block", "2"):
            container.run("dd", "if=/dev/zero", f"of={place}/direct", "bs=1M", "count=50",
                          "oflag=direct", "status=none")
            container.run("dd", "if=/dev/zero", f"of={place}/cached", "bs=1M", "count=20",
                          "conv=fsync", "status=none")
            container.run("dd", "if=/dev/zero", "of=/dev/shm/file", "bs=1M", "count=16", "status=none")
            yield container


@pytest.fixture(scope="module")
def reader(box):
    """See Reader."""
    with Reader(box) as running:
        yield running


def is_between(value, *looks, slack, what=""):
    """Whether it is as one of the looks or between them, but for 2 % or the slack."""
    low, high = min(looks), max(looks)
    margin = max(SHARE * high, slack)
    assert low - margin <= value <= high + margin, f"{what}: {value} isn't in {low} .. {high}"


# The lines of /proc/meminfo by what memory.stat says.
MEMINFO = {
    "Cached": lambda stat: stat["file"] - stat.get("swapcached", 0),
    "SwapCached": lambda stat: stat.get("swapcached", 0),
    "Active": lambda stat: stat["active_anon"] + stat["active_file"],
    "Inactive": lambda stat: stat["inactive_anon"] + stat["inactive_file"],
    "Active(anon)": lambda stat: stat["active_anon"],
    "Inactive(anon)": lambda stat: stat["inactive_anon"],
    "Active(file)": lambda stat: stat["active_file"],
    "Inactive(file)": lambda stat: stat["inactive_file"],
    "Unevictable": lambda stat: stat["unevictable"],
    "Dirty": lambda stat: stat["file_dirty"],
    "Writeback": lambda stat: stat["file_writeback"],
    "AnonPages": lambda stat: stat["anon"],
    "Mapped": lambda stat: stat["file_mapped"],
    "Shmem": lambda stat: stat["shmem"],
    "Slab": lambda stat: stat["slab"],
    "SReclaimable": lambda stat: stat["slab_reclaimable"],
    "SUnreclaim": lambda stat: stat["slab_unreclaimable"],
    "KernelStack": lambda stat: stat["kernel_stack"],
    "PageTables": lambda stat: stat["pagetables"],
    "AnonHugePages": lambda stat: stat["anon_thp"],
    "ShmemHugePages": lambda stat: stat["shmem_thp"],
    "FileHugePages": lambda stat: stat["file_thp"],
}

VMSTAT = {
    "nr_anon_pages": lambda stat: stat["anon"] // PAGE,
    "nr_file_pages": lambda stat: stat["file"] // PAGE,
    "nr_shmem": lambda stat: stat["shmem"] // PAGE,
    "nr_mapped": lambda stat: stat["file_mapped"] // PAGE,
    "nr_dirty": lambda stat: stat["file_dirty"] // PAGE,
    "nr_slab_reclaimable": lambda stat: stat["slab_reclaimable"] // PAGE,
    "nr_slab_unreclaimable": lambda stat: stat["slab_unreclaimable"] // PAGE,
    "nr_zone_active_anon": lambda stat: stat["active_anon"] // PAGE,
    "nr_zone_inactive_file": lambda stat: stat["inactive_file"] // PAGE,
    "pgfault": lambda stat: stat["pgfault"],
    "pgmajfault": lambda stat: stat["pgmajfault"],
}


def test_memory_in_use(box, reader, cgroup_isolation):
    """All that the cgroup has been charged with."""
    before = box.group.number("memory.current")
    meminfo = view.meminfo(reader.read("/proc/meminfo"))
    after = box.group.number("memory.current")
    assert meminfo["MemTotal"] == 400 * MIB
    assert before > 136 * MIB
    is_between(meminfo["MemTotal"] - meminfo["MemFree"], before, after, slack=LAG)


@pytest.mark.parametrize("name", MEMINFO)
def test_meminfo(box, reader, cgroup_isolation, name):
    """Each line that the cgroup has a statistic for."""
    before = box.group.numbers("memory.stat")
    value = view.meminfo(reader.read("/proc/meminfo"))[name]
    after = box.group.numbers("memory.stat")
    is_between(value, MEMINFO[name](before), MEMINFO[name](after), slack=LAG)


def test_meminfo_knows_the_work(box, reader, cgroup_isolation):
    """What the processes have, say they themselves."""
    meminfo = view.meminfo(reader.read("/proc/meminfo"))
    assert 100 * MIB <= meminfo["AnonPages"] < 125 * MIB
    assert 16 * MIB <= meminfo["Shmem"] < 18 * MIB
    assert 36 * MIB <= meminfo["Cached"] < 100 * MIB


def test_memory_available(box, reader, cgroup_isolation):
    """What could be reclaimed, but neither tmpfs nor what is in use."""
    meminfo = view.meminfo(reader.read("/proc/meminfo"))
    stat = box.group.numbers("memory.stat")
    most = meminfo["MemFree"] + stat["active_file"] + stat["inactive_file"] + stat["slab_reclaimable"]
    assert meminfo["MemFree"] <= meminfo["MemAvailable"] <= most + LAG
    assert meminfo["MemAvailable"] <= 400 * MIB - stat["anon"] - stat["shmem"] + LAG
    # Half of the cache is always available.
    assert meminfo["MemAvailable"] >= meminfo["MemFree"] + \
        (stat["active_file"] + stat["inactive_file"]) // 2 - LAG


@pytest.mark.parametrize("name", VMSTAT)
def test_vmstat(box, reader, cgroup_isolation, name):
    """The same in pages, and events."""
    before = box.group.numbers("memory.stat")
    value = view.vmstat(reader.read("/proc/vmstat"))[name]
    after = box.group.numbers("memory.stat")
    is_between(value, VMSTAT[name](before), VMSTAT[name](after), slack=LAG // PAGE)


def cpu_usage(box):
    """Seconds in all, in user mode and in the kernel."""
    stat = box.group.numbers("cpu.stat")
    return [stat[f"{name}_usec"] / 1e6 for name in ("usage", "user", "system")]


def test_cpu_times(box, reader, cgroup_isolation):
    """Those of the group's tasks since the container began, and nobody else's."""
    wait_until(lambda: cpu_usage(box)[0] > 5, "five seconds of work", timeout=60)
    before = cpu_usage(box)
    stat = view.Stat(reader.read("/proc/stat"))
    after = cpu_usage(box)
    row = stat.cpus["cpu"]
    user = (row["user"] + row["nice"]) / view.TICKS
    system = (row["system"] + row["irq"] + row["softirq"]) / view.TICKS
    is_between(stat.busy(), before[0], after[0], slack=3 * TICK, what="all")
    is_between(user, before[1], after[1], slack=3 * TICK, what="user")
    is_between(system, before[2], after[2], slack=3 * TICK, what="system")


def test_cpu_times_of_an_interval_add_up(box, reader, cgroup_isolation):
    """As top computes them: busy is what the group used, and all is what went by."""
    def look():
        times = [time.monotonic(), cpu_usage(box)[0]]
        text, up = reader.read_all("/proc/stat", "/proc/uptime")
        return times, view.Stat(text), view.uptime(up)[0], [time.monotonic(), cpu_usage(box)[0]]

    early_before, first, up_first, early_after = look()
    time.sleep(6 * SCALE)
    late_before, second, up_second, late_after = look()
    busy = second.busy() - first.busy()
    total = second.total() - first.total()
    is_between(busy, late_before[1] - early_after[1], late_after[1] - early_before[1], slack=2 * TICK,
               what="busy")
    is_between(total, late_before[0] - early_after[0], late_after[0] - early_before[0], slack=2 * TICK,
               what="total")
    is_between(up_second - up_first, late_before[0] - early_after[0], late_after[0] - early_before[0],
               slack=2 * TICK, what="uptime")
    for name in view.CPU_COLUMNS:
        assert second.cpus["cpu"][name] >= first.cpus["cpu"][name], name


def test_what_a_burner_says_of_itself(box, reader, cgroup_isolation):
    """Its own clock agrees with the container's, beside what the others do meanwhile."""
    others = cpu_usage(box)[0], view.Stat(reader.read("/proc/stat")).busy()
    burner = Work(box, "burn", "20")
    time.sleep(4 * SCALE)
    used = int(burner.end()) / 1e6
    assert view.Stat(reader.read("/proc/stat")).busy() - others[1] >= used * (1 - SHARE) - 2 * TICK
    assert cpu_usage(box)[0] - others[0] >= used * (1 - SHARE)


def test_disks(box, reader, cgroup_isolation):
    """The group's own I/O, by io.stat, and at least what the work has written."""
    disk = scratch_disk().name
    device = pathlib.Path(f"/sys/block/{disk}/dev").read_text().strip()

    def look():
        lines = [line.split() for line in box.group.read("io.stat").splitlines()]
        words = next(line[1:] for line in lines if line[0] == device)
        return {key: int(value) for key, value in (word.split("=") for word in words)}

    before = look()
    row = view.diskstats(reader.read("/proc/diskstats"))[disk]
    after = look()
    assert before["wbytes"] >= 70 * MIB
    for column, name, unit in (("rd_ios", "rios", 1), ("wr_ios", "wios", 1),
                               ("rd_sectors", "rbytes", 512), ("wr_sectors", "wbytes", 512),
                               ("dc_ios", "dios", 1), ("dc_sectors", "dbytes", 512)):
        # Requests may be made of several bios.
        low = 0 if unit == 1 else before[name] / unit
        is_between(row[column], low, after[name] / unit, slack=1, what=column)
    assert row["wr_ios"] > 0
    assert row["wr_sectors"] * 512 >= 70 * MIB * (1 - SHARE)


def test_disks_that_others_use(box, reader, cgroup_isolation):
    """Are none of the container's business."""
    before = view.diskstats(reader.read("/proc/diskstats")).get("vda", {}).get("rd_sectors", 0)
    host = view.diskstats(pathlib.Path("/proc/diskstats").read_text())["vda"]["rd_sectors"]
    subprocess.run(["dd", "if=/dev/vda", "of=/dev/null", "bs=1M", "count=20", "iflag=direct"],
                   check=True, stderr=subprocess.DEVNULL)
    after = view.diskstats(reader.read("/proc/diskstats")).get("vda", {}).get("rd_sectors", 0)
    assert view.diskstats(pathlib.Path("/proc/diskstats").read_text())["vda"]["rd_sectors"] - host \
        >= 20 * MIB // 512
    assert after - before < MIB // 512


def test_tasks(box, reader, cgroup_isolation):
    """How many there are, and how many run, by the cgroup's own list."""
    def threads():
        return sum(len(file.read_text().split()) for file in box.root.path.rglob("cgroup.threads"))

    before = threads()
    load = view.Loadavg(reader.read("/proc/loadavg"))
    assert min(before, threads()) <= load.total <= max(before, threads())
    assert 1 <= load.running <= 3


def test_forks_are_counted(box, reader, cgroup_isolation):
    """Its own, and not those of others."""
    before = view.Stat(reader.read("/proc/stat")).rest["processes"]
    box.run("sh", "-c", "for i in $(seq 50); do /bin/true; done")
    after = view.Stat(reader.read("/proc/stat")).rest["processes"]
    assert 50 <= after - before <= 60
    subprocess.run(["sh", "-c", "for i in $(seq 100); do /bin/true; done"], check=True)
    assert view.Stat(reader.read("/proc/stat")).rest["processes"] - after <= 10


def test_who_waits_for_a_disk_is_blocked(box, reader, place, cgroup_isolation):
    """As long as it waits, and nobody else is."""
    device = pathlib.Path(f"/sys/block/{scratch_disk().name}/dev").read_text().strip()
    seen = []
    box.group.write("io.max", f"{device} rbps={4 * MIB}")
    try:
        process = box.start("dd", f"if={place}/direct", "of=/dev/null", "bs=1M", "count=20",
                            "iflag=direct", "status=none")
        while process.poll() is None:
            seen.append(view.Stat(reader.read("/proc/stat")).rest["procs_blocked"])
            time.sleep(0.05)
    finally:
        box.group.write("io.max", f"{device} rbps=max")
    assert sum(seen) > len(seen) / 2
    assert max(seen) == 1
    assert view.Stat(reader.read("/proc/stat")).rest["procs_blocked"] == 0


def test_idle_while_a_disk_is_waited_for(place, cgroup_isolation):
    """It is iowait, as the cgroup's pressure says; and no longer when nobody waits."""
    device = pathlib.Path(f"/sys/block/{scratch_disk().name}/dev").read_text().strip()
    delegate_all()
    with Cgroup("waits", cpuset_cpus="1") as group:
        group.write("io.max", f"{device} wbps={4 * MIB}")

        def pressure():
            full = next(line for line in group.read("io.pressure").splitlines() if "full" in line)
            return int(full.rpartition("=")[2]) / 1e6

        with Reader(Namespaces(group, pids=False)) as reader:
            def look():
                row = view.Stat(reader.read("/proc/stat")).cpus["cpu"]
                return row["iowait"] / view.TICKS, row["idle"] / view.TICKS

            before, first, start = pressure(), look(), time.monotonic()
            group.run("dd", "if=/dev/zero", f"of={place}/slow", "bs=1M", "count=16", "oflag=direct",
                      "status=none")
            second, after, end = look(), pressure(), time.monotonic()
            time.sleep(2.5 * SCALE)
            third, later = look(), time.monotonic()
    waited = second[0] - first[0]
    # The kernel sums pressure up in steps of a tick on each CPU.
    assert waited == pytest.approx(after - before, rel=0.05, abs=0.1)
    assert 0.5 * (end - start) < waited <= end - start + 3 * TICK
    # The reader's own look is all that may wait: for its program to be read.
    assert third[0] - second[0] < 0.1 * (later - end)
    assert third[1] - second[1] > 0.8 * (later - end)


@pytest.mark.limit(90)
def test_load_average(cgroup_isolation):
    """Five tasks in D state for a while, then none: each step is the kernel's own formula."""
    with Cgroup("loaded") as group, contextlib.ExitStack() as stack:
        work = stack.enter_context(Work(Namespaces(group), "block", "5"))
        reader = stack.enter_context(Reader(Namespaces(group, pids=False)))

        def look(seconds):
            seen = [view.Loadavg(reader.read("/proc/loadavg")).averages]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.2)
                averages = view.Loadavg(reader.read("/proc/loadavg")).averages
                if averages != seen[-1]:
                    seen.append(averages)
            print(seen)
            return seen

        def steps(seen, active):
            for old, new in zip(seen, seen[1:]):
                for number, factor in enumerate((1884, 2014, 2037)):
                    # The reader may be running at the moment that counts.
                    least, most = (old[number] * factor / 2048 + tasks * (1 - factor / 2048)
                                   for tasks in (active, active + 1))
                    # All are rounded to a hundredth.
                    assert least * (1 - SHARE) - 0.015 <= new[number] <= most * (1 + SHARE) + 0.015

        busy = look(12)
        steps(busy, 5)
        assert busy[-1][0] > 0.7
        work.end()
        idle = look(22)
        # One each five seconds; the first of them may have been counted before.
        assert 4 <= len(idle) <= 6
        steps(idle[1:], 0)
        assert idle[-1][0] < idle[1][0] * 0.85
        assert view.Loadavg(reader.read("/proc/loadavg")).running <= 1
