# SPDX-License-Identifier: GPL-2.0
"""Reading the files of /proc that a container has a view of its own of."""

import os
import re

TICKS = os.sysconf("SC_CLK_TCK")

CPU_DIRECTORY = "/sys/devices/system/cpu"
FILES = ["/proc/meminfo", "/proc/stat", "/proc/vmstat", "/proc/cpuinfo", "/proc/loadavg",
         "/proc/uptime", "/proc/diskstats", "/proc/swaps",
         *(f"{CPU_DIRECTORY}/{name}" for name in ("online", "present", "possible"))]

# Of a CPU's line in /proc/stat.
CPU_COLUMNS = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest",
               "guest_nice"]
# Of a disk's line in /proc/diskstats, behind its name.
DISK_COLUMNS = ["rd_ios", "rd_merges", "rd_sectors", "rd_ms", "wr_ios", "wr_merges", "wr_sectors",
                "wr_ms", "in_flight", "busy_ms", "queue_ms", "dc_ios", "dc_merges", "dc_sectors",
                "dc_ms", "fl_ios", "fl_ms"]


def meminfo(text):
    """Bytes by name; what is no size as it stands."""
    found = {}
    for line in text.splitlines():
        name, value = line.split(":")
        words = value.split()
        found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def vmstat(text):
    """The numbers by name."""
    return {name: int(value) for name, value in map(str.split, text.splitlines())}


class Stat:
    """/proc/stat: `cpus` has "cpu" and each "cpuN", with ticks by column; `rest` the first number
    of each other line."""

    def __init__(self, text):
        self.cpus = {}
        self.rest = {}
        for line in text.splitlines():
            name, *values = line.split()
            if name.startswith("cpu"):
                self.cpus[name] = dict(zip(CPU_COLUMNS, map(int, values), strict=True))
            else:
                self.rest[name] = int(values[0])

    def cpu_names(self):
        """The CPUs that have a line."""
        return [name for name in self.cpus if name != "cpu"]

    def busy(self, name="cpu"):
        """Seconds that were spent in tasks."""
        row = self.cpus[name]
        return sum(row[key] for key in ("user", "nice", "system", "irq", "softirq")) / TICKS

    def total(self, name="cpu"):
        """Seconds in all. Those of guests are part of the user's."""
        row = self.cpus[name]
        return sum(value for key, value in row.items() if not key.startswith("guest")) / TICKS


def cpuinfo(text):
    """A dict for each CPU."""
    return [dict(map(str.strip, line.partition(":")[::2]) for line in block.splitlines())
            for block in text.strip().split("\n\n")]


def diskstats(text):
    """Of each disk or partition the numbers by column."""
    found = {}
    for line in text.splitlines():
        _major, _minor, name, *values = line.split()
        found[name] = dict(zip(DISK_COLUMNS, map(int, values), strict=True))
    return found


def uptime(text):
    """How long it is up and idle, in seconds."""
    up, idle = map(float, text.split())
    return up, idle


class Loadavg:
    """The three averages, and tasks."""

    def __init__(self, text):
        match = re.fullmatch(r"(\d+\.\d\d) (\d+\.\d\d) (\d+\.\d\d) (\d+)/(\d+) (\d+)\n", text)
        assert match, repr(text)
        self.averages = [float(match[number]) for number in (1, 2, 3)]
        self.running, self.total, self.last = (int(match[number]) for number in (4, 5, 6))


def cpu_list(text):
    """The numbers of a list such as 0-2,4."""
    found = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _lines(text, pattern, what):
    for line in text.splitlines():
        assert re.fullmatch(pattern, line), f"{what}: {line!r}"


def layout(path, text):
    """What a program that parses the file depends on: all but the numbers. Fails if a line has not
    the kernel's own format."""
    name = path.rpartition("/")[2]
    assert text.endswith("\n") or not text, f"{name} ends within a line"
    if name == "meminfo":
        # Numbers of up to eight digits all end in the same column.
        _lines(text, r"[\w()]+: +\d+( kB)?", name)
        return [(line.split(":")[0], line.endswith(" kB"), len(line)) for line in text.splitlines()]
    if name == "vmstat":
        _lines(text, r"\w+ \d+", name)
        return [line.split()[0] for line in text.splitlines()]
    if name == "stat":
        _lines(text, r"(cpu | ?\w+)( \d+)+", name)
        return [(line.split()[0], line.count(" ")) for line in text.splitlines()
                if not re.match(r"cpu\d", line)]
    if name == "cpuinfo":
        assert text.endswith("\n\n")
        first = text.split("\n\n")[0]
        return [line.partition(":")[0] for line in first.splitlines()]
    if name == "diskstats":
        _lines(text, r"[ \d]{4} [ \d]{7} \S+( \d+){17}", name)
        return None
    if name == "uptime":
        _lines(text, r"\d+\.\d\d \d+\.\d\d", name)
        return text.count("\n")
    if name == "loadavg":
        Loadavg(text)
        return text.count("\n")
    if name == "swaps":
        return text.splitlines()[0]
    _lines(text, r"(\d+(-\d+)?)(,\d+(-\d+)?)*", name)
    return text.count("\n")
