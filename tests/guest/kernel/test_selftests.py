# SPDX-License-Identifier: GPL-2.0
"""The kernel's own ptrace selftests, on the patched kernel without and with the modules."""

# pylint: disable=unused-argument

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path("/usr/share/tkernel-rs/kselftest")
PROGRAMS = sorted(
    line.strip().split(":")[1]
    for line in (ROOT / "kselftest-list.txt").read_text().splitlines()
    if line.startswith("ptrace:")
)


# Cases that fail on the kernel without hooks.patch as well: `attach` wants an EAGAIN that
# mainline's ptrace_attach() doesn't give. make vm KERNEL_FLAVOUR=vanilla shows it.
FAILS_UNPATCHED = {("vmaccess", "global.attach")}


def check(name):
    """Runs a program: its cases have to end as on the kernel without hooks.patch."""
    program = ROOT / "ptrace" / name
    done = subprocess.run([program], cwd=program.parent, capture_output=True, text=True,
                          timeout=200, check=False)
    cases = re.findall(r"^(ok|not ok) \d+ (\S+)", done.stdout, re.MULTILINE)
    failed = {(name, case) for result, case in cases if result == "not ok"}
    expected = {known for known in FAILS_UNPATCHED if known[0] == name}
    assert failed == expected, done.stdout + done.stderr
    # Some programs print no cases, only a status.
    assert bool(done.returncode) == bool(expected), done.stdout + done.stderr


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_module(ttools_module, name):
    """As on a kernel without hooks.patch."""
    check(name)


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", PROGRAMS)
def test_with_ttools(ttools, name):
    """Nobody is protected, so nothing changes."""
    check(name)


def test_the_list_is_whole():
    """A selftest that isn't built isn't run."""
    assert len(PROGRAMS) >= 5
