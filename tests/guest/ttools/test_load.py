# SPDX-License-Identifier: GPL-2.0
"""Loading and unloading: under load, and when something is in the way."""

import errno
import os
import time

import abi
import linux
import pytest
import target as targets
from fault import each_failing_load, failing_allocations
from hammer import hammers, priority
from module import loaded, path

# Apart from the others: see tests/run.sh.
pytestmark = pytest.mark.storm


@pytest.mark.limit(300)
@pytest.mark.parametrize("rounds", [50, pytest.param(200, marks=pytest.mark.long)])
def test_loads_and_unloads_under_load(module, spawn, rounds):
    """While others attach and detach, use the device, fork, and read memory."""
    target = spawn()
    module.load_needed()
    file = os.open(path("ttools"), os.O_RDONLY)

    def unload():
        # Refused while a hammer has the device open.
        deadline = time.monotonic() + 30 * targets.SCALE
        while (error := module.remove()) != 0:
            assert error == errno.EWOULDBLOCK, os.strerror(error)
            assert time.monotonic() < deadline, "always in use"

    with hammers(("ptrace", target.pid), ("memory", target.pid), ("ioctl",),
                 ("fork",)) as counts, priority(-10):
        for round_number in range(rounds):
            assert linux.errno_of(linux.finit_module, file) == 0
            if round_number % 2:
                # The target is protected in every other round.
                assert target.ioctl(abi.PROTECT) == 0
            unload()
    os.close(file)

    ptrace, memory, ioctl, fork = counts
    print(f"worked, refused, no device: {counts}")
    assert ptrace[0] and ptrace[1], "attaching was never both allowed and refused"
    assert memory[0] and memory[1], "reading was never both allowed and refused"
    assert ioctl[0] and ioctl[2], "the device was never both there and not"
    assert fork[0]
    # All as before.
    attacker = spawn()
    assert attacker.attach(target.pid) == 0
    assert attacker.ptrace("DETACH", target.pid) == 0


@pytest.mark.limit(120)
def test_protects_and_unprotects_under_load(ttools, spawn):
    """The device's users and the hooks' at once, without unloading."""
    target = spawn()
    with hammers(("ptrace", target.pid), ("memory", target.pid), ("ioctl",), ("fork",)) as counts:
        for _ in range(300):
            target.protect()
            target.unprotect()
    assert all(count[0] for count in counts)
    assert abi.protected() == 0


def test_loading_twice_says_that_it_exists(ttools, module):
    """And the first stays as it is."""
    assert module.insert() == errno.EEXIST
    assert abi.exists()


def assert_nothing_left(module):
    """After a failure nothing is there, and the next attempt works."""
    assert not loaded("ttools")
    assert not abi.exists()
    module.load()
    assert abi.exists()
    assert abi.protected() == 0


def test_minor_that_is_taken_is_replaced_by_another(module, selftest, spawn):
    """The device is found by its name."""
    selftest.load(minor=254)
    module.load()
    assert os.minor(os.stat(abi.DEVICE).st_rdev) != 254
    spawn().protect()


@pytest.mark.limit(300)
def test_each_failing_allocation_of_the_load_leaves_nothing(module, kernel_log):
    """The n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    failures = each_failing_load(module, abi.exists)
    assert failures > 10
    assert_nothing_left(module)


@pytest.mark.limit(300)
def test_each_failing_allocation_of_a_request_changes_nothing(ttools, spawn):
    """PROTECT, PROTECT_TREE, ALLOW: ENOMEM and as before, or 0 and done."""
    target, other = spawn(), spawn()
    fd = target.pidfd(other.pid)
    with failing_allocations():
        control = target.open("/proc/self/fail-nth", os.O_RDWR)
        device = target.open(abi.DEVICE)
        for command, arg in ((abi.PROTECT, 0), (abi.PROTECT_TREE, 0), (abi.ALLOW, fd)):
            failures = 0
            for nth in range(1, 50):
                target.number("pwrite", control, 0, str(nth).encode().hex())
                error = target.errno("syscall", 16, device, command, arg)
                target.number("pwrite", control, 0, b"0".hex())
                if not error:
                    break
                assert error == errno.ENOMEM
                failures += 1
            assert failures
            assert error == 0
    assert abi.protected() == 1
    assert other.ptrace("SEIZE", target.pid) == 0
