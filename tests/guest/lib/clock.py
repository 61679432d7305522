# SPDX-License-Identifier: GPL-2.0
"""The guest's time: its own, or the one of a machine that has other work as well."""

import contextlib
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
