# SPDX-License-Identifier: GPL-2.0
"""What an administrator sees: counters, and lines in the kernel's log."""

import errno
import os
import re
import stat

import abi
import linux
import pytest


def test_counters_are_there_for_everyone_to_read(ttools):
    """Three files, and they can't be written."""
    for name in ("protected", "refused", "refused_looks"):
        path = abi.SYSFS / name
        assert path.read_text() == "0\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        with pytest.raises(OSError), open(path, "w", encoding="ascii") as file:
            file.write("1")


def test_protected_counts_processes(ttools, spawn):
    """Up, down, and not twice."""
    first, second = spawn(), spawn()
    first.protect()
    assert abi.protected() == 1
    first.ioctl(abi.PROTECT)
    first.ioctl(abi.PROTECT_TREE)
    assert abi.protected() == 1
    second.protect()
    assert abi.protected() == 2
    first.unprotect()
    first.unprotect()
    assert abi.protected() == 1
    second.kill()
    assert abi.protected() == 0


def test_refused_counts_attempts(protected, attacker):
    """Each one; what is allowed doesn't count."""
    attacker.ptrace("ATTACH", protected.pid)
    attacker.ptrace("PEEKDATA", protected.pid)
    attacker.vm_read_errno(protected.pid, protected.secret())
    assert abi.refused() == 3
    attacker.open_errno(f"/proc/{protected.pid}/mem")
    assert abi.refused() == 4
    attacker.open_errno(f"/proc/{protected.pid}/status")
    os.readlink(f"/proc/{protected.pid}/fd/0")
    protected.open_errno("/proc/self/mem")
    assert abi.refused() == 4


@pytest.mark.parametrize(
    "what, attempt",
    [
        ("ptrace", lambda a, t: a.ptrace("ATTACH", t.pid)),
        ("access to the memory or files", lambda a, t: a.vm_read_errno(t.pid, t.secret())),
        ("access to the memory or files", lambda a, t: a.open_errno(f"/proc/{t.pid}/mem")),
        ("access to a file", lambda a, t: a.open_errno(f"/proc/{t.pid}/fd/0")),
        ("inspection", lambda a, t: a.errno("syscall", linux.SYS_KCMP, a.pid, t.pid, 1, 0, 0)),
    ],
    ids=["ptrace", "process_vm_readv", "mem", "fd", "kcmp"],
)
def test_log_names_attacker_and_target(ttools, spawn, kernel_log, what, attempt):
    """`refused WHAT of NAME[PID] by NAME[PID], uid N`"""
    target, attacker = spawn(uid=1000), spawn(uid=1000)
    assert target.errno("comm", b"victim".hex()) == 0
    assert attacker.errno("comm", b"burglar".hex()) == 0
    target.protect()
    assert attempt(attacker, target) != 0
    lines = kernel_log.matching(r"ttools: refused")
    assert lines == [
        f"ttools: refused {what} of victim[{target.pid}] by burglar[{attacker.pid}], uid 1000"
    ]


def test_log_names_processes_not_threads(protected, attacker, kernel_log):
    """The number that the administrator finds in ps(1)."""
    tid = protected.number("thread")
    attacker.ptrace("SEIZE", tid)
    assert kernel_log.matching(rf"of target\[{protected.pid}\] by target\[{attacker.pid}\], uid 0")


def test_log_names_the_user_as_the_machine_knows_it(ttools, spawn, kernel_log):
    """Not by a number of the attacker's own user namespace."""
    attacker = spawn(uid=1000)
    # unshare(CLONE_NEWUSER): without a mapping everybody is 65534 in it.
    assert attacker.errno("syscall", 272, 0x10000000) == 0
    target = attacker.fork()
    assert attacker.vm_read_errno(target.pid, target.secret()) == 0
    target.protect()
    assert attacker.vm_read_errno(target.pid, target.secret()) == errno.EPERM
    assert kernel_log.matching(r"refused .* uid 1000$")


@pytest.mark.parametrize("name", ["environ", "maps", "pagemap"])
def test_look_by_monitoring_is_refused_but_is_no_alarm(protected, attacker, kernel_log, name):
    """ps(1) opens environ of every process: that would fill the log and the counter."""
    assert attacker.open_errno(f"/proc/{protected.pid}/{name}") == errno.EACCES
    assert abi.refused() == 0
    assert (abi.SYSFS / "refused_looks").read_text() == "1\n"
    assert not kernel_log.matching("refused")


def test_log_is_limited_and_the_counter_is_not(protected, attacker, kernel_log):
    """1,000 attempts are a few lines."""
    for _ in range(1000):
        attacker.tell("ptrace", linux.PTRACE["ATTACH"], protected.pid, 0, 0)
        assert attacker.answer() == str(-errno.EPERM)
    assert abi.refused() == 1000
    lines = kernel_log.matching("refused ptrace")
    # 10 in 5 seconds.
    assert 1 <= len(lines) <= 100


@pytest.mark.parametrize(
    "comm, printed",
    [
        (b"two\nlines", "two?lines"),
        (b"\x1b[31mred", "?[31mred"),
        (b"\x01\x7f\t\r", "????"),
        ("schön".encode(), "sch??n"),
        (b"fifteen letters", "fifteen letters"),
        (b"a b%s%n[1]", "a b%s%n[1]"),
    ],
    ids=["newline", "escape", "control", "utf-8", "long", "format"],
)
def test_log_prints_names_without_control_characters(protected, attacker, kernel_log, comm,
                                                     printed):
    """A name can't forge lines or send commands to a terminal."""
    assert protected.errno("comm", comm.hex()) == 0
    assert attacker.errno("comm", comm.hex()) == 0
    attacker.ptrace("ATTACH", protected.pid)
    pattern = rf"^ttools: refused ptrace of {re.escape(printed)}\[\d+\] by {re.escape(printed)}\["
    assert kernel_log.matching(pattern)
    assert len(kernel_log.matching("ttools: refused")) == 1


def test_loading_and_unloading_is_logged(module, kernel_log):
    """The lines of the C original."""
    module.load()
    assert kernel_log.matching(r"ttools 2\.0 loaded$")
    module.unload()
    assert kernel_log.matching(r"ttools 2\.0 unloaded$")


def test_counter_that_is_open_does_not_hold_the_module(ttools, module):
    """Reading after the end fails, and nothing else."""
    fd = os.open(abi.SYSFS / "protected", os.O_RDONLY)
    assert os.pread(fd, 16, 0) == b"0\n"
    module.unload()
    assert linux.errno_of(os.pread, fd, 16, 0) == errno.ENODEV
    os.close(fd)
