# SPDX-License-Identifier: GPL-2.0
"""What may be written to /proc/tkernel/shield_mounts, and what it shows."""

import ctypes
import errno
import os
import pathlib
import re
import stat
import subprocess
import sys
import threading

import pytest
from boxes import Bare
from target import SCALE
from writes import mutated, storm, sysctl_storm, write

FILE = pathlib.Path("/proc/tkernel/shield_mounts")
MAX = pathlib.Path("/proc/sys/kernel/shield_mounts_max")

FINE = {
    b"set 192.168.1.1:/nfs /nfstest \n": b"192.168.1.1:/nfs on /nfstest\n",
    b"set a /b": b"a on /b\n",
    b"set a /b\n": b"a on /b\n",
    b"   set    a    /b   \n": b"a on /b\n",
    b"\tset \ta\t /b\t\n": b"a on /b\n",
    b"set a\tb /c": b"ab on /c\n",
    b"set a /b c  d \n": b"a on /b c  d\n",
    b"set a \n": b"a on \n",
    b"set a ": b"a on \n",
    b"set a\\040b /c\\040d": b"a\\040b on /c d\n",
    b"set a /b\\134x\\012": b"a on /b\\134x\\012\n",
    b"set a /b\\9": b"a on /b\\1349\n",
    b"set a /b\0 garbage": b"a on /b\n",
    b"set \xff /\xfe\n": b"\xff on /\xfe\n",
    b"set set set\n": b"set on set\n",
    b"\n\nset a /b\n\n": b"a on /b\n",
    b"set a \t\n\n": b"a on \n",
}
BAD = [
    b"", b"\n", b" ", b"set", b"set ", b"set a", b"set a\n", b"clear", b"clear a", b"sett a /b",
    b"SET a /b", b"se t a /b", b"del a /b", b"a /b", b"set\ta\t/b", b"\0set a /b", b"set a /b\nset c /d\n",
    b"set a\n/b",
]


def test_file_and_its_limit(shield_mounts):
    """Root's, for all to read."""
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o644
    assert FILE.read_text() == ""
    assert MAX.read_text() == "512\n"


@pytest.mark.parametrize("text", FINE)
def test_pair_is_set_and_cleared(shield_mounts, text):
    """Set twice is EEXIST, cleared twice isn't an error."""
    assert write(FILE, text) == len(text)
    assert FILE.read_bytes() == FINE[text]
    assert write(FILE, text) == -errno.EEXIST
    assert FILE.read_bytes() == FINE[text]
    clear = text.replace(b"set", b"clear", 1)
    for _ in range(2):
        assert write(FILE, clear, 99) == len(clear)
        assert FILE.read_bytes() == b""


@pytest.mark.parametrize("text", BAD, ids=repr)
def test_bad_command_is_refused(shield_mounts, text):
    """EFAULT, as the original has it; nothing is stored."""
    write(FILE, b"set x /y")
    assert write(FILE, text) == -errno.EFAULT
    assert FILE.read_text() == "x on /y\n"


def test_length_has_a_limit(shield_mounts):
    """8192 bytes, all of which may be a name: the original copied that to 1024."""
    for device, path in ((4095, 4080), (1023, 1024), (1025, 7000), (1, 8180), (8192 - 7, 1)):
        text = b"set " + b"d" * device + b" /" + b"p" * (path - 1)
        assert write(FILE, text) == len(text)
        assert FILE.read_bytes() == text[4:].replace(b" ", b" on ") + b"\n"
        assert write(FILE, b"clear" + text[3:]) == (len(text) + 2 if len(text) + 2 <= 8192 else -errno.EINVAL)
        if FILE.read_bytes():
            # One too long to be cleared by a command of its own.
            assert write(FILE, b"clear" + text[3:]) == -errno.EINVAL
            break
    assert write(FILE, b"set a " + b"b" * (8193 - 6)) == -errno.EINVAL
    assert write(FILE, b" " * 100_000) == -errno.EINVAL


def test_list_has_a_limit(shield_mounts):
    """512 unless the administrator says otherwise; those that are set stay."""
    for number in range(512):
        assert write(FILE, b"set dev%d /place" % number) > 0
    assert write(FILE, b"set one_more /place") == -errno.ENOMEM
    assert write(FILE, b"set dev5 /place") == -errno.EEXIST
    assert FILE.read_text() == "".join(f"dev{number} on /place\n" for number in range(512))
    MAX.write_text("513")
    assert write(FILE, b"set one_more /place") > 0
    MAX.write_text("0")
    assert write(FILE, b"set two_more /place") == -errno.ENOMEM
    assert len(FILE.read_text().splitlines()) == 513
    assert write(FILE, b"clear dev5 /place") > 0
    MAX.write_text("512")
    assert write(FILE, b"set two_more /place") == -errno.ENOMEM
    for number in range(512):
        assert write(FILE, b"clear dev%d /place" % number) > 0
    assert FILE.read_text() == "one_more on /place\n"


def test_bad_address_is_refused(shield_mounts):
    """EFAULT as well."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(FILE, os.O_WRONLY)
    assert libc.write(file, ctypes.c_void_p(8), ctypes.c_size_t(40)) == -1
    assert ctypes.get_errno() == errno.EFAULT
    os.close(file)


def unescape(text):
    """Three octal digits that fit a byte."""
    return re.sub(rb"\\([0-3][0-7][0-7])", lambda found: bytes([int(found[1], 8)]), text)


def shown(text, also=b""):
    """As the file writes it."""
    return b"".join(b"\\%03o" % byte if byte in b"\t\n\\\0" + also else bytes([byte]) for byte in text)


def model(pairs, data):
    """Another reading of the rules."""
    text = data.split(b"\0")[0]
    line = text.strip(b" \t\n\r\x0c")
    if len(data) > 8192:
        return -errno.EINVAL, pairs
    if b"\n" in line:
        return -errno.EFAULT, pairs
    line = line.replace(b"\t", b"").lstrip(b" ")
    verb, blank, rest = line.partition(b" ")
    rest = rest.lstrip(b" ")
    device, second, path = rest.partition(b" ")
    ends_in_blank = text.rstrip(b"\t\n").endswith(b" ")
    if not blank or not device or not (second or ends_in_blank) or verb not in (b"set", b"clear"):
        return -errno.EFAULT, pairs
    pair = (unescape(device), unescape(path.lstrip(b" ")))
    if verb == b"clear":
        return len(data), tuple(other for other in pairs if other != pair)
    if pair in pairs:
        return -errno.EEXIST, pairs
    if len(pairs) >= 40:
        return -errno.ENOMEM, pairs
    return len(data), pairs + (pair,)


def make(generator):
    """A command, or nearly one."""
    verb = generator.choice((b"set", b"set", b"clear", b"put"))
    device = generator.choice((b"a", b"dev", b"1.2.3.4:/x", b"a\\040b", b"none"))
    path = generator.choice((b"/a", b"/b c", b"/", b"", b"/a\\134", b"/" + b"long" * generator.randrange(100)))
    return mutated(generator, verb + b" " + device + b" " + path + generator.choice((b"", b"\n", b" \n")))


@pytest.mark.long
@pytest.mark.limit(300)
def test_10000_random_writes(shield_mounts):
    """Each has the result that the rules say, and the list is what they make of it."""
    MAX.write_text("40")
    results = storm(FILE, make, model, (), lambda pairs: b"".join(
        shown(device, b" ") + b" on " + shown(path) + b"\n" for device, path in pairs))
    for result in ("done", errno.EFAULT, errno.EEXIST, errno.ENOMEM):
        assert results[result] > 30, result


@pytest.mark.limit(300)
def test_10000_random_writes_of_the_limit(shield_mounts):
    """What is stored is what was written."""
    sysctl_storm(MAX, 0, 65536)


@pytest.mark.limit(240)
def test_writers_and_readers_at_once(shield_mounts):
    """Each line is a whole one, mounts are listed or not, and the module comes and goes meanwhile."""
    stop = threading.Event()
    failures = []

    def writer(which):
        while not stop.is_set():
            try:
                for verb in (b"set", b"clear"):
                    for number in range(20):
                        write(FILE, verb + b" dev%d%s /place%d" % (number, which, number))
            except FileNotFoundError:
                pass

    def reader():
        while not stop.is_set():
            try:
                text = FILE.read_text()
            except (FileNotFoundError, OSError):
                continue
            for line in text.splitlines():
                if not re.fullmatch(r"dev(\d+)[ab] on /place\1", line):
                    failures.append(line)

    look = "import sys\nfor _ in range(3000): open('/proc/self/mountinfo').read()"
    with Bare() as box:
        lookers = [box.start(sys.executable, "-Ic", look) for _ in range(2)]
        threads = [threading.Thread(target=writer, args=(b"a",)), threading.Thread(target=writer, args=(b"b",)),
                   threading.Thread(target=reader)]
        for thread in threads:
            thread.start()
        while any(looker.poll() is None for looker in lookers):
            shield_mounts.clean_up()
            shield_mounts.load()
            subprocess.run(["sleep", "0.2"], check=True, timeout=30 * SCALE)
        stop.set()
        for thread in threads:
            thread.join()
        assert [looker.returncode for looker in lookers] == [0, 0]
    assert not failures
