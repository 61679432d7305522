# SPDX-License-Identifier: GPL-2.0
"""The kernel's own ptrace selftests, on the patched kernel without and with the modules."""

# pylint: disable=unused-argument

import kselftest
import pytest

PROGRAMS = [name.partition("/")[2] for name in kselftest.programs("ptrace")]
# It waits for half a minute to see that something doesn't end.
CASES = [pytest.param(name, marks=pytest.mark.long) if name == "vmaccess" else name for name in PROGRAMS]


# Cases that fail on the kernel without hooks.patch as well: `attach` wants an EAGAIN that
# mainline's ptrace_attach() doesn't give. make vm KERNEL_FLAVOUR=vanilla shows it.
FAILS_UNPATCHED = {("vmaccess", "global.attach")}


def check(name):
    """Runs a program: its cases have to end as on the kernel without hooks.patch."""
    status, failed, output = kselftest.run(f"ptrace/{name}")
    expected = {case for program, case in FAILS_UNPATCHED if program == name}
    assert failed == expected, output
    # Some programs print no cases, only a status.
    assert bool(status) == bool(expected), output


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", CASES)
def test_without_a_module(ttools_module, name):
    """As on a kernel without hooks.patch."""
    check(name)


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", CASES)
def test_with_ttools(ttools, name):
    """Nobody is protected, so nothing changes."""
    check(name)


def test_the_list_is_whole():
    """A selftest that isn't built isn't run."""
    assert len(PROGRAMS) >= 5
