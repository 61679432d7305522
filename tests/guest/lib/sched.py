# SPDX-License-Identifier: GPL-2.0
"""What the scheduler did with some tasks, by its tracepoints.

The kernel's own count, /proc/PID/schedstat, misses a task that is preempted when it is about to
sleep: it has the state of one that sleeps, but waits for a CPU, for as long as the others take.
"""

import contextlib
import pathlib
import re

from disks import run
from pagecache import setting

TRACING = pathlib.Path("/sys/kernel/tracing")
EVENTS = TRACING / "events/sched"
LINE = re.compile(r" (\d+)\.(\d{6}): sched_(switch|wakeup): (.*)")
SWITCH = re.compile(r"prev_pid=(\d+) .*prev_state=(\S+) ==> .*next_pid=(\d+)")
WAKEUP = re.compile(r"pid=(\d+)")


class Waits:
    """When each task waited for a CPU, in nanoseconds of CLOCK_MONOTONIC."""

    def __init__(self):
        self._waits = {}
        self._runnable = {}

    def read(self, lines):
        """Takes what the tracepoints said."""
        for line in lines:
            match = LINE.search(line)
            if not match:
                continue
            time = int(match[1]) * 10**9 + int(match[2]) * 1000
            if match[3] == "wakeup":
                self._runnable.setdefault(WAKEUP.search(match[4])[1], time)
                continue
            before, state, after = SWITCH.search(match[4]).groups()
            since = self._runnable.pop(after, None)
            if since is not None:
                self._waits.setdefault(int(after), []).append((since, time))
            if state.startswith("R"):
                self._runnable[before] = time

    def between(self, pid, start, end):
        """How long of that time the task waited."""
        return sum(max(0, min(end, until) - max(start, since))
                   for since, until in self._waits.get(pid, []))


@contextlib.contextmanager
def waits_of(comm):
    """Of all tasks of that name while the block runs: a Waits, which is filled afterwards."""
    if not EVENTS.exists():
        run("mount", "-t", "tracefs", "tracefs", TRACING)
    waits = Waits()
    switch = f'prev_comm == "{comm}" || next_comm == "{comm}"'
    with contextlib.ExitStack() as stack:
        for name, value, after in [("trace_clock", "mono", "local"), ("buffer_size_kb", "16384", "1408")]:
            (TRACING / name).write_text(value)
            stack.callback((TRACING / name).write_text, after)
        for name, words in [("sched_switch", switch), ("sched_wakeup", f'comm == "{comm}"')]:
            (EVENTS / name / "filter").write_text(words)
            stack.callback((EVENTS / name / "filter").write_text, "0")
            stack.enter_context(setting(EVENTS / name / "enable", 1))
        (TRACING / "trace").write_text("")
        yield waits
        stack.enter_context(setting(TRACING / "tracing_on", 0))
        with open(TRACING / "trace", encoding="ascii", errors="replace") as trace:
            waits.read(trace)
        (TRACING / "trace").write_text("")
