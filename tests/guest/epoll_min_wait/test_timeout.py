# SPDX-License-Identifier: GPL-2.0
"""How long epoll_wait(2) and its relatives wait."""

import ctypes
import os
import pathlib
import re
import select
import subprocess
import sys
import threading
import time

import pytest
from boxes import Bare, assert_container_cant_write
from target import SCALE
from writes import sysctl_storm, write

FILE = pathlib.Path("/proc/sys/kernel/min_epoll_wait_time")
FLOOR = 0.3
NOBODY = 65534
SYS_EPOLL_PWAIT2 = 441
CLOCK_MONOTONIC_COARSE = 6

libc = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    """struct __kernel_timespec."""

    _fields_ = [("sec", ctypes.c_int64), ("nsec", ctypes.c_int64)]


def epoll_wait(epoll, timeout):
    """Timeout in seconds."""
    return len(epoll.poll(timeout))


def epoll_pwait(epoll, timeout):
    """The same with a signal mask."""
    events = ctypes.create_string_buffer(12 * 8)
    mask = ctypes.c_uint64(0)
    return libc.syscall(ctypes.c_long(281), epoll.fileno(), events, 8, ctypes.c_int(int(timeout * 1000)),
                        ctypes.byref(mask), ctypes.c_size_t(8))


def epoll_pwait2(epoll, timeout):
    """The same with a timespec."""
    events = ctypes.create_string_buffer(12 * 8)
    time_ = Timespec(int(timeout), int(timeout % 1 * 1e9)) if timeout >= 0 else None
    return libc.syscall(ctypes.c_long(SYS_EPOLL_PWAIT2), epoll.fileno(), events, 8,
                        ctypes.byref(time_) if time_ else None, None, ctypes.c_size_t(8))


CALLS = [epoll_wait, epoll_pwait, epoll_pwait2]


@pytest.fixture
def epoll():
    """One with a pipe that nobody writes to, and the pipe's other end."""
    ends = os.pipe()
    with select.epoll() as it:
        it.register(ends[0], select.EPOLLIN)
        yield it, ends[1]
    os.close(ends[0])
    os.close(ends[1])


def timed(call, *args):
    """How long it takes, and what it gives."""
    begin = time.monotonic()
    result = call(*args)
    return time.monotonic() - begin, result


def test_floor_is_one_tick_at_first(epoll_min_wait):
    """Which is 4 ms at 250 Hz."""
    # Its resolution is a tick.
    tick_ms = round(time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1000)
    assert int(FILE.read_text()) == max(1, tick_ms)


@pytest.mark.parametrize("call", CALLS)
def test_short_timeout_is_raised(epoll_min_wait, epoll, call):
    """To the floor; longer ones aren't, and 0 doesn't wait."""
    it, _ = epoll
    FILE.write_text(str(int(FLOOR * 1000)))
    for timeout in (0.001, 0.05):
        took, events = timed(call, it, timeout)
        assert events == 0
        assert FLOOR <= took < FLOOR + 0.5 * SCALE, timeout
    took, _ = timed(call, it, 0)
    assert took < FLOOR
    took, _ = timed(call, it, FLOOR + 0.4)
    assert FLOOR + 0.4 <= took < FLOOR + 0.9 * SCALE
    for off in ("0", "-1"):
        FILE.write_text(off)
        took, _ = timed(call, it, 0.001)
        assert took < FLOOR


def test_nanoseconds_are_raised_too(epoll_min_wait, epoll):
    """A timespec can say less than a millisecond."""
    it, _ = epoll
    FILE.write_text("300")
    took, _ = timed(epoll_pwait2, it, 2e-9)
    assert took >= FLOOR


@pytest.mark.parametrize("call", CALLS)
def test_event_ends_the_wait_at_once(epoll_min_wait, epoll, call):
    """Whatever the floor."""
    it, end = epoll
    FILE.write_text("20000")
    waker = threading.Timer(0.2, lambda: os.write(end, b"x"))
    waker.start()
    took, events = timed(call, it, 0.001)
    waker.join()
    assert events == 1
    assert took < 10
    # And if it is there already.
    assert timed(call, it, 0.001)[0] < 10


@pytest.fixture
def first_on_its_cpu():
    """Whom this thread wakes doesn't run before it sleeps, if it is bound to the same CPU, as those are
    that it starts."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, cpus)


@pytest.mark.parametrize("timeout", [0.001, 2.5 * SCALE])
def test_wake_ups_for_nothing_dont_lengthen_the_wait(epoll_min_wait, epoll, first_on_its_cpu, timeout):
    """Others take the events before the waiter gets them, and it sleeps on."""
    it, end = epoll
    reader = it_reader(it)
    floor = 2 * SCALE
    FILE.write_text(str(int(floor * 1000)))
    results = []

    def wait():
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        results.append(timed(epoll_pwait, it, timeout))

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.1)
    sleeps = []
    for _ in range(8):
        os.write(end, b"x")
        os.read(reader, 1)
        time.sleep(0.02)
        sleeps.append(voluntary_switches(waiter))
    waiter.join()
    (took, events), = results
    assert events == 0
    assert sleeps[-1] - sleeps[0] >= 5, sleeps
    assert max(timeout, floor) <= took < max(timeout, floor) + SCALE


def voluntary_switches(thread):
    """How often it has gone to sleep."""
    status = pathlib.Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))


@pytest.mark.parametrize("call", CALLS)
def test_infinite_stays_infinite(epoll_min_wait, epoll, call):
    """Until the event."""
    it, end = epoll
    FILE.write_text("1")
    waker = threading.Timer(0.5, lambda: os.write(end, b"x"))
    waker.start()
    took, events = timed(call, it, -1)
    waker.join()
    assert events == 1 and took > 0.3


def test_bad_arguments_stay_errors(epoll_min_wait, epoll):
    """EBADF, EINVAL, EFAULT, and none of them waits for the floor."""
    it, _ = epoll
    FILE.write_text("20000")
    begin = time.monotonic()
    events = ctypes.create_string_buffer(96)
    for args, error in (((-1, events, 8, 1), 9), ((it.fileno(), events, 0, 1), 22),
                        ((0, events, 8, 1), 22)):
        assert libc.epoll_wait(*args) == -1 and ctypes.get_errno() == error, error
    for nsec, sec in ((10 ** 9, 0), (-1, 0), (0, -1)):
        assert libc.syscall(ctypes.c_long(SYS_EPOLL_PWAIT2), it.fileno(), events, 8,
                            ctypes.byref(Timespec(sec, nsec)), None, ctypes.c_size_t(8)) == -1
        assert ctypes.get_errno() == 22, (sec, nsec)
    libc.syscall(ctypes.c_long(SYS_EPOLL_PWAIT2), it.fileno(), events, 8, ctypes.c_void_p(8), None,
                 ctypes.c_size_t(8))
    assert ctypes.get_errno() == 14
    assert time.monotonic() - begin < 10


def test_huge_timeouts_arent_shortened(epoll_min_wait, epoll):
    """Those that don't fit in nanoseconds still wait until the event."""
    it, end = epoll
    events = ctypes.create_string_buffer(96)
    for seconds in (2 ** 33, 2 ** 62):
        waker = threading.Timer(0.3, lambda: os.write(end, b"x"))
        waker.start()
        took, found = timed(libc.syscall, ctypes.c_long(SYS_EPOLL_PWAIT2), it.fileno(), events, 8,
                            ctypes.byref(Timespec(seconds, 5)), None, ctypes.c_size_t(8))
        waker.join()
        assert found == 1 and took > 0.2
        os.read(it_reader(it), 1)


def it_reader(it):
    """The pipe's end that the epoll watches."""
    lines = pathlib.Path(f"/proc/self/fdinfo/{it.fileno()}").read_text()
    return int(re.search(r"tfd:\s+(\d+)", lines).group(1))


def test_strace_sees_what_the_program_asked_for(epoll_min_wait, tmp_path):
    """And how long it took."""
    FILE.write_text("300")
    program = "import select; select.epoll().poll(0.001)"
    log = tmp_path / "log"
    subprocess.run(["strace", "-T", "-e", "trace=epoll_wait,epoll_pwait", "-o", log, sys.executable,
                    "-Ic", program], check=True, timeout=60 * SCALE)
    found = re.search(r"epoll_p?wait\(.*, 1.*\)\s+= 0 <([\d.]+)>", log.read_text())
    assert found, log.read_text()
    assert float(found.group(1)) >= 0.29


COMPAT = """
#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
int main(void)
{
	struct epoll_event event;
	struct timespec a, b, ns = { 0, 1000 };
	int it = epoll_create(1);

	clock_gettime(CLOCK_MONOTONIC, &a);
	epoll_wait(it, &event, 1, 1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%ld ", (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	epoll_pwait2(it, &event, 1, &ns, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%ld\\n", (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
	return 0;
}
"""


@pytest.mark.parametrize("bits", ["-m64", "-m32"])
@pytest.mark.limit(120)
def test_compiled_programs_of_both_sizes(epoll_min_wait, tmp_path, bits):
    """The C library's calls, native and compat."""
    FILE.write_text("300")
    source = tmp_path / "wait.c"
    source.write_text(COMPAT)
    subprocess.run(["gcc", bits, "-O", "-o", tmp_path / "wait", source], check=True, timeout=100 * SCALE)
    output = subprocess.run([tmp_path / "wait"], capture_output=True, text=True, check=True,
                            timeout=60 * SCALE).stdout
    assert all(300 <= int(word) < 2000 * SCALE for word in output.split()), output


def test_containers_root_cant_change_it(epoll_min_wait):
    """podman's has no CAP_SYS_ADMIN; nor has that of a user namespace."""
    assert_container_cant_write(FILE, 9, "epoll")


def test_floor_holds_in_containers(epoll_min_wait):
    """There is one for the machine."""
    FILE.write_text("300")
    with Bare() as box:
        assert box.read(FILE) == "300\n"
        program = ("import select, time; a = time.monotonic(); select.epoll().poll(0.001);"
                   "print(time.monotonic() - a)")
        assert float(box.run("python3", "-Ic", program)) >= FLOOR


@pytest.mark.parametrize("text", [b"60001", b"2147483648", b"-2147483649", b"x", b"1.5", b"", b"\n"])
def test_what_is_refused_stores_nothing(epoll_min_wait, text):
    """EINVAL; an empty write works and does nothing, as everywhere in /proc/sys."""
    FILE.write_text("7")
    assert write(FILE, text) == (-22 if text else 0)
    assert FILE.read_text() == "7\n"


@pytest.mark.limit(300)
def test_10000_random_writes(epoll_min_wait):
    """What is stored is what was written."""
    try:
        sysctl_storm(FILE, -2 ** 31, 60_000)
    finally:
        FILE.write_text("0")


def test_unloaded_module_raises_nothing(epoll_min_wait, epoll):
    """Also for who waits while it is unloaded."""
    it, _ = epoll
    FILE.write_text("1000")
    results = []
    waiter = threading.Thread(target=lambda: results.append(timed(epoll_wait, it, 0.001)[0]))
    waiter.start()
    time.sleep(0.2)
    epoll_min_wait.unload()
    assert not FILE.exists()
    waiter.join()
    assert results[0] >= 1
    assert timed(epoll_wait, it, 0.001)[0] < 0.5
