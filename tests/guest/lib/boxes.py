# SPDX-License-Identifier: GPL-2.0
"""Containers to look at the kernel from: podman's, and bare namespaces by unshare(1)."""

import subprocess

import engines
from target import SCALE, wait_until


class Box(engines.Podman):
    """podman's container as it is by default, but for its name; `options` for podman run."""

    def __init__(self, name, *options, binds=()):
        super().__init__(name, engines.Limits(None, None, None), binds)
        self.options = options

    def run_options(self):
        return ["--network=none", "--log-driver=none", "--pull=never", *self.options]


class Bare:
    """Namespaces by unshare(1), with an init that sleeps. Use as a context manager; `pid` is the
    init's on the host. `options` are unshare's."""

    def __init__(self, *options, user=None):
        self._options = options or ("--pid", "--fork", "--mount", "--mount-proc", "--net", "--uts")
        self._user = user
        self._unshare = self.pid = None

    def __enter__(self):
        # pylint: disable=consider-using-with
        self._unshare = subprocess.Popen(
            ["unshare", *self._options, "--kill-child", "sh", "-c", "echo ready; exec sleep infinity"],
            stdout=subprocess.PIPE, text=True, user=self._user)
        assert self._unshare.stdout.readline() == "ready\n"
        self.pid = self._unshare.pid
        if "--fork" in self._options:
            self.pid = engines.children(self.pid)[0]
        if "--net" in self._options:
            # As engines do.
            self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        self._unshare.kill()
        self._unshare.communicate(timeout=60 * SCALE)
        wait_until(lambda: not engines.children(self._unshare.pid), "the end of a container")

    def command(self, *words):
        """The command line that runs a program there."""
        return ["nsenter", "--all", "--target", str(self.pid), "--", *words]

    start = engines.Container.start
    run = engines.Container.run
    read = engines.Container.read


def outcome(box, *words, timeout=60, **options):
    """The exit status of a program in a box, and all that it printed."""
    done = subprocess.run(box.command(*map(str, words)), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout * SCALE, check=False, **options)
    return done.returncode, done.stdout


def assert_container_cant_write(path, text, name):
    """It takes CAP_SYS_ADMIN over the machine, which podman's root lacks, and that of a user namespace
    has only there; not just what the mode of the file asks for. `name` is the container's."""
    before = path.read_text()
    write = ["sh", "-c", f"echo {text} | tee {path}"]
    with Box(name, "--security-opt=unmask=ALL") as box:
        status, output = outcome(box, *write)
        assert status, output
    for becoming in (["unshare", "-Ur"],
                     ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]):
        done = subprocess.run([*becoming, *write], capture_output=True, text=True, timeout=30 * SCALE, check=False)
        assert done.returncode and ("not permitted" in done.stderr or "denied" in done.stderr), done.stderr
    assert path.read_text() == before
