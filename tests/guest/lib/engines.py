# SPDX-License-Identifier: GPL-2.0
"""Containers, made by the engines that people use.

Each has the guest's own root under an overlay, so all of the guest's programs run in it
unmodified, and the limits of LIMITS; the engine sets them itself where it has options for that.
Nothing of a container is mounted over /proc.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

from cgroup import ROOT, Cgroup
from container import unshare
from disks import run, unmount
from target import SCALE, wait_until

MIB = 1 << 20
SHARE = pathlib.Path("/usr/share/tkernel-rs")
PLACES = pathlib.Path("/run/tk-containers")
MACHINE_ID = pathlib.Path("/etc/machine-id")

PERIOD = 100_000
INIT = ["/usr/bin/sleep", "infinity"]


class Limits:
    """What a container may use; None is no limit."""

    def __init__(self, memory=256 * MIB, cpus=1.5, cpuset="0"):
        self.memory = memory
        self.cpus = cpus
        self.cpuset = cpuset

    def files(self):
        """The same as files of a cgroup."""
        found = {}
        if self.memory is not None:
            found["memory.max"] = str(self.memory)
        if self.cpus is not None:
            found["cpu.max"] = f"{round(self.cpus * PERIOD)} {PERIOD}"
        if self.cpuset is not None:
            found["cpuset.cpus"] = self.cpuset
        return found


class Container:
    """One that runs nothing but an init. Use as a context manager.

    `pid` is the init's, `group` the cgroup with the limits, and `root` the cgroup that the
    container sees as the root: some engines put it below. `before` and `after` are times of
    CLOCK_BOOTTIME between which it was started.
    """

    engine = "none"

    def __init__(self, name, limits=None, binds=()):
        self.name = name
        self.limits = limits or Limits()
        self.place = PLACES / name
        self.binds = [(SHARE, SHARE, True), *((path, path, False) for path in binds)]
        self.pid = self.group = self.root = self.before = self.after = None

    # What each engine does its own way.

    def _start(self):
        raise NotImplementedError

    def _stop(self):
        raise NotImplementedError

    def command(self, *words):
        """The command line that runs a program in the container."""
        raise NotImplementedError

    # What is the same for all.

    def __enter__(self):
        self.place.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "tmpfs", self.place)
        try:
            for name in ("upper", "work", "root"):
                (self.place / name).mkdir()
            run("mount", "-t", "overlay", "overlay", self.rootfs, "-o",
                f"lowerdir=/,upperdir={self.place}/upper,workdir={self.place}/work")
            self.before = time.clock_gettime(time.CLOCK_BOOTTIME)
            self._start()
            self.after = time.clock_gettime(time.CLOCK_BOOTTIME)
            self.root = Cgroup.existing(cgroup_of(self.pid))
            self.group = self.group or self.root
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._stop()
        finally:
            while os.path.ismount(self.rootfs):
                unmount(self.rootfs)
            unmount(self.place)
            self.place.rmdir()

    @property
    def rootfs(self):
        """Its root directory, seen from outside."""
        return self.place / "root"

    def start(self, *words, **options):
        """Starts a program in it."""
        return subprocess.Popen(self.command(*map(str, words)), **options)

    def run(self, *words, timeout=60, errors=None):
        """What a program prints, which has to succeed; stderr as well if it is STDOUT."""
        done = subprocess.run(self.command(*map(str, words)), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=errors or subprocess.PIPE,
                              timeout=timeout * SCALE, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def read(self, path):
        """A file of the container's."""
        return self.run("cat", path)


class Podman(Container):
    """podman with crun."""

    engine = "podman"
    _podman = ["podman", "--cgroup-manager=cgroupfs", "--runtime=crun"]

    def run_options(self):
        """Options of podman run, beside those about limits."""
        return ["--network=host", "--log-driver=none", "--pull=never"]

    def _start(self):
        options = self.run_options()
        if self.limits.memory is not None:
            options += ["--memory", str(self.limits.memory)]
        if self.limits.cpus is not None:
            options += ["--cpus", str(self.limits.cpus)]
        if self.limits.cpuset is not None:
            options += ["--cpuset-cpus", self.limits.cpuset]
        for source, target, read_only in self.binds:
            options += ["--volume", f"{source}:{target}{':ro' if read_only else ''}"]
        run(*self._podman, "run", "--detach", "--name", self.name, *options, "--rootfs", self.rootfs,
            *INIT)
        words = run(*self._podman, "inspect", "--format", "{{.Id}} {{.State.Pid}}", self.name).split()
        self._id, self.pid = words[0], int(words[1])

    def _stop(self):
        run(*self._podman, "rm", "--force", "--ignore", "--time=0", self.name)

    def command(self, *words):
        # What `podman exec` starts in the end, ten times as fast.
        return ["crun", "exec", self._id, *words]


class Nspawn(Container):
    """systemd-nspawn. There is no systemd here whose unit the container could be."""

    engine = "nspawn"
    _process = None

    def _start(self):
        if not MACHINE_ID.exists() or not MACHINE_ID.read_text().strip():
            MACHINE_ID.write_text("74b65d6c0e1f4b5fa3b0c1d2e3f40516\n")
        self.group = Cgroup(f"nspawn-{self.name}")
        self.group.path.mkdir()
        for name, value in self.limits.files().items():
            self.group.write(name, value)
        options = [f"--bind{'-ro' if read_only else ''}={source}:{target}"
                   for source, target, read_only in self.binds]
        # pylint: disable=consider-using-with
        self._process = self.group.start(
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no",
            "--console=pipe", "--machine", self.name, "--directory", self.rootfs, *options, *INIT,
            stdin=subprocess.DEVNULL)

        # Its child is the container's first process once that runs what it was given.
        def started():
            assert self._process.poll() is None, "systemd-nspawn has ended"
            for child in children(self._process.pid):
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "sleep\n":
                    self.pid = child
            return self.pid

        wait_until(started, "systemd-nspawn")

    def _stop(self):
        if self._process:
            # By the end of its first process: it cleans up behind that, as it must for the next one
            # of the same name.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid or self._process.pid, signal.SIGKILL)
            self._process.wait(30 * SCALE)
        if self.group:
            for child in self.group.path.glob("*/"):
                Cgroup.existing(child).remove()
            self.group.remove()

    def command(self, *words):
        # As machinectl's shell would, which needs systemd. nsenter's own --join-cgroup takes the
        # standard input away.
        return ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec nsenter --all --target "$@"',
                "sh", str(self.root.path), str(self.pid), "--", *words]


class Lxc(Container):
    """lxc-start."""

    engine = "lxc"

    def _start(self):
        lines = [f"lxc.rootfs.path = dir:{self.rootfs}", f"lxc.uts.name = {self.name}",
                 "lxc.net.0.type = none", "lxc.mount.auto = proc:rw sys:ro cgroup:ro",
                 "lxc.apparmor.profile = unconfined", f"lxc.init.cmd = {' '.join(INIT)}"]
        lines += [f"lxc.cgroup2.{name} = {value}" for name, value in self.limits.files().items()]
        lines += [f"lxc.mount.entry = {source} {str(target)[1:]} none "
                  f"bind,create=dir{',ro' if read_only else ''} 0 0"
                  for source, target, read_only in self.binds]
        config = self.place / "config"
        config.write_text("\n".join(lines) + "\n")
        run("lxc-start", "--daemon", "--name", self.name, "--rcfile", config)
        self.pid = int(run("lxc-info", "--name", self.name, "--pid", "--no-humanize"))
        self.group = Cgroup(f"lxc.payload.{self.name}")

    def _stop(self):
        subprocess.run(["lxc-stop", "--kill", "--name", self.name], check=False,
                       stderr=subprocess.DEVNULL, timeout=30 * SCALE)
        wait_until(lambda: not (ROOT / f"lxc.payload.{self.name}").exists() and
                   not (ROOT / f"lxc.monitor.{self.name}").exists(), "the end of lxc's container")

    def command(self, *words):
        return ["lxc-attach", "--name", self.name, "--", *words]


class Reader:
    """A process in a container that reads files there: it takes no time to start. Use as a context
    manager."""

    _SCRIPT = """if 1:
        import json, sys
        for line in sys.stdin:
            print(json.dumps([open(path).read() for path in line.split()]), flush=True)"""

    def __init__(self, box):
        self._box = box
        self._process = None

    def __enter__(self):
        # Its own memory isn't to be the story.
        self._process = self._box.start("python3", "-I", "-c", self._SCRIPT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.read("/proc/uptime")
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30 * SCALE)

    def read_all(self, *paths):
        """The texts of some files, read one right after the other."""
        self._process.stdin.write(" ".join(paths) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def read(self, path):
        """A file's text."""
        return self.read_all(path)[0]


class Namespaces:
    """A bare container without an engine, as a command's prefix: a cgroup with namespaces of its
    own and a /proc that fits them."""

    def __init__(self, group, pids=True, cgroups=True):
        self._words = ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh",
                       str(group.path), *unshare(pids, cgroups)]

    def command(self, *words):
        """The command line that runs a program there."""
        return [*self._words, "--", *words]

    start = Container.start
    run = Container.run
    read = Container.read


ENGINES = {kind.engine: kind for kind in (Podman, Nspawn, Lxc)}


def cgroup_of(pid):
    """The directory of a process's cgroup."""
    line = pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip()
    assert line.startswith("0::/"), line
    return ROOT / line[4:]


def children(pid):
    """Numbers of a process's children."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def start_time(pid):
    """When a process was started, in seconds of CLOCK_BOOTTIME, by the host's /proc."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
