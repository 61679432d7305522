# SPDX-License-Identifier: GPL-2.0
"""Tasks by the hundred for the class of bt_sched_shim, and what is done to them."""

import contextlib
import os
import pathlib
import threading
import time

import bt
from bt import POLICY, Batch

TASKS = 1000
# On emulated CPUs that share one thread so many tasks, normal ones too, would hold up
# each other for minutes without a pause, and with checkers, where each turn takes tens of
# times as long, RCU as well.
PAUSE_US = 2_000_000


class Repeated:
    """Calls something over and over in a thread, until the block ends; an error fails the test."""

    def __init__(self, call, pause=0):
        self._call = call
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0
        self._error = None

    def _run(self):
        try:
            while not self._stop.is_set():
                self._call()
                self.count += 1
                self._stop.wait(self._pause)
        except Exception as error:  # pylint: disable=broad-except
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()
        if self._error and not exception[0]:
            raise self._error
        if not exception[0]:
            assert self.count > 0, "it was never called"


def hotplug(draw):
    """A CPU that isn't the first goes and comes back."""
    with bt.offline(draw.choice(bt.CPUS[1:])):
        time.sleep(0.01)


def meddle(draw, processes):
    """Does something to one of them from outside."""
    process = draw.choice(processes)
    task = int(draw.choice(list(pathlib.Path(f"/proc/{process.pid}/task").iterdir())).name)
    # Those that fork have come and gone since, and so have CPUs and the module.
    with contextlib.suppress(OSError):
        kind = draw.randrange(5)
        if kind == 0:
            bt.enter(task)
        elif kind == 1:
            bt.set_policy(task, draw.choice([bt.NORMAL, bt.BATCH, bt.IDLE]))
        elif kind == 2:
            os.setpriority(os.PRIO_PROCESS, task, draw.randrange(-5, 20))
        elif kind == 3:
            os.sched_setaffinity(task, draw.sample(bt.CPUS, draw.randrange(1, len(bt.CPUS) + 1)))
        else:
            # Not for long: what never sleeps would have the CPU for itself.
            bt.set_policy(task, bt.RR, 1)
            bt.set_policy(task, bt.NORMAL)


@contextlib.contextmanager
def crowd(tasks, pause_us=None):
    """So many tasks, each with something to do over and over, with a pause in between; all of them
    go on and end in the end."""
    works = [("policy", POLICY), ("affinity",), ("sleep", 2000), ("yield",), ("mmap",), ("fork",), ("proc",)]
    with contextlib.ExitStack() as stack:
        processes = []
        each = tasks // 40
        for number in range(40):
            work = works[number % len(works)]
            # Threads that fork are no more of a storm, and make the rest slow.
            threads = 2 if work[0] == "fork" else each
            processes.append(stack.enter_context(Batch(*work, threads=threads, nice=number % 10,
                                                       pause_us=pause_us)))
        yield processes
        for process in processes:
            assert process.stop() > 0, process.process.args
