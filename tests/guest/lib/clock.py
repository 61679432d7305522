# SPDX-License-Identifier: GPL-2.0
"""The guest's time: its own, or the one of a machine that has other work as well."""

import contextlib
import mmap
import os
import pathlib
import subprocess

from target import helper


def is_deterministic():
    """Whether a nanosecond is an instruction: see VM_ICOUNT in docs/building.md."""
    return "tk.icount=1" in pathlib.Path("/proc/cmdline").read_text().split()


@contextlib.contextmanager
def short_turns(microseconds=100):
    """The emulator's CPUs run in short turns, as if at the same time."""
    if not is_deterministic():
        yield
        return
    subprocess.run([helper("turns"), str(microseconds)], check=True)
    try:
        yield
    finally:
        subprocess.run([helper("turns"), "0"], check=True)


@contextlib.contextmanager
def idle_takes_turns():
    """An idle CPU spins, so that it takes its turns like any other: the emulator gives what it leaves to
    the others, and of four CPUs one alone is as fast as four.

    The instruction that waits becomes one that doesn't, in the kernel's code; idle=halt has the kernel
    use this one. In the loops for idle=poll is PAUSE, with which the emulator ends a turn.
    """
    address = _physical(_symbol("pv_native_safe_halt"))
    code = _Memory(address)
    place = code.read(32).index(b"\xfb\xf4") + 1  # sti; hlt
    assert "idle=halt" in pathlib.Path("/proc/cmdline").read_text().split()
    code.write(place, b"\x90")
    try:
        yield
    finally:
        code.write(place, b"\xf4")


def _symbol(name):
    """The virtual address of a function."""
    for line in pathlib.Path("/proc/kallsyms").read_text().splitlines():
        address, _, found = line.split()[:3]
        if found == name:
            return int(address, 16)
    raise AssertionError(f"no {name}")


def _physical(address):
    """Where the kernel's code has this address."""
    for line in pathlib.Path("/proc/iomem").read_text().splitlines():
        if line.endswith(" : Kernel code"):
            return int(line.split("-")[0], 16) + address - _symbol("_text")
    raise AssertionError("no kernel code")


class _Memory:
    """A page of the machine's memory, from this address on."""

    def __init__(self, address):
        self._begin = address % mmap.PAGESIZE
        fd = os.open("/dev/mem", os.O_RDWR)
        try:
            self._page = mmap.mmap(fd, 2 * mmap.PAGESIZE, offset=address - self._begin)
        finally:
            os.close(fd)

    def read(self, count):
        """Bytes."""
        return self._page[self._begin:self._begin + count]

    def write(self, place, data):
        """Bytes at this distance."""
        self._page[self._begin + place:self._begin + place + len(data)] = data
