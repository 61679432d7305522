# SPDX-License-Identifier: GPL-2.0
"""32-bit programs: as tracers, and as users of the device."""

import errno
import os
import signal
import struct

import abi
import linux
import pytest
import target as targets
from stall import PAGE, Fault

# Numbers of a 32-bit program's system calls.
MMAP2 = 192
PROCESS_VM_READV = 347
PROCESS_VM_WRITEV = 348
USERFAULTFD = 374


@pytest.fixture
def attacker32(spawn):
    """A 32-bit process of root."""
    return spawn(bits=32)


@pytest.mark.parametrize("target_bits", [64, 32])
@pytest.mark.parametrize("tracer_bits", [64, 32])
@pytest.mark.parametrize("request_name", ["ATTACH", "SEIZE"])
def test_attaching_is_refused(ttools, spawn, target_bits, tracer_bits, request_name):
    """In all four combinations; it works without protection."""
    target, attacker = spawn(bits=target_bits), spawn(bits=tracer_bits)
    target.protect()
    assert attacker.ptrace(request_name, target.pid) == errno.EPERM
    target.unprotect()
    assert attacker.ptrace(request_name, target.pid) == 0


@pytest.mark.parametrize(
    "request_name",
    ["PEEKDATA", "PEEKUSR", "POKEDATA", "CONT", "GETREGS", "GETREGSET", "SETOPTIONS",
     "GETSIGINFO", "DETACH", "KILL", "unknown"],
)
def test_request_of_an_attached_32_bit_tracer_is_refused(ttools, spawn, attacker32, request_name):
    """A 32-bit debugger that came first."""
    target = spawn(bits=32)
    address = target.secret()
    assert attacker32.attach(target.pid) == 0
    assert attacker32.ptrace("CONT", target.pid) == 0
    target.protect()
    os.kill(target.pid, signal.SIGWINCH)
    assert attacker32.wait(target.pid)[0] == target.pid
    buffer = attacker32.alloc(256)
    assert attacker32.ptrace(request_name, target.pid, address, buffer) == errno.EPERM
    assert targets.tracer(target.pid) == attacker32.pid


def test_32_bit_tracer_reads_an_unprotected_process(ttools, spawn, attacker32):
    """What the others are worth."""
    target = spawn(bits=32)
    assert attacker32.attach(target.pid) == 0
    buffer = attacker32.alloc(4)
    address = attacker32.secret()
    # The same program without address randomization of its own: the same place.
    assert attacker32.ptrace("PEEKDATA", target.pid, address, buffer) == 0
    assert attacker32.peek(buffer, 4) == targets.SECRET[:4]
    assert attacker32.ptrace("DETACH", target.pid) == 0


def test_traceme_of_a_32_bit_process_is_refused(ttools, spawn):
    """The compat entry has a branch of its own for it."""
    target = spawn(bits=32)
    target.protect()
    assert target.ptrace("TRACEME", 0) == errno.EPERM
    target.unprotect()
    assert target.ptrace("TRACEME", 0) == 0


def test_memory_is_refused_to_32_bit_programs(protected, spawn, attacker32):
    """process_vm_readv(2) and /proc files."""
    other = spawn(bits=32)
    other.protect()
    assert attacker32.vm_read_errno(other.pid, other.secret()) == errno.EPERM
    for pid in (protected.pid, other.pid):
        assert attacker32.open_errno(f"/proc/{pid}/mem") == errno.EACCES
        assert attacker32.open_errno(f"/proc/{pid}/environ") == errno.EACCES


@pytest.mark.parametrize("number", [PROCESS_VM_READV, PROCESS_VM_WRITEV], ids=["readv", "writev"])
def test_stalled_transfer_of_a_32_bit_program_ends(ttools, spawn, attacker32, number):
    """One that was let in before, as a 64-bit program's: its system calls have other numbers."""
    target = spawn(bits=32)
    theirs = (int(target.ask("large")) + PAGE - 1) & -PAGE
    size = 16 * PAGE
    # PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS
    ours = int(attacker32.ask("syscall", MMAP2, 0, size, 3, 0x22, -1, 0)) & 0xFFFFFFFF
    userfaultfd = attacker32.number("syscall", USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
    pidfd = linux.pidfd_open(attacker32.pid)
    fault = Fault(linux.pidfd_getfd(pidfd, userfaultfd), ours)
    os.close(pidfd)
    pieces = attacker32.alloc(16)
    attacker32.poke(pieces, struct.pack("IIII", ours, size, theirs, size))

    attacker32.tell("syscall", number, target.pid, pieces, 1, pieces + 8, 1, 0)
    fault.wait()
    target.protect()
    later = 8 * PAGE
    target.poke(theirs + later, b"after PROTECT")
    fault.resolve()
    attacker32.answer()
    fault.close()
    assert attacker32.peek(ours + later, 13) == bytes(13)
    assert target.peek(theirs + later, 13) == b"after PROTECT"


def test_32_bit_process_protects_itself(ttools, spawn, attacker):
    """All commands by numbers and arguments of 32 bits."""
    target = spawn(bits=32)
    assert target.ioctl(abi.PROTECT, 0xFFFFFFFF) == 0
    assert target.ioctl(abi.PROTECT) == errno.EEXIST
    assert attacker.ptrace("ATTACH", target.pid) == errno.EPERM
    assert target.ioctl(abi.PROTECT_TREE) == 0
    assert target.allow(attacker.pid) == 0
    assert attacker.ptrace("SEIZE", target.pid) == 0
    assert target.disallow(attacker.pid) == 0
    assert target.ioctl(abi.ALLOW, 0xFFFFFFFF) == errno.EBADF
    assert target.ioctl(abi.UNPROTECT, 0xFFFFFFFF) == 0


def test_32_bit_layout_of_fd_refs(ttools, spawn):
    """An int and a 32-bit long, and nothing beyond them."""
    target = spawn(bits=32)
    fd = target.number("eventfd")
    address = target.alloc(8)
    target.poke(address, struct.pack("ii", fd, -7))
    assert target.ioctl(abi.FD_REFS_32, address) == 0
    assert struct.unpack("ii", target.peek(address, 8)) == (fd, 1)


def test_64_bit_layout_of_fd_refs_for_a_32_bit_process(ttools, spawn):
    """Programs that were built around the C original, which knew this one only."""
    target = spawn(bits=32)
    fd = target.number("eventfd")
    address = target.alloc(16)
    target.poke(address, struct.pack("iiq", fd, 0x55555555, -7))
    assert target.ioctl(abi.FD_REFS, address) == 0
    got = struct.unpack("iiq", target.peek(address, 16))
    assert (got[0], got[2]) == (fd, 1)


def test_32_bit_layout_is_unknown_to_a_64_bit_process(target):
    """0xC008EE02, the number as 32-bit programs have it."""
    assert abi.FD_REFS_32 == 0xC008EE02
    address = target.alloc(16)
    target.poke(address, struct.pack("iiq", 0, 0, -7))
    assert target.ioctl(abi.FD_REFS_32, address) == errno.EINVAL
    assert struct.unpack("iiq", target.peek(address, 16))[2] == -7
