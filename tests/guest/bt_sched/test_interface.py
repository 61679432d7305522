# SPDX-License-Identifier: GPL-2.0
"""Entering and leaving the class, by whom, and what others see of who is in it."""

import errno
import mmap
import os
import pathlib
import re
import subprocess

import bt
import linux
import pytest
from bt import POLICY, Batch, Stat
from bt_group import Group
from disks import scratch_disk
from target import wait_until

USER = 65534
TRACING = pathlib.Path("/sys/kernel/tracing")
OTHER_POLICIES = {"normal": (bt.NORMAL, 0), "batch": (bt.BATCH, 0), "idle": (bt.IDLE, 0),
                  "fifo": (bt.FIFO, 5), "rr": (bt.RR, 5)}


@pytest.fixture
def sleeper():
    """A process that mostly sleeps."""
    with Batch("sleep", 10000) as process:
        yield process


def test_policy_is_unknown_without_the_module(bt_module, sleeper):
    """As on any kernel without the class."""
    assert bt.enter_errno(sleeper.pid) == bt.EINVAL
    assert bt.policy(sleeper.pid) == bt.NORMAL
    bt_module.load()
    assert bt.enter_errno(sleeper.pid) == 0
    assert bt.policy(sleeper.pid) == POLICY
    bt_module.unload()
    assert bt.policy(sleeper.pid) == bt.NORMAL
    assert bt.enter_errno(sleeper.pid) == bt.EINVAL


def test_entering_and_leaving(sched, sleeper):
    """By sched_setscheduler(2)."""
    bt.enter(sleeper.pid)
    assert bt.policy(sleeper.pid) == POLICY
    assert Stat(sleeper.pid).policy == POLICY
    bt.leave(sleeper.pid)
    assert bt.policy(sleeper.pid) == bt.NORMAL
    assert Stat(sleeper.pid).priority == 20


@pytest.mark.parametrize("running", [False, True], ids=["sleeps", "runs"])
@pytest.mark.parametrize("name", OTHER_POLICIES)
def test_from_and_to_each_other_class(sched, name, running):
    """Whether the process runs or sleeps; it goes on in the end."""
    policy, priority = OTHER_POLICIES[name]
    with Batch(*(("burn",) if running else ("sleep", 1000))) as process:
        for _ in range(3):
            bt.set_policy(process.pid, policy, priority)
            assert bt.policy(process.pid) == policy
            bt.enter(process.pid)
            assert bt.policy(process.pid) == POLICY
            assert Stat(process.pid).priority == 60
        bt.set_policy(process.pid, policy, priority)
        assert bt.policy(process.pid) == policy
        before = process.time()
        wait_until(lambda: process.time() > before, "the process's going on")


def test_from_and_to_deadline(sched, sleeper):
    """Which has no priority, but a bandwidth that is to be given back."""
    for _ in range(3):
        bt.setattr_(sleeper.pid, bt.DEADLINE, deadline=(1000000, 10000000, 10000000))
        assert bt.policy(sleeper.pid) == bt.DEADLINE
        bt.enter(sleeper.pid)
        assert bt.policy(sleeper.pid) == POLICY


@pytest.mark.parametrize("priority", [1, 50, 99, -1, 100])
def test_priority_has_to_be_0(sched, sleeper, priority):
    """As of other classes that aren't real-time."""
    assert linux.errno_of(bt.set_policy, sleeper.pid, POLICY, priority) == bt.EINVAL
    assert bt.policy(sleeper.pid) == bt.NORMAL


def test_setattr(sched, sleeper):
    """Its nice value is not the one that counts, going in; going out it is, as ever."""
    os.setpriority(os.PRIO_PROCESS, sleeper.pid, 3)
    bt.setattr_(sleeper.pid, POLICY, nice=10)
    assert bt.policy(sleeper.pid) == POLICY
    assert Stat(sleeper.pid).nice == 3
    policy, _, nice, priority = bt.getattr_(sleeper.pid)
    assert (policy, priority) == (POLICY, 0)
    # Only the classes of fair scheduling say it here.
    assert nice in (0, 3)
    assert linux.errno_of(bt.setattr_, sleeper.pid, POLICY, priority=1) == bt.EINVAL
    bt.setattr_(sleeper.pid, bt.NORMAL, nice=7)
    assert (bt.policy(sleeper.pid), Stat(sleeper.pid).nice) == (bt.NORMAL, 7)


def test_it_has_no_range_of_priorities(sched):
    """In TencentOS it hasn't either; but 7 has, whether or not the kernel has sched_ext."""
    for call in os.sched_get_priority_min, os.sched_get_priority_max:
        if POLICY == 7:
            assert call(POLICY) == 0
        else:
            assert linux.errno_of(call, POLICY) == bt.EINVAL
    # And those of the others are as ever.
    assert (os.sched_get_priority_min(bt.RR), os.sched_get_priority_max(bt.RR)) == (1, 99)
    assert os.sched_get_priority_max(bt.IDLE) == 0


@pytest.mark.parametrize("policy", [4, 9, 10, 100, -2, POLICY | 0x100])
def test_other_numbers_stay_unknown(sched, sleeper, policy):
    """4 is reserved."""
    assert linux.errno_of(bt.set_policy, sleeper.pid, policy) == bt.EINVAL


@pytest.mark.parametrize("nice", [-20, -5, 0, 5, 19])
def test_priority_that_tools_show(sched, sleeper, nice):
    """PR is 60 + NI."""
    os.setpriority(os.PRIO_PROCESS, sleeper.pid, nice)
    bt.enter(sleeper.pid)
    assert (Stat(sleeper.pid).priority, Stat(sleeper.pid).nice) == (60 + nice, nice)
    top = subprocess.run(["top", "-b", "-n", "1", "-p", str(sleeper.pid)], check=True, text=True,
                         capture_output=True).stdout.splitlines()
    columns = next(line for line in top if "PID" in line and "NI" in line).split()
    shown = next(line for line in top if line.split()[:1] == [str(sleeper.pid)]).split()
    row = dict(zip(columns, shown))
    assert (row["PR"], row["NI"]) == (str(60 + nice), str(nice))
    bt.leave(sleeper.pid)
    assert (Stat(sleeper.pid).priority, Stat(sleeper.pid).nice) == (20 + nice, nice)


@pytest.mark.parametrize("work", ["sleep", "burn"])
def test_renice_in_the_class(sched, work):
    """As anybody's."""
    with Batch(work, 1000, policy=POLICY) as process:
        for nice in (0, 19, 3, -7):
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)
            assert (Stat(process.pid).priority, Stat(process.pid).nice) == (60 + nice, nice)
            assert bt.policy(process.pid) == POLICY


def test_chrt_can_start_programs(sched):
    """By number: chrt has a name for 7, since sched_ext has the number elsewhere."""
    if POLICY != 7:
        pytest.skip("this kernel has sched_ext")
    if "--ext" not in subprocess.run(["chrt", "--help"], capture_output=True, text=True,
                                     check=True).stdout:
        pytest.skip("this chrt doesn't know the number")
    found = subprocess.run(["chrt", "--ext", "0", "sh", "-c", "cat /proc/self/stat"], text=True,
                           capture_output=True, check=True).stdout.rsplit(")", 1)[1].split()
    assert (int(found[38]), int(found[15])) == (POLICY, 60)


def test_chrt_shows_it(sched, sleeper):
    """Whatever it calls it, it doesn't fail."""
    bt.enter(sleeper.pid)
    done = subprocess.run(["chrt", "-p", str(sleeper.pid)], text=True, capture_output=True, check=False)
    assert "scheduling priority: 0" in done.stdout, done
    assert "SCHED_OTHER" not in done.stdout


def classes_of_reads(policy, io_class, group=None):
    """The I/O classes of what a process reads from a disk, as the kernel's tracepoint has them."""
    events = TRACING / "events/block/block_rq_issue"
    disk = scratch_disk()

    def read_disk():
        if io_class:
            linux.syscall(bt.SYS_IOPRIO_SET, 1, 0, io_class << 13 | 3)
        bt.set_policy(0, policy)
        if group:
            group.write("cgroup.procs", 0)
        fd = os.open(disk, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, 4096) as buffer:
            for number in range(8):
                os.preadv(fd, [buffer], number << 20)
        return 0

    (TRACING / "trace").write_text("")
    (events / "enable").write_text("1")
    try:
        in_child(read_disk)
    finally:
        (events / "enable").write_text("0")
    # "... R 4096 () SECTOR + 8 CLASS,HINT,LEVEL [PROGRAM]"
    return set(re.findall(r" \+ 8 (\w+(?:-\w+)?),\d+,\d+ \[python3", (TRACING / "trace").read_text()))


def test_io_priority_is_idle_unless_set(sched):
    """As of SCHED_IDLE; ioprio_get(2) shows only what was set."""
    normal = classes_of_reads(bt.NORMAL, 0)
    assert normal and "idle" not in normal
    assert classes_of_reads(bt.IDLE, 0) == {"idle"}
    assert classes_of_reads(POLICY, 0) == {"idle"}
    assert classes_of_reads(POLICY, 2) == normal
    with Group("offline", cpu_offline=1) as group:
        assert classes_of_reads(bt.NORMAL, 0, group) == {"idle"}


def in_child(function):
    """Calls it in a child process that may do with itself what it wants; a number."""
    return bt.as_user(0, function)


def test_children_inherit(sched):
    """And theirs."""

    def family():
        bt.enter()
        os.setpriority(os.PRIO_PROCESS, 0, 4)
        return in_child(lambda: in_child(lambda: 1000 * bt.policy() + Stat(os.getpid()).priority))

    assert in_child(family) == 1000 * POLICY + 64


def test_threads_inherit(sched):
    """The new ones; each has its own policy."""
    with Batch("sleep", 1000, own_policy=POLICY, threads=4) as process:
        assert len(list(pathlib.Path(f"/proc/{process.pid}/task").iterdir())) == 4
        assert bt.all_policies([process]) == {POLICY}
        bt.leave(process.pid)
        assert bt.all_policies([process]) == {POLICY, bt.NORMAL}


def test_exec_keeps_it(sched):
    """In a program of its own, and in one that was started by name."""
    command = ["python3", "-c", f"import os; os.sched_setscheduler(0, {POLICY}, os.sched_param(0)); "
               "os.execvp('cat', ['cat', '/proc/self/stat'])"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(found.rsplit(")", 1)[1].split()[38]) == POLICY


def test_reset_on_fork_does_not_leave_it(sched):
    """It takes away privileges, and this is none; but a nice value below 0 is."""

    def parent():
        os.setpriority(os.PRIO_PROCESS, 0, -5)
        bt.set_policy(0, POLICY | bt.RESET_ON_FORK)
        assert bt.getattr_(0)[1] & 1
        return in_child(lambda: 10000 * bt.policy() + 100 * Stat(os.getpid()).nice +
                        Stat(os.getpid()).priority)

    assert in_child(parent) == 10000 * POLICY + 60


def test_yield_and_interval(sched):
    """Calls that a program may make."""

    def program():
        bt.enter()
        for _ in range(100):
            os.sched_yield()
        return int(os.sched_rr_get_interval(0) >= 0)

    assert in_child(program) == 1


# --- Who may ------------------------------------------------------------------------------------

def test_users_enter_and_leave(sched):
    """Without a capability, in and out."""

    def user():
        for _ in range(3):
            bt.enter()
            assert bt.policy() == POLICY
            bt.leave()
            assert bt.policy() == bt.NORMAL
        bt.enter()
        bt.set_policy(0, bt.BATCH)
        return bt.policy()

    assert bt.as_user(USER, user) == bt.BATCH


def test_users_switch_their_own_processes(sched):
    """And those of nobody else."""
    with Batch("sleep", 1000, user=USER) as mine, Batch("sleep", 1000) as roots, \
            Batch("sleep", 1000, user=USER - 1) as anothers:
        assert bt.as_user(USER, lambda: bt.enter_errno(mine.pid)) == 0
        for process in roots, anothers:
            assert bt.as_user(USER, lambda pid=process.pid: bt.enter_errno(pid)) == bt.EPERM
            assert bt.policy(process.pid) == bt.NORMAL
        bt.enter(anothers.pid)
        assert bt.as_user(USER, lambda: linux.errno_of(bt.leave, anothers.pid)) == bt.EPERM
        assert bt.policy(anothers.pid) == POLICY
        assert bt.as_user(USER, lambda: linux.errno_of(bt.leave, mine.pid)) == 0
        assert bt.policy(mine.pid) == bt.NORMAL


def test_a_privilege_is_not_to_be_had_by_it(sched):
    """Real-time classes and nice values below 0 are refused inside as outside."""

    def user():
        bt.enter()
        assert linux.errno_of(bt.set_policy, 0, bt.FIFO, 1) == bt.EPERM
        assert linux.errno_of(bt.setattr_, 0, bt.NORMAL, nice=-1) == bt.EPERM
        assert linux.errno_of(os.setpriority, os.PRIO_PROCESS, 0, -1) in (bt.EPERM, errno.EACCES)
        return bt.policy()

    assert bt.as_user(USER, user) == POLICY


def test_no_way_round_for_sched_idle(sched):
    """Who may not leave SCHED_IDLE for the class of everybody may not do it by this one."""

    def user():
        bt.set_policy(0, bt.IDLE)
        return 100 * linux.errno_of(bt.leave) + linux.errno_of(bt.enter)

    assert bt.as_user(USER, user) == 100 * bt.EPERM + bt.EPERM


def test_who_is_not_there(sched):
    """ESRCH, as of the other policies."""
    with Batch("sleep", 1000) as process:
        pid = process.pid
    assert bt.enter_errno(pid) == bt.ESRCH
    assert linux.errno_of(bt.set_policy, -1, POLICY) == bt.EINVAL


def kernel_threads():
    """One of each kind: by name, its number."""
    found = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        text = status.read_text()
        if "Kthread:\t1" in text:
            name = re.split(r"[/:]", re.search(r"^Name:\t(.*)$", text, re.MULTILINE).group(1))[0]
            found[name] = int(re.search(r"^Pid:\t(\d+)", text, re.MULTILINE).group(1))
    return found


def test_kernel_threads_stay_out(sched):
    """Others wait for what they do."""
    threads = kernel_threads()
    assert {"kthreadd", "ksoftirqd", "kworker"} <= set(threads)
    for name, pid in threads.items():
        before = linux.errno_of(bt.policy, pid) or bt.policy(pid)
        error = bt.enter_errno(pid)
        # A worker may have just ended; and of the one that stops a CPU nothing is ever changed.
        assert error in ((bt.EINVAL,) if name == "migration" else (bt.EPERM, bt.ESRCH)), name
        if error != bt.ESRCH:
            assert bt.policy(pid) == before, name


def test_init_may(sched):
    """It is a process like others, and comes back."""
    assert bt.enter_errno(1) == 0
    assert bt.policy(1) == POLICY
    bt.leave(1)
    assert bt.policy(1) == bt.NORMAL


@pytest.mark.parametrize("value", ["1", "Y"])
def test_leaving_can_need_a_capability(bt_module, value):
    """Then who was put there stays; in may who could."""
    bt_module.load(leave_needs_cap=value)

    def user():
        bt.enter()
        errors = [linux.errno_of(bt.leave), linux.errno_of(bt.set_policy, 0, bt.IDLE),
                  linux.errno_of(bt.set_policy, 0, bt.BATCH),
                  linux.errno_of(bt.setattr_, 0, bt.NORMAL)]
        assert errors == 4 * [bt.EPERM]
        # To where he is already, he may.
        assert bt.enter_errno() == 0
        return bt.policy()

    assert bt.as_user(USER, user) == POLICY
    with Batch("sleep", 1000, policy=POLICY, user=USER) as process:
        bt.leave(process.pid)
        assert bt.policy(process.pid) == bt.NORMAL


def test_parameters_and_their_errors(bt_module):
    """A wrong one keeps the module out."""
    assert bt_module.insert("leave_needs_cap=2") == bt.EINVAL
    assert bt_module.insert("leave_needs_cap=x") == bt.EINVAL
    assert not bt.left()
    bt_module.load(leave_needs_cap=0)
    assert bt.as_user(USER, lambda: bt.enter() or linux.errno_of(bt.leave)) == 0
