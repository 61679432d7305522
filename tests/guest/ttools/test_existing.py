# SPDX-License-Identifier: GPL-2.0
"""Access that somebody had before the process protected itself."""

import errno
import os
import signal

import linux
import pytest
import target as targets
from stall import PAGE, Stall

REQUESTS = sorted(set(linux.PTRACE) - {"TRACEME"})


def stop(target, tracer):
    """Stops a tracee by a signal that does nothing else."""
    os.kill(target.pid, signal.SIGWINCH)
    pid, status = tracer.wait(target.pid)
    assert pid == target.pid and os.WIFSTOPPED(status)


@pytest.fixture
def traced(target, attacker):
    """A process that was attached to and went on, and then protected itself."""
    assert attacker.attach(target.pid) == 0
    assert attacker.ptrace("CONT", target.pid) == 0
    target.protect()
    return target


def test_each_request_of_an_attached_tracer_is_refused(traced, attacker):
    """Also to let the process go on, to leave it, and to kill it."""
    stop(traced, attacker)
    answers = {name: attacker.ptrace(name, traced.pid) for name in REQUESTS}
    assert answers == dict.fromkeys(REQUESTS, errno.EPERM)
    # Not detached, and still stopped.
    assert targets.tracer(traced.pid) == attacker.pid
    assert targets.status(traced.pid)["State"].startswith("t")


def test_requests_to_a_running_tracee_are_refused(ttools, spawn):
    """Those that don't need a stopped one."""
    target, attacker = spawn(), spawn()
    assert attacker.ptrace("SEIZE", target.pid) == 0
    target.protect()
    for name in ("INTERRUPT", "LISTEN", "DETACH", "CONT", "PEEKDATA", "KILL"):
        assert attacker.ptrace(name, target.pid) == errno.EPERM, name
    assert target.ask("pid") == str(target.pid)


def test_stopped_tracee_goes_on_when_its_tracer_ends(traced, attacker):
    """And only then."""
    stop(traced, attacker)
    assert attacker.ptrace("CONT", traced.pid) == errno.EPERM
    traced.tell("pid")
    assert not traced.answers_within(0.3)
    attacker.kill()
    assert traced.answer() == str(traced.pid)
    assert targets.tracer(traced.pid) == 0


def test_attached_tracer_can_go_on_after_unprotect(traced, attacker):
    """The tracer was never detached."""
    assert attacker.ptrace("CONT", traced.pid) == errno.EPERM
    traced.unprotect()
    stop(traced, attacker)
    buffer = attacker.alloc(8)
    assert attacker.ptrace("GETSIGMASK", traced.pid, 8, buffer) == 0
    assert attacker.ptrace("DETACH", traced.pid) == 0
    assert traced.ask("pid") == str(traced.pid)


def test_tracer_without_rights_of_its_own_is_refused(ttools, spawn):
    """A tracer that got there because it was the same user, and has no capability."""
    target, attacker = spawn(uid=1000), spawn(uid=1000)
    assert attacker.attach(target.pid) == 0
    assert attacker.ptrace("CONT", target.pid) == 0
    target.protect()
    stop(target, attacker)
    buffer = attacker.alloc(8)
    assert attacker.ptrace("GETEVENTMSG", target.pid, 0, buffer) == errno.EPERM
    assert attacker.ptrace("CONT", target.pid) == errno.EPERM


def test_tracer_that_lost_its_rights_is_refused(ttools, spawn):
    """Being attached counts, not what the tracer might do anew."""
    target, attacker = spawn(), spawn()
    assert attacker.attach(target.pid) == 0
    assert attacker.ptrace("CONT", target.pid) == 0
    attacker.become(65534)
    target.protect()
    stop(target, attacker)
    assert attacker.ptrace("CONT", target.pid) == errno.EPERM
    assert attacker.ptrace("DETACH", target.pid) == errno.EPERM


def test_mem_opened_before_is_refused(target):
    """Read and write, by the same open file that works before and after."""
    address = target.secret()
    fd = os.open(f"/proc/{target.pid}/mem", os.O_RDWR)
    assert os.pread(fd, 8, address) == targets.SECRET[:8]

    target.protect()
    assert linux.errno_of(os.pread, fd, 8, address) == errno.EPERM
    assert linux.errno_of(os.pwrite, fd, b"overwritten", address) == errno.EPERM
    assert target.peek(address, len(targets.SECRET)) == targets.SECRET

    target.unprotect()
    assert os.pread(fd, 8, address) == targets.SECRET[:8]
    assert os.pwrite(fd, targets.SECRET[:8], address) == 8
    os.close(fd)


def test_mem_of_a_thread_opened_before_is_refused(target):
    """The memory is that of the process."""
    tid = target.number("thread")
    address = target.secret()
    fd = os.open(f"/proc/{tid}/mem", os.O_RDONLY)
    assert os.pread(fd, 8, address) == targets.SECRET[:8]
    target.protect()
    assert linux.errno_of(os.pread, fd, 8, address) == errno.EPERM
    os.close(fd)


def test_environ_opened_before_is_refused(target):
    """The same for environ."""
    fd = os.open(f"/proc/{target.pid}/environ", os.O_RDONLY)
    assert os.pread(fd, 8, 0)
    target.protect()
    assert linux.errno_of(os.pread, fd, 8, 0) == errno.EPERM
    os.close(fd)


def test_descriptor_of_its_own_memory_is_refused_to_others(target, attacker):
    """An open /proc/self/mem that a process passes on is a way in for whoever has it."""
    address = target.secret()
    number = target.open("/proc/self/mem")
    fd = linux.pidfd_getfd(linux.pidfd_open(target.pid), number)
    assert os.pread(fd, 8, address) == targets.SECRET[:8]
    target.protect()
    assert linux.errno_of(os.pread, fd, 8, address) == errno.EPERM
    # To the process itself it is its own memory.
    assert target.bytes("pread", number, address, 8) == targets.SECRET[:8]
    os.close(fd)


PAGES = 16
LATER = b"written after PROTECT"


@pytest.fixture
def large(target):
    """Address of pages of the target; page-aligned."""
    return (int(target.ask("large")) + PAGE - 1) & ~(PAGE - 1)


def test_stalled_process_vm_readv_gets_nothing_of_later_pieces(target, large):
    """A transfer that was let in before ends early."""
    stall = Stall(2)
    stall.start(lambda: linux.process_vm_readv_raw(
        target.pid,
        [(stall.address, PAGE), (stall.address + PAGE, PAGE)],
        [(large, PAGE), (large + PAGE, PAGE)],
    ))
    target.protect()
    target.poke(large + PAGE, LATER)
    result = stall.finish()
    assert LATER not in stall.content()
    assert isinstance(result, OSError) or result <= PAGE


def test_stalled_process_vm_readv_gets_nothing_of_the_same_piece(target, large):
    """As before, with pages that the kernel takes hold of in one go."""
    stall = Stall(PAGES)
    stall.start(lambda: linux.process_vm_readv_raw(
        target.pid, [(stall.address, PAGES * PAGE)], [(large, PAGES * PAGE)]))
    target.protect()
    target.poke(large + 8 * PAGE, LATER)
    stall.finish()
    assert LATER not in stall.content()


def test_stalled_process_vm_writev_writes_nothing_more(target, large):
    """The same in the other direction."""
    stall = Stall(PAGES)
    stall.start(lambda: linux.syscall(
        linux.SYS_PROCESS_VM_WRITEV, target.pid,
        linux._iovecs([(stall.address, PAGES * PAGE)]), 1,
        linux._iovecs([(large, PAGES * PAGE)]), 1, 0))
    target.protect()
    before = target.peek(large + 8 * PAGE, 16)
    stall.finish(b"evil")
    assert target.peek(large + 8 * PAGE, 16) == before


def test_stalled_write_to_mem_writes_nothing(target, large):
    """A write whose data come late."""
    fd = os.open(f"/proc/{target.pid}/mem", os.O_RDWR)
    stall = Stall(2)
    # pwrite64(2), from the memory that stalls.
    stall.start(lambda: linux.syscall(18, fd, stall.address, 16, large))
    target.protect()
    before = target.peek(large, 16)
    stall.finish(b"evil")
    os.close(fd)
    assert target.peek(large, 16) == before


def test_stalled_read_of_mem_gets_nothing_of_later_pages(target, large):
    """A read whose buffer comes late."""
    fd = os.open(f"/proc/{target.pid}/mem", os.O_RDONLY)
    stall = Stall(PAGES)
    stall.start(lambda: linux.syscall(17, fd, stall.address, PAGES * PAGE, large))
    target.protect()
    for page in range(PAGES):
        target.poke(large + page * PAGE, LATER)
    stall.finish()
    os.close(fd)
    assert LATER not in stall.content()
