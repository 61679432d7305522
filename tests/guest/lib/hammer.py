# SPDX-License-Identifier: GPL-2.0
"""Processes that use something without pause: src/hammer.c."""

import contextlib
import os
import subprocess

from target import SCALE, helper


@contextlib.contextmanager
def hammers(*works):
    """Processes that do something over and over; their counts are added to the list."""
    running = [
        subprocess.Popen([helper("hammer"), *map(str, work)], stdout=subprocess.PIPE,
                         text=True) for work in works
    ]
    counts = []
    try:
        for hammer in running:
            assert hammer.stdout.readline() == "ready\n"
        yield counts
        for hammer in running:
            assert hammer.poll() is None, f"{hammer.args} has ended"
            hammer.terminate()
        for hammer in running:
            output, _ = hammer.communicate(timeout=30 * SCALE)
            counts.append([int(number) for number in output.split()])
    finally:
        for hammer in running:
            hammer.kill()
            hammer.wait(30 * SCALE)


@contextlib.contextmanager
def priority(nice):
    """Lets this process run before others, which run whenever it waits."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, before)
