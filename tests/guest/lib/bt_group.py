# SPDX-License-Identifier: GPL-2.0
"""Cgroups of the cpu controller in the class of bt_sched_shim."""

import contextlib
import os

import bt
import cgroup
from bt import Batch

FILES = ("cpu.offline", "cpu.bt_shares", "cpu.bt_max", "cpu.bt_usage", "cpu.bt_usage_user", "cpu.bt_usage_sys",
         "cpu.bt_usage_percpu", "cpu.bt_usage_percpu_user", "cpu.bt_usage_percpu_sys", "cpu.bt_stat")


class Group(cgroup.Cgroup):
    """One that has the files. Use as a context manager; what is in it dies in the end."""

    def __init__(self, name, parent=None, **settings):
        (parent.path if parent else cgroup.ROOT).joinpath("cgroup.subtree_control").write_text("+cpu")
        super().__init__(name, parent, **settings)

    def remove(self):
        """Whatever is in it, which needs a CPU to die."""
        if (self.path / "cpu.offline").exists():
            for below in [*self.path.rglob("cpu.offline"), self.path / "cpu.offline"]:
                with contextlib.suppress(OSError):
                    below.write_text("0")
        super().remove()

    def add(self, *processes):
        """Moves them into it."""
        for process in processes:
            self.write("cgroup.procs", process.pid)

    def hog(self, *work, **options):
        """A process in it, which is started elsewhere: there it has a CPU to get ready."""
        process = Batch(*(work or ("burn",)), **options)
        try:
            self.add(process)
        except OSError:
            process.kill()
            raise
        return process

    def percpu(self, name):
        """The numbers of a file with one for each CPU."""
        return [int(number) for number in self.read(name).split()]


def priority(process):
    """20 plus the nice value for a normal task, 60 for one in the class."""
    return bt.Stat(process.pid).priority


@contextlib.contextmanager
def groups(*names, parent=None, **settings):
    """As many."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Group(name, parent, **settings)) for name in names]


@contextlib.contextmanager
def hogs(*places, cpu=None):
    """A process that never sleeps in each of these groups."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(place.hog(cpu=cpu)) for place in places]


def has_files(group):
    """Those of them that it has."""
    return [name for name in FILES if os.path.exists(group.path / name)]
