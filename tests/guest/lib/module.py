# SPDX-License-Identifier: GPL-2.0
"""Loading and unloading of modules."""

import contextlib
import errno
import os
import pathlib
import subprocess

import linux
from target import SCALE, wait_until


def loaded(name):
    """Whether a module is loaded."""
    return pathlib.Path(f"/sys/module/{name}").exists()


def references(name):
    """How often a module is in use."""
    return int(pathlib.Path(f"/sys/module/{name}/refcnt").read_text())


def path(name):
    """The module's file, or None if it isn't installed."""
    found = subprocess.run(["modinfo", "-n", name], capture_output=True, text=True,
                           timeout=30 * SCALE, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def modprobe(*args):
    """Runs modprobe(8)."""
    return subprocess.run(["modprobe", *args], capture_output=True, text=True,
                          timeout=60 * SCALE, check=False)


KUNIT_FILTER = pathlib.Path("/sys/module/kunit/parameters/filter_glob")


class Module:
    """A module that a test loads and that is unloaded when the test ends."""

    def __init__(self, name):
        self.name = name

    def load(self, **parameters):
        """As an administrator does."""
        done = modprobe(self.name, *[f"{key}={value}" for key, value in parameters.items()])
        assert done.returncode == 0, done.stderr

    def unload(self):
        """As an administrator does."""
        done = modprobe("-r", self.name)
        assert done.returncode == 0, done.stderr
        assert not loaded(self.name)

    def load_needed(self):
        """What it links to, for who loads it by the bare system call: tkhooks on a kernel without hooks.patch."""
        needed = subprocess.run(["modinfo", "-F", "depends", self.name], capture_output=True, text=True,
                                timeout=30 * SCALE, check=True).stdout.strip()
        for name in filter(None, needed.split(",")):
            Module(name).load()

    def insert(self, parameters=""):
        """The bare system call; its errno."""
        self.load_needed()
        with open(path(self.name), "rb") as file:
            return linux.errno_of(linux.finit_module, file.fileno(), parameters)

    def remove(self):
        """The bare system call; its errno."""
        return linux.errno_of(linux.delete_module, self.name)

    def clean_up(self):
        """Unloads it whatever the test did. Who had it open may be just ending."""
        if not loaded(self.name):
            return
        error = errno.EBUSY

        def gone():
            nonlocal error
            error = self.remove()
            return error == 0 or not loaded(self.name)

        with contextlib.suppress(AssertionError):
            wait_until(gone, "unloading", timeout=10)
        assert not loaded(self.name), f"{self.name} can't be unloaded: {os.strerror(error)}"


class Selftest(Module):
    """tk_selftest.ko. Its KUnit suites take seconds: only those run that are asked for."""

    def __init__(self, suites="none"):
        super().__init__("tk_selftest")
        if KUNIT_FILTER.exists():
            KUNIT_FILTER.write_text(suites)
