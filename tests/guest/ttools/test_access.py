# SPDX-License-Identifier: GPL-2.0
"""Ways into a process other than ptrace(2), tried by root."""

import errno
import os
import stat

import linux
import pytest
import target as targets

PAYLOAD = b"overwritten"


def read_file(path):
    """The start of a file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


class Victim:
    """A target, and what an attacker wants of it."""

    def __init__(self, target):
        self.target = target
        self.pid = target.pid
        self.secret = target.secret()
        self.page = self.secret & ~4095
        self.fd = target.open("/etc/passwd")

    def proc(self, name):
        """Path below its directory in /proc."""
        return f"/proc/{self.pid}/{name}"

    def with_pidfd(self, call):
        """Calls with a pidfd of it."""
        pidfd = linux.pidfd_open(self.pid)
        try:
            return call(pidfd)
        finally:
            os.close(pidfd)

    def read_mem(self):
        """/proc/PID/mem"""
        with open(self.proc("mem"), "rb", buffering=0) as mem:
            mem.seek(self.secret)
            assert mem.read(8) == targets.SECRET[:8]

    def write_mem(self):
        """/proc/PID/mem"""
        with open(self.proc("mem"), "r+b", buffering=0) as mem:
            mem.seek(self.secret)
            mem.write(targets.SECRET[:8])


ATTEMPTS = {
    "process_vm_readv": (errno.EPERM, lambda v: linux.process_vm_readv(v.pid, v.secret, 16)),
    "process_vm_writev": (
        errno.EPERM, lambda v: linux.process_vm_writev(v.pid, v.secret, targets.SECRET[:4])),
    "pidfd_getfd": (
        errno.EPERM, lambda v: os.close(v.with_pidfd(lambda p: linux.pidfd_getfd(p, v.fd)))),
    "kcmp": (errno.EPERM, lambda v: linux.kcmp(os.getpid(), v.pid)),
    "perf_event_open": (errno.EACCES, lambda v: os.close(linux.perf_event_open(v.pid))),
    "process_madvise": (
        errno.EACCES, lambda v: v.with_pidfd(lambda p: linux.process_madvise(p, v.page, 4096))),
    "get_robust_list": (errno.EPERM, lambda v: linux.get_robust_list(v.pid)),
    "move_pages": (errno.EPERM, lambda v: linux.move_pages(v.pid, v.page)),
    "mem read": (errno.EACCES, Victim.read_mem),
    "mem write": (errno.EACCES, Victim.write_mem),
    "task mem": (errno.EACCES, lambda v: read_file(v.proc(f"task/{v.pid}/maps"))),
    "environ": (errno.EACCES, lambda v: read_file(v.proc("environ"))),
    "maps": (errno.EACCES, lambda v: read_file(v.proc("maps"))),
    "smaps": (errno.EACCES, lambda v: read_file(v.proc("smaps"))),
    "smaps_rollup": (errno.EACCES, lambda v: read_file(v.proc("smaps_rollup"))),
    "numa_maps": (errno.EACCES, lambda v: read_file(v.proc("numa_maps"))),
    "pagemap": (errno.EACCES, lambda v: read_file(v.proc("pagemap"))),
    "auxv": (errno.EACCES, lambda v: read_file(v.proc("auxv"))),
    "map_files": (errno.EACCES, lambda v: os.listdir(v.proc("map_files"))),
    "syscall": (errno.EPERM, lambda v: read_file(v.proc("syscall"))),
    "stack": (errno.EPERM, lambda v: read_file(v.proc("stack"))),
    "personality": (errno.EPERM, lambda v: read_file(v.proc("personality"))),
    "fd open": (errno.EACCES, lambda v: read_file(v.proc(f"fd/{v.fd}"))),
    "fd O_PATH": (
        errno.EACCES, lambda v: os.close(os.open(v.proc(f"fd/{v.fd}"), os.O_PATH))),
    "fd stat": (errno.EACCES, lambda v: os.stat(v.proc(f"fd/{v.fd}"))),
    "task fd open": (errno.EACCES, lambda v: read_file(v.proc(f"task/{v.pid}/fd/{v.fd}"))),
}
# Not in every kernel configuration.
OPTIONAL = {"stack", "numa_maps", "smaps_rollup", "move_pages"}


@pytest.mark.parametrize("attempt", sorted(ATTEMPTS))
def test_access_is_refused_while_protected_only(target, attempt):
    """It works before, is refused with the kernel's own errno, and works afterwards."""
    refusal, call = ATTEMPTS[attempt]
    victim = Victim(target)

    before = linux.errno_of(call, victim)
    if before in (errno.ENOENT, errno.ENOSYS) and attempt in OPTIONAL:
        pytest.skip(f"this kernel has no {attempt}")
    assert before == 0, targets.name(before)

    target.protect()
    assert targets.name(linux.errno_of(call, victim)) == targets.name(refusal)
    assert target.peek(victim.secret, len(targets.SECRET)) == targets.SECRET

    target.unprotect()
    assert linux.errno_of(call, victim) == 0


@pytest.mark.parametrize(
    "attempt", ["process_vm_readv", "mem read", "environ", "perf_event_open", "fd open"]
)
def test_access_by_the_thread_number_is_refused(target, attempt):
    """Any thread stands for its process."""
    victim = Victim(target)
    victim.pid = target.number("thread")
    call = ATTEMPTS[attempt][1]
    assert linux.errno_of(call, victim) == 0
    target.protect()
    assert linux.errno_of(call, victim) == ATTEMPTS[attempt][0]


def test_refused_write_changes_nothing(protected):
    """Neither of the two ways to write."""
    address = protected.secret()
    assert linux.errno_of(linux.process_vm_writev, protected.pid, address, PAYLOAD) == errno.EPERM
    assert linux.errno_of(open, f"/proc/{protected.pid}/mem", "wb") == errno.EACCES
    assert protected.peek(address, len(targets.SECRET)) == targets.SECRET


def test_access_of_a_mapped_memfd_by_map_files_is_refused(target):
    """A mapping leads to its file, and so to what is in it."""
    address = int(target.ask("map_shared").split()[0])
    path = f"/proc/{target.pid}/map_files/{address:x}-{address + 4096:x}"
    assert read_file(path).startswith(targets.SECRET)
    target.protect()
    # Once with the name known to the kernel, once with one that it has not yet looked up.
    assert linux.errno_of(read_file, path) in (errno.EACCES, errno.ENOENT)
    later = int(target.ask("map_shared").split()[0])
    path = f"/proc/{target.pid}/map_files/{later:x}-{later + 4096:x}"
    assert linux.errno_of(read_file, path) in (errno.EACCES, errno.ENOENT)


def test_same_user_is_refused(ttools, spawn):
    """A user's own processes are the usual case."""
    target = spawn(uid=1000)
    attacker = spawn(uid=1000)
    address = target.secret()
    mem = f"/proc/{target.pid}/mem"

    assert attacker.vm_read(target.pid, address, 8) == targets.SECRET[:8]
    assert attacker.open_errno(mem) == 0
    target.protect()
    assert attacker.vm_read_errno(target.pid, address) == errno.EPERM
    assert attacker.open_errno(mem) == errno.EACCES
    assert attacker.open_errno(f"/proc/{target.pid}/environ") == errno.EACCES
    assert attacker.ptrace("ATTACH", target.pid) == errno.EPERM


def test_process_has_access_to_itself(protected):
    """By all the ways that others are refused."""
    me, address = protected.pid, protected.secret()
    assert protected.vm_read(me, address, 8) == targets.SECRET[:8]
    for name in ("mem", "maps", "environ", "auxv", "pagemap", "smaps"):
        assert protected.open_errno(f"/proc/self/{name}") == 0, name
        assert protected.open_errno(f"/proc/{me}/{name}") == 0, name
    fd = protected.open("/etc/passwd")
    assert protected.open_errno(f"/proc/self/fd/{fd}") == 0
    # pidfd_getfd(2), kcmp(2)
    assert protected.errno("syscall", 438, protected.pidfd(me), fd, 0) == 0
    assert protected.errno("syscall", 312, me, me, linux.KCMP_VM, 0, 0) == 0


def test_thread_has_access_to_its_process(protected):
    """Threads are not others; /proc/thread-self is how a thread names itself."""
    tid = protected.number("thread")
    assert protected.open_errno(f"/proc/{tid}/mem") == 0
    assert protected.open_errno(f"/proc/self/task/{tid}/environ") == 0
    assert protected.vm_read_errno(tid, protected.secret()) == 0


def test_protected_process_has_access_to_others(protected, spawn):
    """Protection says nothing about what the process does to others."""
    other = spawn()
    assert protected.vm_read(other.pid, other.secret(), 8) == targets.SECRET[:8]
    assert protected.open_errno(f"/proc/{other.pid}/mem") == 0


def test_protected_process_is_refused_another_protected_one(protected, spawn):
    """Two protected processes are others to each other."""
    other = spawn()
    other.protect()
    assert protected.vm_read_errno(other.pid, other.secret()) == errno.EPERM
    assert other.vm_read_errno(protected.pid, protected.secret()) == errno.EPERM


@pytest.mark.parametrize("link", ["exe", "cwd", "root", "ns/mnt", "ns/pid", "fd/0", "fd/1"])
def test_link_can_be_read(protected, link):
    """Where the links lead is for lsof(8) and container runtimes to see."""
    assert os.readlink(f"/proc/{protected.pid}/{link}")


@pytest.mark.parametrize(
    "name",
    ["status", "stat", "statm", "cmdline", "comm", "cgroup", "io", "limits", "mountinfo",
     "oom_score", "sched", "schedstat", "wchan", "uid_map", "loginuid", "task", "fd", "fdinfo",
     "fdinfo/0"],
)
def test_what_tells_of_a_process_can_be_read(target, name):
    """ps(1), top(1) and monitoring work on; files that the kernel lacks aren't tried."""
    path = f"/proc/{target.pid}/{name}"
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no /proc/PID/{name}")
    read = os.listdir if stat.S_ISDIR(os.stat(path).st_mode) else read_file
    before = read(path)
    target.protect()
    after = read(path)
    assert bool(after) == bool(before)


def test_signals_and_priorities_work(protected):
    """Root can still end, stop and renice the process."""
    os.kill(protected.pid, 0)
    os.setpriority(os.PRIO_PROCESS, protected.pid, 5)
    assert os.getpriority(os.PRIO_PROCESS, protected.pid) == 5
    os.sched_setaffinity(protected.pid, os.sched_getaffinity(protected.pid))
    protected.kill()
