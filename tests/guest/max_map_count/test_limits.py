# SPDX-License-Identifier: GPL-2.0
"""vm.max_map_count of each pid namespace."""

import contextlib
import errno
import os
import pathlib
import random
import subprocess
import sys
import threading
import traceback

import pytest
from boxes import Bare, Box, assert_container_cant_write, outcome
from target import SCALE, wait_until
from writes import sysctl_storm, write

FILE = pathlib.Path("/proc/sys/vm/max_map_count")
SWITCH = pathlib.Path("/proc/sys/kernel/isolate_max_map_count")
SLABS = pathlib.Path("/proc/slabinfo")

# Mappings that can't be merged, until there are too many or `argv[1]`; prints how many there are.
MAPPER = """if 1:
    import mmap, sys
    kept = []
    try:
        while len(kept) < int(sys.argv[1]):
            kept.append(mmap.mmap(-1, 4096, prot=(mmap.PROT_READ, mmap.PROT_WRITE)[len(kept) % 2]))
    except OSError as error:
        import errno
        assert error.errno == errno.ENOMEM, error
    print(len(kept))"""


@pytest.fixture(autouse=True)
def native(max_map_count):
    """The number before the test, which it is again afterwards."""
    before = int(FILE.read_text())
    yield before
    FILE.write_text(str(before))


@pytest.fixture
def boxes():
    """Two containers."""
    with Bare() as one, Bare() as two:
        yield one, two


def shown(box):
    """The number that a container sees."""
    return int(box.read(str(FILE)))


def set_in(box, number):
    """Writes it there. The outcome's status."""
    status, _ = outcome(box, "sh", "-c", f"echo {number} > {FILE}")
    return status


def mapped(box, wanted):
    """How many mappings a program there gets of those it wants."""
    status, text = outcome(box, sys.executable, "-Ic", MAPPER, wanted)
    assert status == 0, text
    return int(text)


def mapped_here(wanted):
    """The same without a container."""
    done = subprocess.run([sys.executable, "-Ic", MAPPER, str(wanted)], capture_output=True, text=True,
                          check=True, timeout=60 * SCALE)
    return int(done.stdout)


def test_nothing_changes_until_somebody_writes(native, boxes):
    """A namespace has what is around it."""
    assert SWITCH.read_text() == "1\n"
    assert shown(boxes[0]) == native
    FILE.write_text(str(native + 10))
    assert [shown(box) for box in boxes] == [native + 10] * 2
    FILE.write_text("4000")
    assert [shown(box) for box in boxes] == [4000] * 2
    assert mapped(boxes[0], 5000) < 4000


def test_each_has_its_own(native, boxes):
    """Neither the host nor a sibling sees it."""
    one, two = boxes
    assert set_in(one, 500) == 0
    assert set_in(two, 700) == 0
    assert (shown(one), shown(two), int(FILE.read_text())) == (500, 700, native)
    # What the interpreter has mapped counts too.
    first, second = mapped(one, 2000), mapped(two, 2000)
    assert 200 < first < 500 and 400 < second < 700
    assert abs(second - first - 200) < 20
    assert mapped_here(2000) == 2000


def test_all_ways_to_a_mapping_count(native, boxes):
    """mmap(2), and what splits one: mprotect(2), munmap(2), madvise(2); mremap(2), brk(2)."""
    one, _ = boxes
    assert set_in(one, 300) == 0
    script = """if 1:
        import ctypes, errno, mmap
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = libc.mremap.restype = libc.sbrk.restype = ctypes.c_void_p
        size, page = 2000 * 4096, 4096
        def new():
            return libc.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, 0)
        area, spare = new(), new()
        def count():
            return len(open("/proc/self/maps").readlines())
        # One page in two is made different.
        failed = None
        for number in range(0, 2000, 2):
            if libc.mprotect(ctypes.c_void_p(area + number * page), ctypes.c_size_t(page), 1):
                failed = ctypes.get_errno()
                break
        assert failed == errno.ENOMEM, failed
        assert 295 <= count() <= 301, count()
        def fails(call, *args, why=errno.ENOMEM):
            return call(*args) and ctypes.get_errno() == why
        middle = ctypes.c_void_p(spare + 100 * page)
        one = ctypes.c_size_t(page)
        while not libc.mprotect(ctypes.c_void_p(spare + (count() % 900 + 3) * 2 * page), one, 1):
            pass
        assert fails(libc.munmap, middle, one)
        # MADV_DONTFORK splits; the kernel says it in its own way.
        assert fails(libc.madvise, middle, one, 10, why=errno.EAGAIN)
        assert libc.mremap(middle, one, one, 3, ctypes.c_void_p(spare - size)) == ctypes.c_void_p(-1).value
        assert ctypes.get_errno() == errno.ENOMEM
        # One more than the limit is allowed there, and what is like its neighbour is none.
        new = [libc.mmap(None, one, 1 + number % 2, 0x22, -1, 0) for number in range(6)]
        assert new[-2:] == [ctypes.c_void_p(-1).value] * 2, new
        print("done")"""
    status, text = outcome(one, sys.executable, "-Ic", script)
    assert (status, text) == (0, "done\n"), text


def test_no_more_than_what_is_around(native, boxes):
    """Neither when it is written nor when that is lowered later."""
    one, _ = boxes
    assert set_in(one, native + 1) != 0
    assert shown(one) == native
    assert set_in(one, 3000) == 0
    nested = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c"]
    status, text = outcome(one, *nested, f"cat {FILE}; echo 2000 > {FILE} && cat {FILE}; "
                                         f"echo 3001 | tee {FILE} > /dev/null; cat {FILE}")
    assert status == 0
    lines = text.splitlines()
    assert lines[:2] == ["3000", "2000"] and "Invalid argument" in lines[2] and lines[3] == "2000"
    # The namespace around isn't changed by that.
    assert shown(one) == 3000
    FILE.write_text("1000")
    assert shown(one) == 1000
    assert mapped(one, 2000) < 1000
    FILE.write_text(str(native))
    assert shown(one) == 3000


def test_innermost_namespace_counts(boxes):
    """Of several; and one whose own number is less than that of the one in it."""
    one, _ = boxes
    assert set_in(one, 900) == 0
    script = (f"echo 800 > {FILE}; unshare --pid --fork --mount-proc sh -c "
              f"'echo 700 > {FILE}; cat {FILE}; nsenter --help > /dev/null'; cat {FILE}")
    status, text = outcome(one, "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script)
    assert (status, text) == (0, "700\n800\n")
    assert shown(one) == 900


def test_switched_off_there_is_one_number(native, boxes):
    """Then a container's write is the machine's, as without the module."""
    one, two = boxes
    assert set_in(one, 600) == 0
    SWITCH.write_text("0")
    assert shown(one) == shown(two) == native
    assert mapped(one, 1000) == 1000
    assert set_in(two, native - 1) == 0
    assert int(FILE.read_text()) == native - 1
    SWITCH.write_text("1")
    assert (shown(one), shown(two)) == (600, native - 1)


@pytest.mark.limit(120)
def test_containers_root_cant_write():
    """podman's, and that of a user namespace: it takes CAP_SYS_ADMIN over the machine."""
    with Box("max-map-count", "--security-opt=unmask=ALL") as box:
        before = int(box.read(str(FILE)))
        status, text = outcome(box, "sh", "-c", f"echo 500 | tee {FILE} > /dev/null")
        assert status and ("not permitted" in text or "Read-only" in text or "denied" in text), text
        assert int(box.read(str(FILE))) == before
    # Of a privileged one the administrator has decided so.
    with Box("max-map-count-2", "--privileged") as box:
        assert outcome(box, "sh", "-c", f"echo 500 > {FILE}")[0] == 0
        assert int(box.read(str(FILE))) == 500
    assert_container_cant_write(SWITCH, 0, "max-map-count-3")


@pytest.mark.parametrize("data, result", [
    (b"65530", 5), (b"0", 1), (b" 7\n", 3), (b"-1", -errno.EINVAL), (b"x", -errno.EINVAL),
    (b"2147483648", -errno.EINVAL), (b"", 0), (b"65531", -errno.EINVAL), (b"12 13", 3)])
def test_writes_in_a_container(native, data, result):
    """As to the kernel's own file, but no more than what is around."""
    def check():
        before = FILE.read_text()
        assert write(FILE, data) == result
        stored = data.split()[0].decode() + "\n" if result > 0 else before
        assert FILE.read_text() == stored
        # At an offset nothing is stored, as in all such files.
        assert write(FILE, b"9", offset=1) == 1
        assert FILE.read_text() == stored

    FILE.write_text("65530")
    in_new_namespace(check)


@pytest.mark.limit(300)
@pytest.mark.parametrize("path", [FILE, SWITCH], ids=["vm.max_map_count", "kernel.isolate_max_map_count"])
def test_10000_random_writes(native, path):
    """What is stored is what was written. The first in a container."""
    if path == SWITCH:
        sysctl_storm(path, 0, 1)
        SWITCH.write_text("1")
    else:
        FILE.write_text("65530")
        in_new_namespace(lambda: sysctl_storm(path, 0, 65530))
        # Not less than what this process has mapped: it goes on.
        assert int(FILE.read_text()) == 65530


def in_new_namespace(check):
    """Runs a function as the first process of a new pid namespace."""
    middle = os.fork()
    if not middle:
        status = 1
        with contextlib.suppress(BaseException):
            os.unshare(os.CLONE_NEWPID)
            child = os.fork()
            if not child:
                status = 2
                try:
                    check()
                    status = 0
                except BaseException:  # pylint: disable=broad-exception-caught
                    traceback.print_exc()
                sys.stderr.flush()
                os._exit(status)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(middle, 0)[1]) == 0


def test_two_dont_see_each_others(native, boxes):
    """The original changed one table for all while it was read."""
    loop = """if 1:
        import random, sys
        base = int(sys.argv[1])
        for turn in range(3000):
            number = base + random.randrange(100)
            with open("/proc/sys/vm/max_map_count", "r+") as file:
                file.write(str(number))
            with open("/proc/sys/vm/max_map_count") as file:
                assert int(file.read()) == number
        print("done")"""
    results = {}

    def run(box, base):
        results[base] = outcome(box, sys.executable, "-Ic", loop, base)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(boxes, (10_000, 20_000))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert int(FILE.read_text()) == native
    for thread in threads:
        thread.join()
    assert list(results.values()) == [(0, "done\n")] * 2


def test_unloaded_all_have_the_machines(max_map_count, native, boxes):
    """And loaded again, too."""
    one, _ = boxes
    assert set_in(one, 500) == 0
    max_map_count.unload()
    assert not SWITCH.exists()
    assert shown(one) == native
    assert mapped(one, 1000) == 1000
    max_map_count.load()
    assert shown(one) == native


@pytest.mark.limit(300)
def test_numbers_go_with_their_namespaces():
    """Of four hundred nothing is left."""
    def used():
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return sum(int(line.split()[1]) for line in SLABS.read_text().splitlines()
                   if line.startswith(("kmalloc-64 ", "kmalloc-rnd")) and "-64 " in line)

    def come_and_go(count):
        script = f"for i in $(seq {count}); do unshare --pid --fork sh -c 'echo 500 > {FILE}'; done"
        subprocess.run(["sh", "-ec", script], check=True, timeout=240 * SCALE)

    come_and_go(50)
    before = used()
    come_and_go(400)
    # A work item of the kernel frees them.
    wait_until(lambda: used() < before + 200, "the numbers of namespaces that are gone")


@pytest.mark.storm
@pytest.mark.limit(240)
def test_comes_and_goes_while_processes_map(max_map_count):
    """And while containers that have a number come and go."""
    script = """if 1:
        import mmap, random, subprocess, sys
        for turn in range(int(sys.argv[1])):
            kept = [mmap.mmap(-1, 8192, prot=1 + number % 2) for number in range(300)]
            subprocess.run(["unshare", "--pid", "--fork", "sh", "-c",
                            "echo 5000 > /proc/sys/vm/max_map_count; cat /proc/sys/vm/max_map_count"],
                           stdout=subprocess.DEVNULL, check=True)
        print("done")"""
    workers = [subprocess.Popen([sys.executable, "-Ic", script, "30"], stdout=subprocess.PIPE, text=True)
               for _ in range(2)]
    generator = random.Random(3)
    rounds = 0
    while any(worker.poll() is None for worker in workers):
        max_map_count.clean_up()
        max_map_count.load()
        SWITCH.write_text(str(generator.randrange(2)))
        rounds += 1
    for worker in workers:
        assert worker.stdout.read() == "done\n"
        worker.stdout.close()
    assert rounds >= 5
