# SPDX-License-Identifier: GPL-2.0
"""The kernel's own selftests."""

import pathlib
import re
import subprocess

from target import SCALE

ROOT = pathlib.Path("/usr/share/tkernel-rs/kselftest")


def programs(*folders):
    """Those in these folders, as "folder/program"."""
    return sorted(str(path.relative_to(ROOT)) for folder in folders for path in (ROOT / folder).iterdir()
                  if path.is_file() and path.suffix != ".sh")


def run(name, before=()):
    """Runs one: its exit status, its cases that failed, and what it printed. `before` is a command
    that starts it."""
    program = ROOT / name
    done = subprocess.run([*before, program], cwd=program.parent, capture_output=True, text=True,
                          timeout=200 * SCALE, check=False)
    cases = re.findall(r"^(ok|not ok) \d+ (?!.*# SKIP)(\S+)", done.stdout, re.MULTILINE)
    return (done.returncode, {case for result, case in cases if result == "not ok"},
            done.stdout + done.stderr)
