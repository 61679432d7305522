# SPDX-License-Identifier: GPL-2.0
"""The kernel's own selftests of scheduling and what rests on it: core scheduling, futexes, membarrier.

They end as on the kernel without hooks.patch: without the module, with it, and in the class.
"""

# pylint: disable=unused-argument

import pathlib
import subprocess

import bt
import kselftest
import pytest

# It fails if one of its threads waits for 50 ms for a CPU that a hundred want: on this machine always.
NO_TEST_OF_OURS = {"membarrier/membarrier_rseq_stress"}
PROGRAMS = [name for name in kselftest.programs("sched", "membarrier", "futex/functional")
            if name not in NO_TEST_OF_OURS]

SMT = pathlib.Path("/sys/devices/system/cpu/smt/active")
CONFIG = "CONFIG_SCHED_CORE=y"

# What TAP calls skipped.
SKIP = 4

# Cases that fail on the kernel without hooks.patch as well. make vm KERNEL_FLAVOUR=vanilla shows it.
FAILS_UNPATCHED = set()

IN_CLASS = ["python3", "-c", f"import os, sys; os.sched_setscheduler(0, {bt.POLICY}, os.sched_param(0)); "
            "os.execv(sys.argv[1], sys.argv[1:])"]


def needs(name):
    """Skips what this machine can't."""
    if not name.startswith("sched/"):
        return
    config = subprocess.run(["zcat", "/proc/config.gz"], capture_output=True, text=True, check=True).stdout
    if CONFIG not in config:
        pytest.skip(f"this kernel has no {CONFIG}")
    if SMT.read_text() != "1\n":
        pytest.skip("core scheduling needs a machine with hyperthreads")


def check(name, before=()):
    """Runs a program."""
    needs(name)
    status, failed, output = kselftest.run(name, before)
    expected = {case for program, case in FAILS_UNPATCHED if program == name}
    if status == SKIP:
        pytest.skip(output.strip().splitlines()[-1])
    assert failed == expected, output
    assert bool(status) == bool(expected), output


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", PROGRAMS)
def test_without_the_module(name):
    """On a kernel without hooks.patch as well."""
    check(name)


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", PROGRAMS)
def test_with_the_module(sched, name):
    """Nobody is in the class, so nothing changes."""
    check(name)


@pytest.mark.limit(250)
@pytest.mark.parametrize("name", PROGRAMS)
def test_in_the_class(sched, name):
    """It is slower there at most."""
    check(name, IN_CLASS)


def test_the_list_is_whole():
    """A selftest that isn't built isn't run."""
    assert len(PROGRAMS) >= 18 and "sched/cs_prctl_test" in PROGRAMS
