# SPDX-License-Identifier: GPL-2.0
"""Files in /proc: modules/tk/proc_file.rs."""

import errno
import os
import pathlib
import stat

import linux
import pytest
from hammer import hammers

FILE = pathlib.Path("/proc/tk_selftest")
LINES = pathlib.Path("/proc/sys/tk_selftest/numbers/lines")


@pytest.fixture
def file(selftest):
    """A descriptor of the file."""
    selftest.load(files=3)
    descriptor = os.open(FILE, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def text(lines):
    """What the file should say."""
    return "".join(f"line {line} of {lines}\n" for line in range(lines)).encode()


def test_file_is_there_while_the_module_is_loaded(selftest):
    """With its mode and text."""
    assert not FILE.exists()
    selftest.load(files=2)
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o444
    assert stat.S_ISREG(FILE.stat().st_mode)
    assert FILE.read_bytes() == text(3)
    selftest.unload()
    assert not FILE.exists()


@pytest.mark.parametrize("lines", [0, 1, 300, 20_000])
def test_text_of_any_length(file, lines):
    """None, a line, more than a page, more than a read of cat."""
    LINES.write_text(str(lines))
    assert FILE.read_bytes() == text(lines)
    # As new for each who opens it or goes back to the beginning.
    assert os.pread(file, 7, 0) == text(lines)[:7]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_small_reads_give_the_same_text(file, size):
    """Together."""
    LINES.write_text("500")
    parts = []
    while part := os.read(file, size):
        assert len(part) <= size
        parts.append(part)
    assert b"".join(parts) == text(500)
    assert os.read(file, size) == b""


def test_reader_sees_one_text_to_the_end(file):
    """That of the moment when it began."""
    begin = os.read(file, 8)
    LINES.write_text("5")
    assert begin + os.read(file, 4096) == text(3)
    os.lseek(file, 0, os.SEEK_SET)
    assert os.read(file, 4096) == text(5)


def test_offsets(file):
    """In the middle, at the end, behind it."""
    LINES.write_text("1000")
    whole = text(1000)
    for offset in (1, 4095, 4096, 4097, len(whole) - 1, len(whole), len(whole) + 1, 1 << 40):
        expected = whole[offset:offset + 100]
        assert os.pread(file, 100, offset) == expected, offset
        os.lseek(file, offset, os.SEEK_SET)
        assert os.read(file, 100) == expected, offset


def test_error_goes_to_the_reader(file):
    """And the next read works."""
    LINES.write_text("-1")
    assert linux.errno_of(os.read, file, 100) == errno.ENODATA
    LINES.write_text("2")
    assert os.read(file, 100) == text(2)


def test_file_can_not_be_written(file):
    """Root may open it for writing, as all of /proc."""
    descriptor = os.open(FILE, os.O_RDWR)
    assert linux.errno_of(os.write, descriptor, b"1") == errno.EIO
    os.close(descriptor)


def test_name_that_is_taken_is_an_error_without_a_warning(selftest):
    """The module isn't loaded, and the next attempt works."""
    # What the kernel makes of a module's EEXIST.
    assert selftest.insert("files=7 twice=2") == errno.EBUSY
    assert not FILE.exists()
    selftest.load(files=2)
    assert FILE.read_bytes() == text(3)


def test_unloads_while_the_file_is_open(selftest):
    """Open files, read in part or not, don't keep the module, and stay dead."""
    selftest.load(files=3)
    LINES.write_text("1000")
    files = [os.open(FILE, os.O_RDONLY) for _ in range(3)]
    os.read(files[1], 10)
    os.read(files[2], 10)
    assert selftest.remove() == 0
    os.close(files.pop())
    for _ in range(2):
        for file in files:
            assert linux.errno_of(os.read, file, 10) == errno.EIO
            assert linux.errno_of(os.lseek, file, 0, os.SEEK_SET) == errno.EINVAL
        selftest.load(files=2)
        assert FILE.read_bytes() == text(3)
    for file in files:
        os.close(file)


@pytest.mark.storm
@pytest.mark.limit(300)
def test_unloads_20_times_while_others_read(selftest):
    """Four processes, some of whose files are gone while they have them open."""
    with hammers(*[("file", FILE)] * 4) as counts:
        for round_number in range(20):
            assert selftest.insert("files=3") == 0
            LINES.write_text("300" if round_number % 2 else "1")
            for _ in range(5):
                assert FILE.read_bytes()
            assert selftest.remove() == 0
    print(f"worked, refused, not there: {counts}")
    for worked, _, not_there in counts:
        assert worked and not_there
    assert not FILE.exists()
