# SPDX-License-Identifier: GPL-2.0
"""Files of numbers in /proc/sys: modules/tk/sysctl.rs."""

import contextlib
import errno
import os
import pathlib
import stat
import subprocess
import threading
import time

import linux
import pytest
from hammer import hammers
from target import SCALE

NUMBERS = pathlib.Path("/proc/sys/tk_selftest/numbers")
VM = pathlib.Path("/proc/sys/vm")

# What the kernel's own files of the same kind and range are.
TWINS = {
    "small": VM / "page-cluster",
    "large": pathlib.Path("/proc/sys/fs/file-max"),
    "any_ulong": VM / "user_reserve_kbytes",
}
STRICT = pathlib.Path("/proc/sys/kernel/sysctl_writes_strict")

LONG_MAX = 2 ** 63 - 1
ULONG_MAX = 2 ** 64 - 1
RANGES = {
    "signed": (-5, 100),
    "small": (0, 31),
    "any_int": (-2 ** 31, 2 ** 31 - 1),
    "large": (0, LONG_MAX),
    "any_ulong": (0, ULONG_MAX),
}

# What no file takes.
GARBAGE = [
    b"\n", b" ", b" \t\n", b"\0", b"x", b"five", b"-", b"- 1", b"--1", b"+1", b"1x", b"1.5", b"1,2",
    b"0x", b"08", b"1\0", b"1\x002", b"\xff", b"1" * 22, b"0" * 22, b"1" * 5000, b" " * 5000,
    b" " * 4096 + b"1", b"36893488147419103232", b"99999999999999999999",
]
# What files take, if it is in their range.
FINE = [
    b"0", b"1", b"31", b"31\n", b" 7", b"\t7 \n", b"7   ", b"0x1f", b"0X1F", b"017", b"00", b"-0",
    b"000000000000000000007", b"5" + b" " * 5000,
]
SEVERAL = [
    b"1 2", b"1 2\n", b"1\n2\n", b"1\t2\t3", b"3 x", b"3 \0", b"3 99999999999999999999", b" 3 4",
]


@pytest.fixture
def numbers(selftest):
    """The directory of the files."""
    selftest.load(files=1)
    return NUMBERS


def write(path, data, offset=0):
    """The number of bytes that were written, or the negative errno."""
    file = os.open(path, os.O_WRONLY)
    try:
        return os.pwrite(file, data, offset)
    except OSError as error:
        return -error.errno
    finally:
        os.close(file)


def value(path):
    """The number that a file shows."""
    text = path.read_text()
    assert text.endswith("\n")
    return int(text)


def stores():
    """How often a setter of the module has stored something."""
    return value(NUMBERS / "stores")


def test_files_are_there_while_the_module_is_loaded(selftest):
    """With their modes, in directories that come and go with them."""
    assert not NUMBERS.parent.exists()
    selftest.load(files=5)
    names = {path.name for path in NUMBERS.iterdir()}
    assert names >= set(RANGES) | {"even", "minus_one", "stores"}
    for name in names:
        read_only = name in ("minus_one", "stores")
        mode = stat.S_IMODE((NUMBERS / name).stat().st_mode)
        assert mode == (0o444 if read_only else 0o644), name
    assert (VM / "tk_selftest_level").exists()
    assert (VM / "page-cluster").exists()
    selftest.unload()
    assert not NUMBERS.parent.exists()
    assert not list(VM.glob("tk_selftest*"))
    assert (VM / "page-cluster").exists()


@pytest.mark.parametrize("name", RANGES)
def test_number_in_the_range_is_stored(numbers, name):
    """The ends of the range belong to it."""
    low, high = RANGES[name]
    count = stores()
    for number in (low, high, max(low, 0), 17, high - 1, low + 1):
        assert write(numbers / name, f"{number}\n".encode()) == len(f"{number}\n")
        assert value(numbers / name) == number
        count += 1
        assert stores() == count, "the setter wasn't called once"


@pytest.mark.parametrize("name", RANGES)
def test_number_outside_the_range_is_refused(numbers, name):
    """EINVAL, and the setter isn't called. So for what no type holds."""
    low, high = RANGES[name]
    assert write(numbers / name, b"7") == 1
    before = stores()
    for number in (low - 1, high + 1, low - 2 ** 32, high + 2 ** 32, low - 2 ** 64, high + 2 ** 64,
                   -2 ** 63, 2 ** 63, -1, 2 ** 64):
        if low <= number <= high:
            continue
        assert write(numbers / name, f"{number}".encode()) == -errno.EINVAL, number
        assert value(numbers / name) == 7
        assert stores() == before


@pytest.mark.parametrize("name", RANGES)
def test_garbage_is_refused(numbers, name):
    """EINVAL, and the setter isn't called."""
    assert write(numbers / name, b"7") == 1
    before = stores()
    for data in GARBAGE:
        assert write(numbers / name, data) == -errno.EINVAL, data[:40]
        assert value(numbers / name) == 7
        assert stores() == before


@pytest.mark.parametrize("name", RANGES)
def test_empty_write_changes_nothing(numbers, name):
    """It works, as everywhere in /proc/sys, and the setter isn't called."""
    for number in sorted({*RANGES[name], 7}):
        assert write(numbers / name, f"{number}".encode()) > 0
        before = stores()
        assert write(numbers / name, b"") == 0
        assert value(numbers / name) == number
        assert stores() == before


@pytest.mark.parametrize("name", RANGES)
def test_write_at_an_offset_changes_nothing(numbers, name):
    """It works, as everywhere in /proc/sys, and the setter isn't called. So for the second part of
    a number that is written in two."""
    low, high = RANGES[name]
    for number in sorted({low, high, 7}):
        assert write(numbers / name, f"{number}".encode()) > 0
        before = stores()
        for offset in (1, 5000, LONG_MAX - 4096):
            for data in (b"5", b"x", f"{low}".encode(), f"{high}".encode()):
                assert write(numbers / name, data, offset) == len(data)
                assert value(numbers / name) == number
                assert stores() == before

    file = os.open(numbers / name, os.O_WRONLY)
    before = stores()
    assert os.write(file, b"1") == 1
    assert os.write(file, b"2") == 1
    os.close(file)
    assert value(numbers / name) == 1
    assert stores() == before + 1


@pytest.mark.parametrize("name", RANGES)
def test_first_of_several_numbers_is_stored(numbers, name):
    """The write ends before the second, whatever that is; the setter is called once."""
    for data in SEVERAL:
        before = stores()
        first = data.split()[0]
        assert write(numbers / name, b"9") == 1
        assert write(numbers / name, data) == data.index(data.split()[1])
        assert value(numbers / name) == int(first)
        assert stores() == before + 2


@pytest.mark.parametrize("number", [0, 50, 100])
def test_error_of_the_setter_goes_to_the_writer(numbers, number):
    """And nothing is stored."""
    assert write(numbers / "even", f"{number}".encode()) > 0
    before = stores()
    for odd in range(1, 100, 14):
        assert write(numbers / "even", f"{odd}\n".encode()) == -errno.EBUSY
        assert write(numbers / "even", f"{odd} 2\n".encode()) == -errno.EBUSY
    assert write(numbers / "even", b"102") == -errno.EINVAL
    assert value(numbers / "even") == number
    assert stores() == before


@contextlib.contextmanager
def kept(path):
    """Leaves a file of the kernel as it was."""
    before = path.read_text()
    yield
    path.write_text(before)


def outcomes(path, data, offset):
    """What comes of a write: its result and what the file shows then; and what short reads give."""
    assert write(path, b"8") == 1
    result = write(path, data, offset)
    text = path.read_bytes()
    file = os.open(path, os.O_RDONLY)
    parts = [os.read(file, 1), os.read(file, 1), os.pread(file, 3, 0), os.pread(file, 3, 1),
             os.pread(file, 0, 0)]
    os.close(file)
    return result, text, parts


@pytest.mark.limit(180)
@pytest.mark.parametrize("strict", [1, -1])
@pytest.mark.parametrize("name", TWINS)
def test_file_behaves_as_one_of_the_kernel(numbers, name, strict):
    """Whatever is written, in both modes of kernel.sysctl_writes_strict. (In the one between them
    the kernel only warns as well.)"""
    texts = GARBAGE + FINE + SEVERAL + [b""]
    texts += [str(number).encode() for number in (
        -1, 32, 100, 2 ** 31, 2 ** 32, 2 ** 32 + 5, LONG_MAX, LONG_MAX + 1, ULONG_MAX,
        ULONG_MAX + 1, ULONG_MAX + 6)]
    with kept(STRICT), kept(TWINS[name]):
        STRICT.write_text(str(strict))
        for data in texts:
            for offset in (0, 1, 4096):
                ours = outcomes(numbers / name, data, offset)
                theirs = outcomes(TWINS[name], data, offset)
                assert ours == theirs, (data[:40], offset)


def test_read_only_file_can_not_be_written(numbers):
    """Not even by root."""
    for name in ("minus_one", "stores"):
        before = value(numbers / name)
        assert linux.errno_of(os.open, numbers / name, os.O_WRONLY) == errno.EACCES
        assert value(numbers / name) == before
    assert (numbers / "minus_one").read_text() == "-1\n"


def test_user_can_read_but_not_write(numbers):
    """As the mode says."""
    path = numbers / "signed"
    done = subprocess.run(["sh", "-c", f"cat {path}; echo 1 >{path}"], user=65534, text=True,
                          capture_output=True, timeout=30 * SCALE, check=False)
    assert done.stdout == "0\n"
    assert "ermission denied" in done.stderr
    assert value(path) == 0


@pytest.mark.parametrize("which", [1, 4])
def test_second_registration_fails_and_leaves_nothing(selftest, which):
    """The module isn't loaded, the directory's other files stay, and the next attempt works."""
    before = sorted(VM.iterdir())
    assert len(before) > 10
    # What the kernel makes of a module's EEXIST.
    assert selftest.insert(f"files=7 twice={which}") == errno.EBUSY
    assert sorted(VM.iterdir()) == before
    assert not NUMBERS.parent.exists()
    selftest.load(files=7)
    assert value(NUMBERS / "signed") == 0


def test_open_file_is_dead_after_unloading(selftest):
    """It doesn't keep the module, nor come to life with the next one."""
    selftest.load(files=1)
    file = os.open(NUMBERS / "signed", os.O_RDWR)
    assert os.pwrite(file, b"5", 0) == 1
    assert selftest.remove() == 0
    for _ in range(2):
        assert linux.errno_of(os.pread, file, 8, 0) == errno.ENOENT
        assert linux.errno_of(os.pwrite, file, b"5", 0) == errno.ENOENT
        selftest.load(files=1)
    assert value(NUMBERS / "signed") == 0
    os.close(file)


def test_unloading_waits_for_a_setter(selftest, kernel_log):
    """Its code is there until its last line has run, and the write works."""
    selftest.load(files=1)
    delay = 2
    results = []
    data = str(delay * 1000).encode()
    writer = threading.Thread(target=lambda: results.append(write(NUMBERS / "slow_ms", data)))
    start = time.monotonic()
    writer.start()
    time.sleep(delay / 4)
    assert selftest.remove() == 0
    assert time.monotonic() - start >= delay, "the module went while its code slept"
    assert kernel_log.matching("a setter slept")
    writer.join(60)
    assert results == [len(data)]


def test_setter_runs_for_several_writers_at_once(numbers):
    """A slow one doesn't hold up others."""
    writer = threading.Thread(target=write, args=(numbers / "slow_ms", b"3000"))
    writer.start()
    time.sleep(0.2)
    assert write(numbers / "slow_ms", b"1") == 1
    assert value(numbers / "slow_ms") == 1
    assert writer.is_alive()
    writer.join(60)
    assert value(numbers / "slow_ms") == 3000


@pytest.mark.storm
@pytest.mark.limit(300)
def test_unloads_20_times_while_others_read_and_write(selftest):
    """Four processes, some of whose files are gone while they have them open."""
    files = [("file", NUMBERS / name) for name in ("large", "even", "signed")]
    with hammers(*files, ("file", VM / "tk_selftest_level")) as counts:
        for _ in range(20):
            assert selftest.insert("files=5") == 0
            # Until they have found the files.
            before = stores()
            while stores() < before + 5:
                pass
            assert selftest.remove() == 0
    print(f"worked, refused, not there: {counts}")
    for worked, _, not_there in counts:
        assert worked and not_there
    assert not NUMBERS.parent.exists()
    assert not list(VM.glob("tk_selftest*"))
