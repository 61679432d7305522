# SPDX-License-Identifier: GPL-2.0
"""What an administrator can choose: the module's parameters."""

import errno
import subprocess

import abi
import pytest
import target as targets

PARAMETERS = ("admin_only", "ptrace_only", "pin_while_protected")


def modinfo(field):
    """What modinfo(8) says."""
    done = subprocess.run(["modinfo", "-F", field, "ttools"], capture_output=True, text=True,
                          timeout=30 * targets.SCALE, check=True)
    return done.stdout


@pytest.mark.parametrize("name", PARAMETERS)
def test_modinfo_documents_the_parameter(name):
    """With its type and a sentence."""
    lines = [line for line in modinfo("parm").splitlines() if line.startswith(name + ":")]
    assert len(lines) == 1
    assert lines[0].endswith("(bool)")
    assert len(lines[0]) > len(name) + 20


def test_modinfo_says_what_the_module_is():
    """Licence and description."""
    assert modinfo("license") == "GPL\n"
    assert "Protects processes" in modinfo("description")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("value", ["2", "maybe", ""])
def test_wrong_value_is_refused(module, name, value):
    """And nothing is loaded."""
    assert module.insert(f"{name}={value}") == errno.EINVAL
    assert not abi.exists()
    module.load()


@pytest.mark.parametrize("value", ["1", "y", "Y", "0", "n", "N", "on", "off"])
def test_value_is_a_truth_value(module, spawn, value):
    """As for every other module."""
    module.load(admin_only=value)
    expected = errno.EPERM if value in ("1", "y", "Y", "on") else 0
    assert spawn(uid=65534).ioctl(abi.PROTECT) == expected


def test_unknown_parameter_does_no_harm(module, kernel_log):
    """The kernel ignores it, and says so."""
    module.load(no_such_parameter=1)
    assert kernel_log.matching("unknown parameter 'no_such_parameter' ignored")


# ptrace_only: what the C original covers


@pytest.fixture
def ptrace_only(module, spawn):
    """A protected process where only ptrace(2) is refused."""
    module.load(ptrace_only=1)
    target = spawn()
    target.protect()
    return target


def test_ptrace_only_refuses_ptrace(ptrace_only, attacker):
    """Whoever asks, and whatever."""
    for request in ("ATTACH", "SEIZE", "PEEKDATA", "DETACH", "INTERRUPT"):
        assert attacker.ptrace(request, ptrace_only.pid) == errno.EPERM, request
    tid = ptrace_only.number("thread")
    assert attacker.ptrace("SEIZE", tid) == errno.EPERM


def test_ptrace_only_refuses_attached_tracers(module, spawn):
    """Every request of theirs."""
    module.load(ptrace_only=1)
    target, attacker = spawn(), spawn()
    assert attacker.ptrace("SEIZE", target.pid) == 0
    target.protect()
    for request in ("INTERRUPT", "DETACH", "PEEKDATA"):
        assert attacker.ptrace(request, target.pid) == errno.EPERM


def test_ptrace_only_leaves_all_other_access(ptrace_only, attacker):
    """Memory, files, comparisons."""
    pid, address = ptrace_only.pid, ptrace_only.secret()
    assert attacker.vm_read(pid, address, 8) == targets.SECRET[:8]
    for name in ("mem", "environ", "maps", "auxv", "pagemap"):
        assert attacker.open_errno(f"/proc/{pid}/{name}") == 0, name
    assert attacker.errno("syscall", 438, attacker.pidfd(pid), 0, 0) == 0
    assert attacker.errno("syscall", 312, attacker.pid, pid, 1, 0, 0) == 0
    assert abi.refused() == 0


def test_ptrace_only_lets_a_protected_process_call_traceme(ptrace_only):
    """As the C original did."""
    assert ptrace_only.ptrace("TRACEME", 0) == 0


def test_ptrace_only_refuses_the_tracer_of_traceme(ptrace_only, spawn):
    """It can do nothing with the process."""
    child = ptrace_only.fork()
    child.protect()
    assert child.ptrace("TRACEME", 0) == 0
    assert targets.tracer(child.pid) == ptrace_only.pid
    assert ptrace_only.ptrace("PEEKDATA", child.pid) == errno.EPERM
    assert ptrace_only.ptrace("SETOPTIONS", child.pid) == errno.EPERM


def test_ptrace_only_refuses_a_vfork_child(ptrace_only, attacker):
    """What ptrace(2) would show of it is the parent's memory."""
    ptrace_only.tell("vfork")
    pid = int(ptrace_only.answer())
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    assert ptrace_only.ask("exec_sleeper") == "0"
    assert attacker.ptrace("SEIZE", pid) == 0


def test_ptrace_only_knows_exceptions(ptrace_only, attacker):
    """The same as always."""
    assert ptrace_only.allow(attacker.pid) == 0
    assert attacker.attach(ptrace_only.pid) == 0
    assert attacker.ptrace("DETACH", ptrace_only.pid) == 0


# pin_while_protected


@pytest.fixture
def pinned(module, spawn):
    """A protected process that keeps the module loaded."""
    module.load(pin_while_protected=1)
    target = spawn()
    target.protect()
    return target


def test_pin_refuses_rmmod(pinned, module):
    """As when the device is open; what rmmod(8) prints says so."""
    assert module.remove() == errno.EWOULDBLOCK
    done = subprocess.run(["rmmod", "ttools"], capture_output=True, text=True,
                          timeout=30 * targets.SCALE, check=False)
    assert done.returncode != 0 and "in use" in done.stderr
    assert pinned.ioctl(abi.PROTECT) == errno.EEXIST


@pytest.mark.parametrize("end", ["unprotect", "kill", "exit"])
def test_pin_ends_with_the_last_protection(pinned, module, spawn, end):
    """However it ends, and not before the last."""
    second = spawn()
    second.protect()
    second.kill()
    assert module.remove() == errno.EWOULDBLOCK
    getattr(pinned, end)()
    assert module.remove() == 0


def test_pin_holds_once_for_a_process_that_asks_often(pinned, module):
    """Upgrades, exceptions and exec aren't new protections."""
    pinned.protect_tree()
    pinned.ioctl(abi.PROTECT)
    pinned.exec()
    pinned.unprotect()
    pinned.unprotect()
    assert module.remove() == 0


def test_pin_holds_for_inherited_protection(module, spawn):
    """Until the last of the tree has ended."""
    module.load(pin_while_protected=1)
    target = spawn()
    target.protect_tree()
    child = target.fork()
    target.unprotect()
    assert module.remove() == errno.EWOULDBLOCK
    child.exit()
    assert module.remove() == 0


def test_pin_does_not_hold_for_a_vfork_child(module, spawn):
    """Which nobody has asked protection for."""
    module.load(pin_while_protected=1)
    target = spawn()
    target.protect()
    pid = target.number("clone_vm")
    target.unprotect()
    assert targets.status(pid)
    assert module.remove() == 0


def test_pin_is_off_until_a_process_is_protected(module):
    """An idle module can always be unloaded."""
    module.load(pin_while_protected=1)
    assert module.remove() == 0
