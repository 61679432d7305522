# SPDX-License-Identifier: GPL-2.0
"""TTOOLS_PTRACE_ALLOW: an exception for a named process."""

import errno
import os
import subprocess

import abi
import linux
import pytest
import target as targets

MAX = 8


def assert_open(attacker, process):
    """All ways in work."""
    address = process.secret()
    assert attacker.vm_read(process.pid, address, 8) == targets.SECRET[:8]
    fd = attacker.open(f"/proc/{process.pid}/mem")
    assert attacker.bytes("pread", fd, address, 8) == targets.SECRET[:8]
    attacker.number("close", fd)
    assert attacker.open_errno(f"/proc/{process.pid}/environ") == 0
    assert attacker.open_errno(f"/proc/{process.pid}/fd/0") in (0, errno.ENXIO)
    pidfd = attacker.pidfd(process.pid)
    assert attacker.errno("syscall", linux.SYS_PIDFD_GETFD, pidfd, 1, 0) == 0

    assert attacker.attach(process.pid) == 0
    buffer = attacker.alloc(8)
    assert attacker.ptrace("PEEKDATA", process.pid, address, buffer) == 0
    assert attacker.peek(buffer, 8) == targets.SECRET[:8]
    assert attacker.ptrace("DETACH", process.pid) == 0


def assert_closed(attacker, process):
    """No way in works."""
    assert attacker.ptrace("ATTACH", process.pid) == errno.EPERM
    assert attacker.vm_read_errno(process.pid, process.secret()) == errno.EPERM
    assert attacker.open_errno(f"/proc/{process.pid}/mem") == errno.EACCES


def test_allowed_process_has_access_and_others_have_not(protected, attacker, spawn):
    """The exception is for one process."""
    other = spawn()
    assert_closed(attacker, protected)
    assert protected.allow(attacker.pid) == 0
    assert_open(attacker, protected)
    assert_closed(other, protected)


def test_all_threads_of_the_allowed_process_have_access(protected, attacker):
    """The process is meant."""
    assert protected.allow(attacker.pid) == 0
    attacker.exec(by_thread=True)
    assert_open(attacker, protected)


def test_child_of_the_allowed_process_has_no_access(protected, attacker):
    """The process, and no other."""
    assert protected.allow(attacker.pid) == 0
    child = attacker.fork()
    assert_closed(child, protected)


def test_file_opened_before_works_for_the_allowed(target, attacker):
    """Reads of an earlier opened file ask again."""
    address = target.secret()
    fd = attacker.open(f"/proc/{target.pid}/mem")
    target.protect()
    assert attacker.errno("pread", fd, address, 8) == errno.EPERM
    assert target.allow(attacker.pid) == 0
    assert attacker.bytes("pread", fd, address, 8) == targets.SECRET[:8]


@pytest.mark.limit(120)
def test_gdb_debugs_a_process_that_allows_it(protected):
    """A real debugger, which is named before it attaches."""
    address = protected.secret()
    with subprocess.Popen(
        ["gdb", "-nx", "-q", "-iex", "set debuginfod enabled off"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as gdb:
        assert protected.allow(gdb.pid) == 0
        output, _ = gdb.communicate(
            f"attach {protected.pid}\nx/s {address}\ndetach\nquit\n", timeout=100 * targets.SCALE)
    assert targets.SECRET.decode() in output, output
    assert protected.ask("pid") == str(protected.pid)


def test_allowed_process_without_rights_is_refused_by_the_kernel(ttools, spawn):
    """An exception gives nobody more than the kernel would."""
    target, user = spawn(), spawn(uid=65534)
    target.protect()
    assert target.allow(user.pid) == 0
    assert user.ptrace("ATTACH", target.pid) == errno.EPERM
    assert user.open_errno(f"/proc/{target.pid}/mem") == errno.EACCES


def test_disallow_takes_access_back(protected, attacker):
    """And it can be given again."""
    assert protected.allow(attacker.pid) == 0
    assert protected.disallow(attacker.pid) == 0
    assert_closed(attacker, protected)
    assert protected.disallow(attacker.pid) == errno.ENOENT
    assert protected.allow(attacker.pid) == 0
    assert_open(attacker, protected)


def test_attached_tracer_stays_and_is_refused_after_disallow(protected, attacker):
    """As one that was attached before PROTECT."""
    assert protected.allow(attacker.pid) == 0
    assert attacker.ptrace("SEIZE", protected.pid) == 0
    assert protected.disallow(attacker.pid) == 0
    for request in ("INTERRUPT", "DETACH", "PEEKDATA"):
        assert attacker.ptrace(request, protected.pid) == errno.EPERM
    assert targets.tracer(protected.pid) == attacker.pid
    assert protected.allow(attacker.pid) == 0
    assert attacker.ptrace("INTERRUPT", protected.pid) == 0
    attacker.wait(protected.pid)
    assert attacker.ptrace("DETACH", protected.pid) == 0


def test_exceptions_end_with_the_protection(protected, attacker):
    """The next one starts without."""
    assert protected.allow(attacker.pid) == 0
    protected.unprotect()
    protected.protect()
    assert_closed(attacker, protected)


def test_exceptions_stay_across_exec_and_upgrade(protected, attacker):
    """Neither is a new protection."""
    assert protected.allow(attacker.pid) == 0
    protected.exec()
    protected.protect_tree()
    assert_open(attacker, protected)


def test_tree_inherits_exceptions(target, attacker, spawn):
    """Those that there are when a child is made."""
    other = spawn()
    target.protect_tree()
    assert target.allow(attacker.pid) == 0
    child = target.fork()
    assert target.disallow(attacker.pid) == 0
    assert target.allow(other.pid) == 0
    grandchild = child.fork()
    for process in (child, grandchild):
        assert_open(attacker, process)
        assert_closed(other, process)
    assert_closed(attacker, target)


@pytest.mark.parametrize("command", [abi.ALLOW, abi.DISALLOW], ids=["ALLOW", "DISALLOW"])
def test_unprotected_process_has_no_exceptions(target, attacker, command):
    """ENOENT"""
    fd = target.pidfd(attacker.pid)
    assert target.ioctl(command, fd) == errno.ENOENT


@pytest.mark.parametrize("command", [abi.ALLOW, abi.DISALLOW], ids=["ALLOW", "DISALLOW"])
@pytest.mark.parametrize("fd", [900, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 64) - 1, 1 << 32], ids=hex)
def test_no_descriptor_is_bad(protected, command, fd):
    """EBADF"""
    assert protected.ioctl(command, fd) == errno.EBADF


@pytest.mark.parametrize("command", [abi.ALLOW, abi.DISALLOW], ids=["ALLOW", "DISALLOW"])
def test_descriptor_of_something_else_is_bad(protected, command):
    """EBADF, also for what looks like a process."""
    for path, flags in (("/etc/passwd", os.O_RDONLY), ("/etc/passwd", os.O_PATH)):
        assert protected.ioctl(command, protected.open(path, flags)) == errno.EBADF
    assert protected.ioctl(command, protected.number("eventfd")) == errno.EBADF


def test_thread_cannot_be_allowed(protected, attacker):
    """EINVAL for a pidfd of a thread, but for the first one: that stands for the process."""
    tid = attacker.number("thread")
    fd = protected.pidfd(tid, linux.PIDFD_THREAD)
    assert protected.ioctl(abi.ALLOW, fd) == errno.EINVAL
    first = protected.pidfd(attacker.pid, linux.PIDFD_THREAD)
    assert protected.ioctl(abi.ALLOW, first) == 0
    assert_open(attacker, protected)


def test_dead_process_cannot_be_allowed(protected, spawn):
    """ESRCH"""
    dead = spawn()
    fd = protected.pidfd(dead.pid)
    dead.kill()
    assert protected.ioctl(abi.ALLOW, fd) == errno.ESRCH
    assert protected.ioctl(abi.DISALLOW, fd) == errno.ENOENT


def test_allowing_twice_says_that_it_exists(protected, attacker):
    """EEXIST, by whatever pidfd."""
    assert protected.allow(attacker.pid) == 0
    assert protected.allow(attacker.pid) == errno.EEXIST


def test_there_is_room_for_eight(protected, spawn):
    """ENOSPC for one more; who takes one back or who has ended makes room."""
    parent = spawn()
    processes = [parent.fork() for _ in range(MAX + 2)]
    for process in processes[:MAX]:
        assert protected.allow(process.pid) == 0
    assert protected.allow(processes[MAX].pid) == errno.ENOSPC
    assert protected.allow(processes[0].pid) == errno.EEXIST

    processes[3].exit()
    assert protected.allow(processes[MAX].pid) == 0
    assert protected.allow(processes[MAX + 1].pid) == errno.ENOSPC

    assert protected.disallow(processes[5].pid) == 0
    assert protected.allow(processes[MAX + 1].pid) == 0
    for allowed in (processes[0], processes[MAX], processes[MAX + 1]):
        assert allowed.vm_read_errno(protected.pid, protected.secret()) == 0
    assert processes[5].vm_read_errno(protected.pid, protected.secret()) == errno.EPERM


def test_new_process_with_the_number_of_an_allowed_one_is_refused(protected, spawn):
    """The exception was for the old one."""
    parent = spawn()
    old = parent.fork()
    assert protected.allow(old.pid) == 0
    assert old.vm_read_errno(protected.pid, protected.secret()) == 0
    old.exit()
    new = parent.fork(old.pid)
    assert new.pid == old.pid
    assert_closed(new, protected)
    assert protected.allow(new.pid) == 0
    assert_open(new, protected)


def test_process_may_allow_itself(protected):
    """It says nothing new, and takes a place like any other."""
    assert protected.allow(protected.pid) == 0
    assert protected.disallow(protected.pid) == 0
