# SPDX-License-Identifier: GPL-2.0
"""What pclimit shows: its sysctls, its counters, its thread, its tracepoint."""

import contextlib
import errno
import os
import pathlib
import re

from pagecache import setting

SYSCTLS = pathlib.Path("/proc/sys/vm")
STATS = pathlib.Path("/proc/pagecache_limit")
TRACING = pathlib.Path("/sys/kernel/tracing")
THREAD = "kpclimitd"

# Every file that can be written: its default, and the values that it takes by itself.
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
ULONG_MAX = (1 << 64) - 1
DEFAULTS = {
    "limit_ratio": 0,
    "limit_bytes": 0,
    "limit_reclaim_ratio": 0,
    "limit_ignore_dirty": 1,
    "limit_async": 0,
    "limit_ignore_slab": 1,
    "limit_global": 1,
    "limit_retry_times": 5,
}
RANGES = {
    "limit_ratio": (0, 100),
    "limit_bytes": (0, ULONG_MAX),
    "limit_reclaim_ratio": (0, 100),
    "limit_ignore_dirty": (INT_MIN, INT_MAX),
    "limit_async": (INT_MIN, INT_MAX),
    "limit_ignore_slab": (INT_MIN, INT_MAX),
    "limit_global": (0, 1),
    "limit_retry_times": (0, 65535),
}
USAGE = "system_usage"


def path(name):
    """A file in /proc/sys/vm, without the part that all their names begin with."""
    return SYSCTLS / f"pagecache_{name}"


def read(name):
    """A file's number."""
    return int(path(name).read_text())


def read_all():
    """The numbers of all files that can be written."""
    return {name: read(name) for name in DEFAULTS}


def write(name, value):
    """One write(2) of a number or a text."""
    text = value if isinstance(value, bytes) else str(value).encode()
    fd = os.open(path(name), os.O_WRONLY)
    try:
        return os.write(fd, text)
    finally:
        os.close(fd)


def write_errno(name, value):
    """The errno of it, 0 if it is accepted."""
    try:
        write(name, value)
    except OSError as error:
        return error.errno
    return 0


def usage():
    """Pages that count."""
    return read(USAGE)


def stats():
    """The counters."""
    return {name: int(value) for name, value in
            (line.split() for line in STATS.read_text().splitlines())}


@contextlib.contextmanager
def reclaims_by(comm="*"):
    """What tasks of that name reclaimed while the block runs: a list, which is filled afterwards, of
    the numbers of each call by their names, and its flags."""
    event = TRACING / "events/tkernel/tkernel_reclaim_file"
    found = []
    (event / "filter").write_text(f'comm ~ "{comm}"')
    try:
        (TRACING / "trace").write_text("")
        with setting(event / "enable", 1):
            yield found
        for line in (TRACING / "trace").read_text().splitlines():
            if "tkernel_reclaim_file:" in line:
                call = dict(re.findall(r"(\w+)=(\S*)", line))
                found.append({name: int(value) if value.isdigit() else value for name, value in call.items()})
        (TRACING / "trace").write_text("")
    finally:
        (event / "filter").write_text("0")


def threads():
    """Numbers of the processes that are called as the thread is."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                name = pathlib.Path(f"/proc/{entry}/comm").read_text()
            except OSError as error:
                # It has ended meanwhile.
                if error.errno not in (errno.ENOENT, errno.ESRCH):
                    raise
                continue
            if name.strip() == THREAD:
                found.append(int(entry))
    return found


def left():
    """What there is of the module."""
    return [*SYSCTLS.glob("pagecache_*"), *(STATS for _ in range(STATS.exists())), *threads()]


class Model:
    """What the files have to hold after some writes: the rules, written down once more.

    Knows which writes are refused, and with which errno.
    """

    def __init__(self):
        self.values = dict(DEFAULTS)

    def is_limited(self):
        """Whether there is a limit."""
        return self.values["limit_ratio"] > 0 or self.values["limit_bytes"] > 0

    def write(self, name, value):
        """The errno that writing a number gives."""
        low, high = RANGES[name]
        if not low <= value <= high:
            return errno.EINVAL
        values = self.values
        if name == "limit_ratio":
            values["limit_reclaim_ratio"] = min(value + 2, 100) if value else 0
            values["limit_bytes"] = 0
        elif name == "limit_bytes":
            if 0 < value < os.sysconf("SC_PAGE_SIZE"):
                return errno.EINVAL
            if value:
                values["limit_ratio"] = values["limit_reclaim_ratio"] = 0
        elif name == "limit_reclaim_ratio":
            if not values["limit_ratio"] or value - values["limit_ratio"] < 2:
                return errno.EINVAL
        elif name == "limit_async":
            if value > 0 and not self.is_limited():
                return errno.EINVAL
        values[name] = value
        return 0

    def wants_thread(self):
        """Whether there has to be a kpclimitd."""
        return self.is_limited() and self.values["limit_async"] > 0
