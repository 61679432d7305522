# SPDX-License-Identifier: GPL-2.0
"""What may be written to /proc/tkernel/nonpriv_netbind, and what it shows."""

import ctypes
import errno
import os
import pathlib
import re
import stat
import subprocess
import threading

import pytest
from boxes import Bare
from target import SCALE
from writes import mutated, storm, write

FILE = pathlib.Path("/proc/tkernel/nonpriv_netbind")

FINE = {
    b"80": 80, b"80\n": 80, b"+80\n": 80, b"80 ": 80, b"80 \t\r\n \n": 80, b"1": 1, b"1023": 1023,
    b"0x50": 80, b"0X50\n": 80, b"0120": 80, b"+0x3fF": 1023, b"0001": 1, b"80\0": 80,
    b"80\0garbage\n": 80, b"80\n\0\n": 80, b"443\r\n": 443, b"9" + b" " * 4094: 9,
}
BAD = [
    b"", b"\n", b" ", b"\0", b"+", b"-", b"+\n", b"x", b"0", b"-0", b"0x", b"0x\n", b"1024", b"-1024",
    b"65536", b"65616", b"4294967376", b"18446744073709551696", b"9" * 4000, b" 80", b"\t80", b"+ 80",
    b"++80", b"+-80", b"80,443", b"80 443", b"80\n443\n", b"80x", b"08", b"0x5g", b"80.", b"\xff",
    b"80" + b" " * 4094, b"80" + b" " * 9000, b"80\0" + b"x" * 5000, "٨٠".encode(),
]


def test_file_is_there_for_all_to_read(nonpriv_netbind):
    """Who may write is asked at the write."""
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o666
    assert FILE.read_text() == ""
    assert os.listdir(FILE.parent) == [FILE.name]


@pytest.mark.parametrize("text", FINE)
def test_port_is_added_and_removed(nonpriv_netbind, text):
    """The whole write counts, whatever stands at its end. Again is no error."""
    port = FINE[text]
    plain = text.lstrip(b"+")
    for _ in range(2):
        assert write(FILE, text) == len(text)
        assert FILE.read_text() == f"{port}\n"
    if len(plain) < 4095:
        for _ in range(2):
            assert write(FILE, b"-" + plain) == len(plain) + 1
            assert FILE.read_text() == ""


def test_offset_doesnt_matter(nonpriv_netbind):
    """Several writes to one descriptor are several commands, at whatever offset."""
    with open(FILE, "wb", buffering=0) as file:
        for port in (80, 443, 22):
            file.write(f"{port}\n".encode())
        file.write(b"-443\n")
    assert write(FILE, b"25", 12345) == 2
    assert FILE.read_text() == "22\n25\n80\n"


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text[:20]))
def test_bad_command_is_refused(nonpriv_netbind, text):
    """EINVAL, and the list is as before."""
    write(FILE, b"7")
    assert write(FILE, text) == -errno.EINVAL
    assert FILE.read_text() == "7\n"


def test_bad_address_is_refused(nonpriv_netbind):
    """EFAULT."""
    libc = ctypes.CDLL(None, use_errno=True)
    file = os.open(FILE, os.O_WRONLY)
    assert libc.write(file, ctypes.c_void_p(8), ctypes.c_size_t(4)) == -1
    assert ctypes.get_errno() == errno.EFAULT
    os.close(file)
    assert FILE.read_text() == ""


GRAMMAR = re.compile(rb"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)[ \t\n\r\x0c]*\Z")


def model(ports, data):
    """Another reading of the rules."""
    if len(data) > 4095:
        return -errno.EINVAL, ports
    found = GRAMMAR.match(data.split(b"\0")[0])
    if not found:
        return -errno.EINVAL, ports
    sign, digits = found.groups()
    if digits[:2].lower() == b"0x":
        port = int(digits, 16)
    else:
        port = int(digits, 8 if digits.startswith(b"0") else 10)
    if not 1 <= port <= 1023:
        return -errno.EINVAL, ports
    return len(data), ports - {port} if sign == b"-" else ports | {port}


def make(generator):
    """A command, or nearly one."""
    port = generator.choice((generator.randrange(1, 1024), generator.randrange(0, 1100), 80))
    text = generator.choice((b"", b"+", b"-")) + generator.choice(("{}", "0x{:x}", "0{:o}")).format(
        port).encode() + generator.choice((b"", b"\n"))
    return mutated(generator, text)


@pytest.mark.limit(300)
def test_10000_random_writes(nonpriv_netbind):
    """Each has the result that the rules say, and the list is what they make of it."""
    results = storm(FILE, make, model, frozenset(),
                    lambda ports: b"".join(b"%d\n" % port for port in sorted(ports)))
    assert results["done"] > 2000 and results[errno.EINVAL] > 1000


@pytest.mark.limit(180)
def test_two_networks_dont_get_into_each_other(nonpriv_netbind):
    """Writers and readers at once: even ports on the host, odd ones in the container; each list is
    all that was written there, since no change is lost."""
    program = """if 1:
        import os, sys
        file = os.open(sys.argv[1], os.O_RDWR)
        for turn in range(20):
            for port in range(int(sys.argv[2]), 1024, int(sys.argv[3])):
                os.write(file, b"%d" % port)
                if turn % 2 == 0:
                    os.write(file, b"-%d" % port)
            seen = {int(line) for line in open(sys.argv[1])}
            assert all(port % 2 == int(sys.argv[2]) % 2 for port in seen), seen"""
    with Bare() as box:
        def words(first):
            return ["python3", "-I", "-c", program, str(FILE), str(first), "4"]

        running = [box.start(*words(1)), box.start(*words(3)),
                   subprocess.Popen(words(2)), subprocess.Popen(words(4))]
        for process in running:
            assert process.wait(120 * SCALE) == 0
        assert box.read(FILE).split() == [str(port) for port in range(1, 1024, 2)]
        assert FILE.read_text().split() == [str(port) for port in range(2, 1024, 2)]


@pytest.mark.storm
@pytest.mark.limit(180)
def test_networks_come_and_go(nonpriv_netbind):
    """While the module does: each new one is empty, and nothing is left of the old ones."""
    stop = threading.Event()
    failures = []

    def networks():
        while not stop.is_set():
            done = subprocess.run(
                ["unshare", "--net", "sh", "-c", f"cat {FILE}; echo 80 >{FILE}; echo 90 >{FILE}; cat {FILE}"],
                capture_output=True, text=True, timeout=60 * SCALE, check=False)
            if done.stdout not in ("", "80\n90\n", "90\n", "80\n"):
                failures.append(done.stdout)

    threads = [threading.Thread(target=networks) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        nonpriv_netbind.clean_up()
        nonpriv_netbind.load()
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
