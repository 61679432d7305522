# SPDX-License-Identifier: GPL-2.0
"""Control groups (v2), and programs in them."""

import os
import pathlib
import subprocess
import threading
import time

from pagecache import PERIOD
from target import SCALE, wait_until

ROOT = pathlib.Path("/sys/fs/cgroup")


class Cgroup:
    """A cgroup of its own. Use as a context manager; what is in it dies in the end."""

    def __init__(self, name, parent=None, **settings):
        self.path = (parent.path if parent else ROOT) / name
        self._settings = settings

    @classmethod
    def existing(cls, path):
        """One that somebody else has made."""
        return cls(path.relative_to(ROOT))

    def __enter__(self):
        self.path.mkdir()
        for name, value in self._settings.items():
            self.write(name.replace("_", ".", 1), value)
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        """Whatever is in it."""
        if not self.path.exists():
            return
        (self.path / "cgroup.kill").write_text("1")

        def gone():
            try:
                self.path.rmdir()
            except OSError:
                return False
            return True

        wait_until(gone, f"removing {self.path}")

    def delegate(self, controllers="+memory"):
        """Lets it have children with these."""
        self.write("cgroup.subtree_control", controllers)

    def read(self, name):
        """A file's text, without the newline."""
        return (self.path / name).read_text().rstrip("\n")

    def number(self, name):
        """A file's number."""
        return int(self.read(name))

    def numbers(self, name):
        """The numbers of a flat keyed file."""
        return {key: int(value) for key, value in
                (line.split() for line in self.read(name).splitlines())}

    def write(self, name, value):
        """One write(2)."""
        fd = os.open(self.path / name, os.O_WRONLY)
        try:
            os.write(fd, value if isinstance(value, bytes) else str(value).encode())
        finally:
            os.close(fd)

    def write_errno(self, name, value):
        """The errno of it, 0 if it is accepted."""
        try:
            self.write(name, value)
        except OSError as error:
            return error.errno
        return 0

    def start(self, *command, **options):
        """Starts a program in it."""
        return subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", str(self.path),
             *map(str, command)], **options)

    def run(self, *command, timeout=60):
        """Runs a program in it, which has to succeed."""
        with self.start(*command, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True) as process:
            output, errors = process.communicate(timeout=timeout * SCALE)
        assert process.returncode == 0, errors
        return output

    def files(self):
        """Bytes of page cache by the kernel's own counters: not of tmpfs or swap."""
        stat = self.numbers("memory.stat")
        return stat["file"] - stat["shmem"] - stat.get("swapcached", 0)


class Watch:
    """Looks at a cgroup's page cache every 10 ms while the block runs; `most` is the most, in bytes.

    The kernel's own counters of a cgroup lag behind by up to 2 s, so they are looked at only now
    and then; see files().
    """

    def __init__(self, cgroup):
        self._cgroup = cgroup
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = 0
        self.looks = 0

    def _run(self):
        while not self._stop.is_set():
            self.most = max(self.most, self._cgroup.number("memory.pagecache.current"))
            self.looks += 1
            time.sleep(PERIOD)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
