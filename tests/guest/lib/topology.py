# SPDX-License-Identifier: GPL-2.0
"""How the machine's CPUs belong together."""

import pathlib


def siblings(cpu):
    """The CPUs that are threads of its core."""
    text = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    found = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def cores(cpus):
    """The sets of threads."""
    return {frozenset(siblings(cpu)) for cpu in cpus}
