# SPDX-License-Identifier: GPL-2.0
"""Containers without an engine: a cgroup, and namespaces by unshare(1)."""

import pathlib
import subprocess

from cgroup import ROOT, Cgroup
from target import SCALE, wait_until

CONTROLLERS = "+memory +cpu +cpuset +io +pids"


def unshare(pids=True, cgroups=True):
    """The command line that runs a program as a container: in a cgroup namespace whose root is the
    cgroup it is in, and as init of a pid namespace with a /proc that fits it, or without one of
    both."""
    words = ["unshare", "--mount"]
    words += ["--cgroup"] if cgroups else []
    words += ["--pid", "--fork", "--kill-child", "--mount-proc"] if pids else []
    return words


class Container(Cgroup):
    """A cgroup whose processes have it as root of their cgroup namespace, and an init process that
    sleeps in a pid namespace of its own. `shared_pids`: in the pid namespace of the host."""

    def __init__(self, name, parent=None, shared_pids=False, own_cgroups=True, **settings):
        super().__init__(name, parent, **settings)
        self._own_cgroups = own_cgroups
        self._shared_pids = shared_pids
        self._unshare = None
        self.init = None

    def __enter__(self):
        super().__enter__()
        self._unshare = super().start(*unshare(not self._shared_pids, self._own_cgroups), "sh", "-c",
                                      "echo ready; exec sleep infinity",
                                      stdout=subprocess.PIPE, text=True)
        assert self._unshare.stdout.readline() == "ready\n"
        self.init = self._unshare.pid
        if not self._shared_pids:
            children = f"/proc/{self.init}/task/{self.init}/children"
            self.init = int(pathlib.Path(children).read_text().split()[0])
        return self

    def __exit__(self, *_):
        if self._unshare:
            (self.path / "cgroup.kill").write_text("1")
            self._unshare.communicate(timeout=60 * SCALE)
        super().__exit__()

    def start(self, *command, **options):
        """Starts a program in it."""
        kinds = (["-C"] if self._own_cgroups else []) + ([] if self._shared_pids else ["-p", "-m"])
        return super().start("nsenter", "-t", self.init, *kinds, "--", *command, **options)

    def cat(self, path):
        """What a process in it reads."""
        return self.run("cat", path)

    def python(self, program):
        """What a Python program in it prints."""
        return self.run("python3", "-c", program).strip()

    def meminfo(self):
        """/proc/meminfo in it, in kB."""
        return parse_meminfo(self.cat("/proc/meminfo"))

    def stat(self):
        """The numbers of each line of /proc/stat in it."""
        return parse_stat(self.cat("/proc/stat"))


def parse_meminfo(text):
    """Its numbers by name."""
    return {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}


def parse_stat(text):
    """Its lists of numbers by name."""
    return {name: [int(number) for number in numbers]
            for name, *numbers in (line.split() for line in text.splitlines())}


def delegate_all():
    """Lets cgroups below the root have all controllers that a view needs."""
    (ROOT / "cgroup.subtree_control").write_text(CONTROLLERS)


def dying():
    """How many removed cgroups are still kept by somebody."""
    lines = (ROOT / "cgroup.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["nr_dying_descendants"])


def settle(bound):
    """Waits until no more than so many removed cgroups are kept."""

    def gone():
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return dying() <= bound

    wait_until(gone, f"no more than {bound} dying cgroups, now {dying()}")
