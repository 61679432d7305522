# SPDX-License-Identifier: GPL-2.0
"""Processes that use the memory of a protected one: vfork(2), clone(CLONE_VM)."""

import errno
import os

import abi
import linux
import pytest
import target as targets


def assert_memory_closed(attacker, pid, address):
    """No way to the memory by this process."""
    for request in ("ATTACH", "SEIZE", "PEEKDATA"):
        assert attacker.ptrace(request, pid) == errno.EPERM, request
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    for name in ("mem", "environ", "maps"):
        assert attacker.open_errno(f"/proc/{pid}/{name}") == errno.EACCES, name


def vfork(target):
    """Lets a target vfork; the child answers from then on."""
    target.tell("vfork")
    return int(target.answer())


def test_vfork_child_is_closed_until_it_executes_a_program(protected, attacker):
    """While it runs in its parent's memory, and no longer."""
    address = protected.secret()
    pid = vfork(protected)
    assert_memory_closed(attacker, pid, address)
    # It didn't ask for it.
    assert abi.protected() == 1

    # The new program answers, then the parent goes on.
    assert protected.ask("exec_sleeper") == "0"
    assert protected.ask("pid") == str(protected.pid)
    assert attacker.open_errno(f"/proc/{pid}/mem") == 0
    assert attacker.attach(pid) == 0
    assert attacker.ptrace("DETACH", pid) == 0
    assert_memory_closed(attacker, protected.pid, address)


def test_vfork_child_that_ends_leaves_nothing(protected, attacker):
    """Its parent is as protected as before."""
    pid = vfork(protected)
    protected.tell("exit", 0)
    assert protected.answer() == "0"
    assert protected.wait(pid) == (pid, 0)
    assert abi.protected() == 1
    assert_memory_closed(attacker, protected.pid, protected.secret())
    protected.unprotect()
    assert abi.protected() == 0


def test_clone_vm_child_is_closed_until_it_executes_a_program(protected, attacker):
    """The same without a waiting parent."""
    address = protected.secret()
    pid = protected.number("clone_vm")
    assert_memory_closed(attacker, pid, address)
    assert protected.number("clone_vm_do", "x") == 0
    assert attacker.open_errno(f"/proc/{pid}/mem") == 0
    assert attacker.attach(pid) == 0
    assert attacker.ptrace("DETACH", pid) == 0


def test_clone_vm_child_made_before_is_closed(target, attacker):
    """The memory is what counts, not when the child was made."""
    address = target.secret()
    pid = target.number("clone_vm")
    assert attacker.vm_read(pid, address, 8) == targets.SECRET[:8]
    target.protect()
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert attacker.open_errno(f"/proc/{pid}/mem") == errno.EACCES
    for request in ("ATTACH", "SEIZE"):
        assert attacker.ptrace(request, pid) == errno.EPERM


def test_memory_of_a_clone_vm_child_opened_before_is_closed(target, attacker):
    """An open file of the child is one of the parent's memory."""
    address = target.secret()
    pid = target.number("clone_vm")
    fd = attacker.open(f"/proc/{pid}/mem")
    assert attacker.bytes("pread", fd, address, 8) == targets.SECRET[:8]
    target.protect()
    assert attacker.errno("pread", fd, address, 8) == errno.EPERM


def test_attached_tracer_of_a_clone_vm_child_made_before_gets_nothing(target, attacker):
    """Nor does a tracer of the child reach the memory."""
    address = target.secret()
    pid = target.number("clone_vm")
    assert attacker.attach(pid) == 0
    target.protect()
    buffer = attacker.alloc(8)
    assert attacker.ptrace("PEEKDATA", pid, address, buffer) != 0
    assert attacker.peek(buffer, 8) != targets.SECRET[:8]
    assert attacker.ptrace("POKEDATA", pid, address, 0) != 0
    assert target.peek(address, 8) == targets.SECRET[:8]


def test_clone_vm_child_stays_closed_when_its_parent_ends(target, attacker):
    """The memory of the dead lives on in the child."""
    parent = target.fork()
    parent.protect()
    address = parent.secret()
    pid = parent.number("clone_vm")
    # The child gets a new parent, and dies with the test.
    assert target.errno("syscall", 157, 36, 1) == 0
    os.kill(parent.pid, 9)
    assert target.wait(parent.pid)[0] == parent.pid
    assert os.path.exists(f"/proc/{pid}")
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    assert attacker.open_errno(f"/proc/{pid}/mem") == errno.EACCES
    os.kill(pid, 9)
    assert target.wait(pid)[0] == pid


def test_clone_vm_child_that_unprotects_itself_opens_nothing(protected, attacker):
    """What isn't its own isn't its to open."""
    address = protected.secret()
    pid = protected.number("clone_vm")
    assert protected.number("clone_vm_do", "u") == 0
    assert_memory_closed(attacker, protected.pid, address)
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM


def test_clone_vm_child_is_open_again_when_its_parent_is(protected, attacker):
    """Nobody asked for protection any more."""
    address = protected.secret()
    pid = protected.number("clone_vm")
    protected.unprotect()
    assert attacker.vm_read(protected.pid, address, 8) == targets.SECRET[:8]
    assert attacker.vm_read_errno(pid, address) == 0
    assert attacker.ptrace("SEIZE", pid) == 0


def test_clone_vm_child_that_protects_itself_is_protected(target, attacker):
    """Its memory is its parent's, too, who may give it away; the child itself is closed."""
    address = target.secret()
    pid = target.number("clone_vm")
    assert target.number("clone_vm_do", "p") == 0
    assert abi.protected() == 1
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM


def test_allowed_process_has_access_to_the_vfork_child(protected, attacker):
    """The exception is for the memory, whoever uses it."""
    address = protected.secret()
    assert protected.allow(attacker.pid) == 0
    pid = vfork(protected)
    assert attacker.vm_read(pid, address, 8) == targets.SECRET[:8]
    assert attacker.open_errno(f"/proc/{pid}/mem") == 0


def test_exception_made_or_taken_back_later_holds_for_the_clone_vm_child(protected, attacker):
    """Who shares the memory is as open as its owner is now."""
    address = protected.secret()
    pid = protected.number("clone_vm")
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert protected.allow(attacker.pid) == 0
    assert attacker.vm_read(pid, address, 8) == targets.SECRET[:8]
    assert attacker.ptrace("SEIZE", pid) == 0
    assert protected.disallow(attacker.pid) == 0
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    assert attacker.ptrace("INTERRUPT", pid) == errno.EPERM


def test_exceptions_of_the_dead_end_for_the_clone_vm_child(target, attacker):
    """Nobody is left who could take them back."""
    parent = target.fork()
    parent.protect()
    address = parent.secret()
    assert parent.allow(attacker.pid) == 0
    pid = parent.number("clone_vm")
    assert attacker.vm_read(pid, address, 8) == targets.SECRET[:8]
    # The child gets a new parent, and dies with the test.
    assert target.errno("syscall", 157, 36, 1) == 0
    os.kill(parent.pid, 9)
    assert target.wait(parent.pid)[0] == parent.pid
    assert attacker.vm_read_errno(pid, address) == errno.EPERM
    os.kill(pid, 9)
    assert target.wait(pid)[0] == pid


@pytest.mark.parametrize("request_name", ["PEEKDATA", "PEEKUSR", "POKEDATA", "CONT", "DETACH"])
def test_tracer_that_gets_the_vfork_child_by_itself_is_refused(target, attacker, request_name):
    """PTRACE_O_TRACEVFORK of a tracer that was attached before PROTECT."""
    address = target.secret()
    assert attacker.ptrace("SEIZE", target.pid, 0, linux.PTRACE_O_TRACEVFORK) == 0
    target.protect()
    target.tell("vfork")
    stopped = {attacker.wait(-1)[0], attacker.wait(-1)[0]}
    assert target.pid in stopped
    child, = stopped - {target.pid}

    buffer = attacker.alloc(8)
    assert attacker.ptrace(request_name, child, address, buffer) == errno.EPERM
    assert attacker.ptrace(request_name, target.pid, address, buffer) == errno.EPERM
    assert targets.tracer(child) == attacker.pid
    assert attacker.vm_read_errno(child, address) == errno.EPERM

    # Both go on when the tracer ends.
    attacker.kill()
    assert int(target.answer()) == child
    assert target.ask("exec_sleeper") == "0"


def test_vfork_child_reads_its_own_memory(protected):
    """To itself nobody is another."""
    address = protected.secret()
    pid = vfork(protected)
    assert protected.vm_read(pid, address, 8) == targets.SECRET[:8]
    assert protected.open_errno("/proc/self/mem") == 0
    assert protected.open_errno("/proc/self/maps") == 0
    protected.tell("exit", 0)
    assert protected.answer() == "0"
