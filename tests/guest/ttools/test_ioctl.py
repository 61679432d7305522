# SPDX-License-Identifier: GPL-2.0
"""The device and its ioctls: every errno of the specification, for 64-bit and 32-bit programs."""

import errno
import os
import pathlib
import stat
import struct

import abi
import linux
import pytest

SENTINEL = -7
PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2

LAYOUTS = {
    # bits of the program, command, structure
    "64": (64, abi.FD_REFS, "iiq"),
    "32": (32, abi.FD_REFS_32, "ii"),
    "32 with the 64-bit layout": (32, abi.FD_REFS, "iiq"),
}


class Refs:
    """A program that asks for counts."""

    def __init__(self, target, command, layout):
        self.target = target
        self.command = command
        self.layout = layout
        self.size = struct.calcsize(layout)

    def pack(self, fd):
        """The structure before the call."""
        middle = [0] * (len(self.layout) - 2)
        return struct.pack(self.layout, fd, *middle, SENTINEL)

    def count(self, fd):
        """The count, from a structure that ends where the page does."""
        address = self.target.alloc(self.size)
        self.target.poke(address, self.pack(fd))
        assert self.target.ioctl(self.command, address) == 0
        fields = struct.unpack(self.layout, self.target.peek(address, self.size))
        assert fields[0] == fd
        return fields[-1]


@pytest.fixture(params=sorted(LAYOUTS))
def refs(request, ttools, spawn):
    """A program for each layout."""
    bits, command, layout = LAYOUTS[request.param]
    return Refs(spawn(bits=bits), command, layout)


@pytest.fixture(params=[64, 32])
def program(request, ttools, spawn):
    """A program of either size."""
    return spawn(bits=request.param)


@pytest.fixture
def disk_file():
    """A file of a disk's file system: those in memory hold references of their own."""
    path = pathlib.Path("/var/tmp/ttools-test-file")
    path.write_text("x")
    yield str(path)
    path.unlink()


def test_numbers_are_those_of_the_c_original():
    """Programs have them compiled in."""
    assert abi.PROTECT == 0xEE00
    assert abi.UNPROTECT == 0xEE01
    assert abi.FD_REFS == 0xC010EE02
    assert abi.FD_REFS_32 == 0xC008EE02
    assert (abi.PROTECT_TREE, abi.ALLOW, abi.DISALLOW) == (0xEE03, 0xEE04, 0xEE05)


def test_device_has_its_number_and_everyone_may_open_it(ttools):
    """crw-rw-rw- 10, 254"""
    info = os.stat(abi.DEVICE)
    assert stat.S_ISCHR(info.st_mode)
    assert stat.S_IMODE(info.st_mode) == 0o666
    assert (os.major(info.st_rdev), os.minor(info.st_rdev)) == (10, 254)
    assert (abi.SYSFS / "dev").read_text() == "10:254\n"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_flags_of_open_do_not_matter(target, flags):
    """The original's example opens it O_RDONLY."""
    fd = target.open(abi.DEVICE, flags)
    assert target.errno("syscall", 16, fd, abi.PROTECT, 0) == 0
    assert target.errno("syscall", 16, fd, abi.PROTECT, 0) == errno.EEXIST


def test_reading_and_writing_is_invalid_and_seeking_does_nothing(ttools):
    """Only ioctl(2) does anything."""
    fd = os.open(abi.DEVICE, os.O_RDWR)
    try:
        assert linux.errno_of(os.read, fd, 16) == errno.EINVAL
        assert linux.errno_of(os.write, fd, b"x") == errno.EINVAL
        for whence in (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END):
            assert os.lseek(fd, 5, whence) == 0
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    "command",
    [abi.UNKNOWN, 0, 0xEE06, 0xEEFF, 0x0000EF00, 0x4004EE00, 0x8004EE01, 0xC011EE02, 0xC000EE02,
     0x4008EE04, 0x5401, 0xFFFFFFFF],
    ids=hex,
)
def test_unknown_command_is_invalid(program, command):
    """EINVAL, not ENOTTY; also what differs only in the direction or size."""
    assert program.ioctl(command) == errno.EINVAL
    assert program.ioctl(command, 1) == errno.EINVAL


def test_protect_twice_says_that_it_exists(program):
    """EEXIST, and only until UNPROTECT."""
    assert program.ioctl(abi.PROTECT) == 0
    assert program.ioctl(abi.PROTECT) == errno.EEXIST
    assert program.ioctl(abi.UNPROTECT) == 0
    assert program.ioctl(abi.PROTECT) == 0


def test_unprotect_of_an_unprotected_process_works(program):
    """It wanted no protection and has none."""
    assert program.ioctl(abi.UNPROTECT) == 0
    assert program.ioctl(abi.UNPROTECT) == 0


@pytest.mark.parametrize("arg", [0, 1, 0x1000, 0xFFFFFFFF, (1 << 64) - 1], ids=hex)
def test_argument_is_ignored_where_there_is_none(program, arg):
    """Whatever a program passes, pointers to nowhere included."""
    assert program.ioctl(abi.PROTECT, arg) == 0
    assert program.ioctl(abi.PROTECT_TREE, arg) == 0
    assert program.ioctl(abi.UNPROTECT, arg) == 0


def test_closing_the_device_keeps_protection(target, attacker):
    """Protection isn't tied to the open file."""
    fd = target.open(abi.DEVICE)
    assert target.errno("syscall", 16, fd, abi.PROTECT, 0) == 0
    assert target.number("close", fd) == 0
    assert attacker.ptrace("ATTACH", target.pid) == errno.EPERM


def test_inherited_device_is_for_whoever_uses_it(target, attacker):
    """The caller is protected, not who opened it."""
    fd = target.open(abi.DEVICE)
    child = target.fork()
    assert child.errno("syscall", 16, fd, abi.PROTECT, 0) == 0
    assert attacker.ptrace("SEIZE", child.pid) == errno.EPERM
    assert attacker.ptrace("SEIZE", target.pid) == 0


# Counting references


def test_eventfd_is_counted_by_its_descriptors(refs):
    """1, with dup(2) 2, and after closing one 1 again."""
    fd = refs.target.number("eventfd")
    assert refs.count(fd) == 1
    second = refs.target.number("dup", fd)
    assert refs.count(fd) == 2
    assert refs.count(second) == 2
    refs.target.number("close", second)
    assert refs.count(fd) == 1


def test_eventfd_is_counted_across_fork(refs):
    """A child's copies count."""
    fd = refs.target.number("eventfd")
    child = refs.target.fork()
    assert refs.count(fd) == 2
    child.exit()
    assert refs.count(fd) == 1


def test_eventfd_is_counted_alike_by_threaded_programs(refs):
    """With threads the kernel holds the file during the call."""
    fd = refs.target.number("eventfd")
    refs.target.number("thread")
    assert refs.count(fd) == 1


def test_file_is_counted_by_its_opens(refs, disk_file):
    """Opened once 1, with dup(2) still 1, opened twice 2."""
    fd = refs.target.open(disk_file)
    assert refs.count(fd) == 1
    refs.target.number("dup", fd)
    assert refs.count(fd) == 1
    refs.target.open(disk_file)
    assert refs.count(fd) == 2


def test_file_is_counted_for_all_processes(refs, disk_file):
    """Opens by others count."""
    fd = refs.target.open(disk_file)
    with open(disk_file, "rb"):
        assert refs.count(fd) == 2
    assert refs.count(fd) == 1


@pytest.mark.parametrize("fd", [-1, -2147483648, 2147483647, 900], ids=str)
def test_no_descriptor_is_bad_and_leaves_the_structure(refs, fd):
    """EBADF"""
    address = refs.target.alloc(refs.size)
    refs.target.poke(address, refs.pack(fd))
    assert refs.target.ioctl(refs.command, address) == errno.EBADF
    assert refs.target.peek(address, refs.size) == refs.pack(fd)


def test_o_path_descriptor_is_bad_and_leaves_the_structure(refs, disk_file):
    """EBADF: nothing was opened."""
    fd = refs.target.open(disk_file, os.O_PATH)
    address = refs.target.alloc(refs.size)
    refs.target.poke(address, refs.pack(fd))
    assert refs.target.ioctl(refs.command, address) == errno.EBADF
    assert refs.target.peek(address, refs.size) == refs.pack(fd)


@pytest.mark.parametrize("prot", [PROT_NONE, PROT_READ], ids=["unreadable", "read-only"])
def test_structure_without_access_is_a_fault(refs, prot):
    """EFAULT; descriptor 0, which a new page is full of, is open."""
    address = refs.target.alloc(refs.size, prot)
    assert refs.target.ioctl(refs.command, address) == errno.EFAULT
    if prot == PROT_READ:
        assert refs.target.peek(address, refs.size) == bytes(refs.size)


@pytest.mark.parametrize("address", [0, 1, 0xFFFFF000, 0xFFFFFFFF], ids=hex)
def test_pointer_to_nowhere_is_a_fault(refs, address):
    """EFAULT"""
    assert refs.target.ioctl(refs.command, address) == errno.EFAULT


@pytest.mark.parametrize(
    "address", [0xFFFF888000000000, 0xFFFFFFFFFFFFF000, (1 << 64) - 1], ids=hex)
def test_pointer_into_the_kernel_is_a_fault(target, address):
    """EFAULT"""
    assert target.ioctl(abi.FD_REFS, address) == errno.EFAULT


def test_structure_that_reaches_beyond_its_page_is_a_fault(refs):
    """One byte too short; nothing of it is written."""
    address = refs.target.alloc(refs.size - 1)
    before = refs.target.peek(address, refs.size - 1)
    assert refs.target.ioctl(refs.command, address) == errno.EFAULT
    assert refs.target.peek(address, refs.size - 1) == before


def test_nothing_beyond_the_structure_is_written(refs):
    """Not even padding of the next one."""
    address = refs.target.alloc(refs.size + 8)
    refs.target.poke(address, refs.pack(0) + b"\xaa" * 8)
    assert refs.target.ioctl(refs.command, address) == 0
    assert refs.target.peek(address + refs.size, 8) == b"\xaa" * 8


# Only for administrators

COMMANDS = [abi.PROTECT, abi.UNPROTECT, abi.FD_REFS, abi.PROTECT_TREE, abi.ALLOW, abi.DISALLOW,
            abi.UNKNOWN, 0]


@pytest.mark.parametrize("command", COMMANDS, ids=hex)
def test_admin_only_refuses_others_whatever_they_ask(module, spawn, command):
    """EPERM before the command or the argument is looked at."""
    module.load(admin_only=1)
    user = spawn(uid=65534)
    for arg in (0, user.alloc(16), (1 << 64) - 1):
        assert user.ioctl(command, arg) == errno.EPERM


def test_admin_only_refuses_root_of_a_user_namespace(module, spawn):
    """Everyone is root in a namespace of their own."""
    module.load(admin_only=1)
    user = spawn(uid=65534)
    # unshare(CLONE_NEWUSER)
    assert user.errno("syscall", 272, 0x10000000) == 0
    assert user.ioctl(abi.PROTECT) == errno.EPERM


def test_admin_only_lets_root(module, spawn):
    """All as usual."""
    module.load(admin_only=1)
    root = spawn()
    assert root.ioctl(abi.PROTECT) == 0
    assert root.ioctl(abi.PROTECT) == errno.EEXIST
    assert root.ioctl(abi.UNKNOWN) == errno.EINVAL


def test_without_admin_only_everyone_may(ttools, spawn):
    """The default, as the original's README has it."""
    user = spawn(uid=65534)
    assert user.ioctl(abi.PROTECT) == 0
    assert user.ioctl(abi.UNKNOWN) == errno.EINVAL
    assert user.ioctl(abi.UNPROTECT) == 0
