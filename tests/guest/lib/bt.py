# SPDX-License-Identifier: GPL-2.0
"""The scheduling class of bt_sched_shim: its policy, files, and processes to be in it."""

import contextlib
import ctypes
import errno
import os
import pathlib
import signal
import struct
import subprocess
import time

import linux
from linux import syscall
from target import SCALE, helper, wait_until

# 7 is taken where the kernel has sched_ext.
POLICY = 8 if pathlib.Path("/sys/kernel/sched_ext").exists() else 7
NORMAL, FIFO, RR, BATCH, IDLE, DEADLINE = 0, 1, 2, 3, 5, 6
RESET_ON_FORK = 0x40000000

SYSCTLS = pathlib.Path("/proc/sys/kernel")
PERIOD, RUNTIME, FLOOR = "sched_bt_period_us", "sched_bt_runtime_us", "sched_bt_floor_us"
LIFT, GRANULARITY, GUARD = "sched_bt_lift_us", "sched_bt_granularity_ns", "sched_bt_smt_guard"
PSI, CPUFREQ = "sched_bt_psi", "sched_bt_cpufreq"
DEFAULTS = {PERIOD: 1000000, RUNTIME: -1, FLOOR: 0, LIFT: 4000, GRANULARITY: 4000000, GUARD: 0, PSI: 1,
            CPUFREQ: 1}
STAT = pathlib.Path("/proc/bt_stat")
STARVATION = pathlib.Path("/proc/bt_starvation")
PERCENT = pathlib.Path("/proc/offline")
PARAMETERS = pathlib.Path("/sys/module/bt_sched_shim/parameters")

# Linux's weights of nice values, as Documentation/scheduler has them: 1.25 times less for each.
WEIGHTS = {0: 1024, 3: 526, 5: 335, 6: 272, 10: 110, -5: 3121, 19: 15}

SYS_IOPRIO_GET = 252
SYS_SCHED_SETATTR = 314
SYS_SCHED_GETATTR = 315
SYS_MEMBARRIER = 324
SYS_IOPRIO_SET = 251

IOPRIO_CLASSES = {0: "none", 1: "realtime", 2: "best-effort", 3: "idle"}

CPUS = sorted(os.sched_getaffinity(0))


# --- Policies -------------------------------------------------------------------------------------

def set_policy(pid, policy, priority=0):
    """sched_setscheduler(2)."""
    os.sched_setscheduler(pid, policy, os.sched_param(priority))


def enter(pid=0):
    """Into the class."""
    set_policy(pid, POLICY)


def leave(pid=0):
    """To the class of everybody."""
    set_policy(pid, NORMAL)


def enter_errno(pid=0):
    """The errno of it, 0 if it works."""
    return linux.errno_of(enter, pid)


def policy(pid=0):
    """What sched_getscheduler(2) says."""
    return os.sched_getscheduler(pid)


_ATTR = "=IIQiIQQQII"


def setattr_(pid, policy_, nice=0, priority=0, flags=0, deadline=(0, 0, 0)):
    """sched_setattr(2)."""
    size = struct.calcsize(_ATTR)
    syscall(SYS_SCHED_SETATTR, pid, struct.pack(_ATTR, size, policy_, flags, nice, priority, *deadline, 0, 0), 0)


def getattr_(pid):
    """sched_getattr(2): policy, flags, nice value, priority."""
    buffer = bytearray(struct.calcsize(_ATTR))
    syscall(SYS_SCHED_GETATTR, pid, (ctypes.c_char * len(buffer)).from_buffer(buffer), len(buffer), 0)
    _, policy_, flags, nice, priority, *_ = struct.unpack(_ATTR, buffer)
    return policy_, flags, nice, priority


def io_class(pid):
    """The class that ioprio_get(2) says."""
    return IOPRIO_CLASSES[syscall(SYS_IOPRIO_GET, 1, pid) >> 13]


class Stat:
    """/proc/PID/stat."""

    def __init__(self, pid, tid=None):
        path = f"/proc/{pid}/task/{tid}/stat" if tid else f"/proc/{pid}/stat"
        fields = pathlib.Path(path).read_text().rsplit(")", 1)[1].split()
        self.state = fields[0]
        self.priority = int(fields[15])
        self.nice = int(fields[16])
        self.cpu = int(fields[36])
        self.policy = int(fields[38])


def run_time(pid):
    """Nanoseconds that a process has run, up to now."""
    return time.clock_gettime_ns((~pid << 3) | 2)


# --- Processes ------------------------------------------------------------------------------------

class Batch:
    """src/batch.c, running. `policy` is what its threads are put into once they are there, which
    needs no CPU time of theirs then; `own_policy` what it takes itself, and they inherit."""

    # pylint: disable=too-many-arguments
    def __init__(self, *work, policy=None, own_policy=None, nice=None, cpu=None, threads=None,
                 pause_us=None, **options):
        words = [helper("batch")]
        for option, value in (("-p", own_policy), ("-n", nice), ("-c", cpu), ("-t", threads),
                              ("-s", pause_us)):
            if value is not None:
                words += [option, str(value)]
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(words + [str(word) for word in work], stdout=subprocess.PIPE,
                                        stdin=subprocess.PIPE, text=True, **options)
        self.pid = self.process.pid
        self.ready = self.process.stdout.readline()
        assert self.ready.startswith("ready"), f"{words} has ended: {self.process.wait(10)}"
        if policy is not None:
            for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                set_policy(int(task.name), policy, 1 if policy in (FIFO, RR) else 0)

    def time(self):
        """Nanoseconds that it has run."""
        return run_time(self.pid)

    def cpu(self):
        """Where it runs, or did."""
        return Stat(self.pid).cpu

    def stop(self):
        """Lets it end by itself, as a normal process: how often it did what it does."""
        self.leave()
        self.process.terminate()
        output, _ = self.process.communicate(timeout=30 * SCALE)
        assert self.process.returncode == 0, f"{self.process.args} failed"
        return int(output)

    def leave(self):
        """All of its threads, to the class of everybody."""
        for task in pathlib.Path(f"/proc/{self.pid}/task").glob("*"):
            with contextlib.suppress(OSError):
                leave(int(task.name))

    def kill(self):
        """Whatever it does. One that gets no CPU takes for ever to die."""
        if self.process.poll() is None:
            self.leave()
            self.signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(timeout=30 * SCALE)
        self.process.stdin.close()
        self.process.stdout.close()

    def signal(self, number):
        """Sends it a signal."""
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


@contextlib.contextmanager
def batches(count, *work, **options):
    """As many, all doing the same."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Batch(*work, **options)) for _ in range(count)]


@contextlib.contextmanager
def busy_cpus(cpus=None):
    """A process like anybody on each of these CPUs, which never sleeps: BT starves there."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Batch("burn", cpu=cpu)) for cpu in (CPUS if cpus is None else cpus)]


class Measured:
    """What processes run while a block does: `.shares`, of their sum, and `.times` in ns."""

    def __init__(self, *processes):
        self._processes = processes
        self.times, self.elapsed = [], 0

    def __enter__(self):
        self._before = [process.time() for process in self._processes]
        self._start = time.monotonic_ns()
        return self

    def __exit__(self, *_):
        now = time.monotonic_ns()
        after = [process.time() for process in self._processes]
        self.elapsed = now - self._start
        self.times = [new - old for new, old in zip(after, self._before)]

    @property
    def shares(self):
        """Of what all of them ran."""
        return [one / sum(self.times) for one in self.times]

    @property
    def cpus(self):
        """How many CPUs each of them had, on the average."""
        return [one / self.elapsed for one in self.times]


def all_policies(processes):
    """The policies of all threads of these, as a set."""
    found = set()
    for process in processes:
        for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.add(policy(int(task.name)))
    return found


def everybodys_policy():
    """Threads of the whole machine that are in the class."""
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*/task/[0-9]*"):
        with contextlib.suppress(OSError):
            if policy(int(task.name)) == POLICY:
                found.append(int(task.name))
    return found


def as_user(uid, function):
    """Calls it as somebody without capabilities, in a process of its own; its result, a number."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(writer, str(function()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return int(answer)


# --- Files ----------------------------------------------------------------------------------------

def path(name):
    """Of a sysctl."""
    return SYSCTLS / name


def read(name):
    """A sysctl."""
    return int(path(name).read_text())


def write(name, value):
    """One write(2)."""
    fd = os.open(path(name), os.O_WRONLY)
    try:
        os.write(fd, value if isinstance(value, bytes) else str(value).encode())
    finally:
        os.close(fd)


def write_errno(name, value):
    """The errno of it, 0 if it is accepted."""
    return linux.errno_of(write, name, value)


def read_all():
    """All sysctls."""
    return {name: read(name) for name in DEFAULTS}


def left():
    """Whether a file of the module is there."""
    return [str(name) for name in (*map(path, DEFAULTS), STAT, STARVATION, PERCENT) if name.exists()]


def cpu_lines(file=STAT):
    """The lines of CPUs: their numbers by name."""
    found = {}
    for line in file.read_text().splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu"):
            found[name] = [int(number) for number in numbers]
    return found


def starvation():
    """The counters of how long BT waited."""
    return {key: int(value) for key, value in
            (line.split() for line in STARVATION.read_text().splitlines())}


@contextlib.contextmanager
def offline(cpu):
    """A CPU is off while the block runs."""
    state = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/online")
    state.write_text("0")
    try:
        yield
    finally:
        state.write_text("1")
        wait_until(lambda: state.read_text() == "1\n", f"CPU {cpu}'s return")


def spread(processes):
    """How many of these ran on each CPU."""
    where = [process.cpu() for process in processes]
    return {cpu: where.count(cpu) for cpu in set(where)}


EINVAL, EPERM, ESRCH = errno.EINVAL, errno.EPERM, errno.ESRCH
