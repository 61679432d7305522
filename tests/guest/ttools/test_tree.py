# SPDX-License-Identifier: GPL-2.0
"""TTOOLS_PTRACE_PROTECT_TREE: children inherit protection."""

import errno
import os

import abi
import linux
import pytest


@pytest.fixture
def tree(target):
    """A process that is protected with its tree."""
    target.protect_tree()
    return target


def assert_closed(attacker, process):
    """Nobody gets in."""
    assert attacker.ptrace("ATTACH", process.pid) == errno.EPERM
    assert attacker.ptrace("SEIZE", process.pid) == errno.EPERM
    assert attacker.vm_read_errno(process.pid, process.secret()) == errno.EPERM
    assert attacker.open_errno(f"/proc/{process.pid}/mem") == errno.EACCES


def test_process_itself_is_protected(tree, attacker):
    """As by PROTECT."""
    assert_closed(attacker, tree)
    assert abi.protected() == 1


def test_child_and_grandchild_are_protected(tree, attacker):
    """And so on."""
    child = tree.fork()
    grandchild = child.fork()
    assert abi.protected() == 3
    assert_closed(attacker, child)
    assert_closed(attacker, grandchild)
    grandchild.exit()
    assert abi.protected() == 2


def test_child_keeps_protection_across_exec(tree, attacker):
    """fork(2) and exec(2), as a shell starts programs."""
    child = tree.fork()
    child.exec()
    assert_closed(attacker, child)
    grandchild = child.fork()
    grandchild.exec()
    assert_closed(attacker, grandchild)
    assert abi.protected() == 3


def test_child_of_vfork_keeps_protection_across_exec(tree, attacker):
    """vfork(2) and exec(2), as posix_spawn(3) starts programs."""
    tree.tell("vfork")
    pid = int(tree.answer())
    assert abi.protected() == 2
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    assert tree.ask("exec_sleeper") == "0"
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    assert attacker.open_errno(f"/proc/{pid}/environ") == errno.EACCES


def test_child_made_before_is_not_protected(target, attacker):
    """From now on, not backwards."""
    child = target.fork()
    target.protect_tree()
    assert abi.protected() == 1
    assert attacker.ptrace("SEIZE", child.pid) == 0


def test_child_may_unprotect_itself(tree, attacker):
    """And stays the only one; what it makes then isn't protected."""
    child = tree.fork()
    child.unprotect()
    grandchild = child.fork()
    assert attacker.ptrace("SEIZE", grandchild.pid) == 0
    assert attacker.ptrace("SEIZE", child.pid) == 0
    assert attacker.ptrace("SEIZE", tree.pid) == errno.EPERM


def test_children_stay_protected_when_their_parent_is_not(tree, attacker):
    """Each process decides for itself."""
    child = tree.fork()
    tree.unprotect()
    assert attacker.ptrace("SEIZE", child.pid) == errno.EPERM
    assert attacker.ptrace("SEIZE", tree.pid) == 0
    assert abi.protected() == 1


def test_orphan_stays_protected(tree, attacker):
    """The end of its parent changes nothing."""
    child = tree.fork()
    grandchild = child.fork()
    # PR_SET_PDEATHSIG off, so that it outlives its parent.
    assert grandchild.errno("syscall", 157, 1, 0) == 0
    pid = grandchild.pid
    # The orphan ends when its input does: keep that open.
    fd = os.open(f"/proc/{pid}/comm", os.O_RDONLY)
    os.close(fd)
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    # PR_SET_CHILD_SUBREAPER for the root of the tree.
    assert tree.errno("syscall", 157, 36, 1) == 0
    os.kill(pid, 19)
    os.kill(child.pid, 9)
    assert tree.wait(child.pid)[0] == child.pid
    assert attacker.ptrace("SEIZE", pid) == errno.EPERM
    os.kill(pid, 9)
    assert tree.wait(pid)[0] == pid
    assert abi.protected() == 1


def test_protect_becomes_protect_tree(protected, attacker):
    """An upgrade works once; less can't be asked for."""
    assert protected.ioctl(abi.PROTECT_TREE) == 0
    assert abi.protected() == 1
    assert protected.ioctl(abi.PROTECT_TREE) == errno.EEXIST
    assert protected.ioctl(abi.PROTECT) == errno.EEXIST
    assert_closed(attacker, protected.fork())


def test_inherited_protection_exists(tree):
    """For both requests, in the child."""
    child = tree.fork()
    assert child.ioctl(abi.PROTECT) == errno.EEXIST
    assert child.ioctl(abi.PROTECT_TREE) == errno.EEXIST


def test_child_that_unprotected_itself_may_protect_again(tree, attacker):
    """Without its children this time."""
    child = tree.fork()
    child.unprotect()
    child.protect()
    assert attacker.ptrace("SEIZE", child.pid) == errno.EPERM
    assert attacker.ptrace("SEIZE", child.fork().pid) == 0


@pytest.mark.parametrize(
    "option", [linux.PTRACE_O_TRACEFORK, linux.PTRACE_O_TRACEFORK | linux.PTRACE_O_TRACECLONE]
)
def test_tracer_that_gets_the_child_by_itself_is_refused(target, attacker, option):
    """Attached before, and so to the child from its first instruction."""
    assert attacker.ptrace("SEIZE", target.pid, 0, option) == 0
    target.protect_tree()
    target.tell("fork")

    # The parent stops because it forked, the child because it is traced.
    stopped = {attacker.wait(-1)[0], attacker.wait(-1)[0]}
    assert target.pid in stopped
    child, = stopped - {target.pid}
    buffer = attacker.alloc(8)
    for pid in (child, target.pid):
        for request in ("PEEKDATA", "PEEKUSR", "POKEDATA", "GETEVENTMSG", "CONT", "DETACH"):
            assert attacker.ptrace(request, pid, 0, buffer) == errno.EPERM, request
    assert abi.protected() == 2

    attacker.kill()
    assert int(target.answer()) == child


def test_failed_fork_leaves_nothing(tree):
    """A pid that is taken."""
    before = abi.protected()
    assert tree.errno("fork", os.getpid()) == errno.EEXIST
    assert abi.protected() == before
