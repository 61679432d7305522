# SPDX-License-Identifier: GPL-2.0
"""ptrace(2) by a root that isn't attached."""

import errno
import os
import signal

import linux
import pytest
import target as targets

REQUESTS = sorted(set(linux.PTRACE) - {"TRACEME"})


@pytest.mark.parametrize("request_name", REQUESTS)
def test_request_is_refused(protected, attacker, request_name):
    """Each request is refused alike, and nothing happens to the process."""
    assert attacker.ptrace(request_name, protected.pid) == errno.EPERM
    assert targets.tracer(protected.pid) == 0
    assert protected.ask("pid") == str(protected.pid)


def test_requests_work_without_protection(target, attacker):
    """The rest of this file is worth something only if they work otherwise."""
    address = target.secret()
    assert attacker.attach(target.pid) == 0
    buffer = attacker.alloc(8)
    assert attacker.ptrace("PEEKDATA", target.pid, address, buffer) == 0
    assert attacker.peek(buffer, 8) == targets.SECRET[:8]
    assert attacker.ptrace("DETACH", target.pid) == 0


def test_unprotected_process_next_to_a_protected_one_can_be_traced(protected, spawn, attacker):
    """Protection is of one process."""
    other = spawn()
    assert attacker.attach(other.pid) == 0
    assert attacker.ptrace("DETACH", other.pid) == 0
    assert attacker.ptrace("ATTACH", protected.pid) == errno.EPERM


@pytest.mark.parametrize("request_name", ["ATTACH", "SEIZE"])
def test_attaching_works_again_after_unprotect(protected, attacker, request_name):
    """What was refused works as soon as the process wants it to."""
    assert attacker.ptrace(request_name, protected.pid) == errno.EPERM
    protected.unprotect()
    assert attacker.ptrace(request_name, protected.pid) == 0


def test_refusal_holds_for_every_thread(protected, attacker):
    """The whole process is meant, whichever thread is named."""
    tid = protected.number("thread")
    assert tid != protected.pid
    for request_name in ("ATTACH", "SEIZE", "PEEKDATA", "INTERRUPT"):
        assert attacker.ptrace(request_name, tid) == errno.EPERM, request_name
    protected.unprotect()
    assert attacker.ptrace("SEIZE", tid) == 0


def test_pid_that_does_not_exist_gives_esrch(protected, attacker):
    """The lookup comes first, as without the module."""
    dead = protected.fork()
    dead.exit()
    for request_name in ("ATTACH", "SEIZE", "PEEKDATA", "DETACH"):
        assert attacker.ptrace(request_name, dead.pid) == errno.ESRCH, request_name


def test_traceme_is_refused(protected):
    """A tracer that could do nothing with the process would only stop it."""
    assert protected.ptrace("TRACEME", 0) == errno.EPERM
    assert targets.tracer(protected.pid) == 0
    protected.unprotect()
    assert protected.ptrace("TRACEME", 0) == 0
    assert targets.tracer(protected.pid) == os.getpid()


def test_traceme_works_if_the_parent_is_allowed(protected):
    """An allowed parent is a tracer that can do something with it."""
    assert protected.allow(os.getpid()) == 0
    assert protected.ptrace("TRACEME", 0) == 0
    os.kill(protected.pid, signal.SIGUSR1)
    pid, status = os.waitpid(protected.pid, 0)
    assert pid == protected.pid and os.WIFSTOPPED(status)
    assert linux.errno_of(linux.ptrace, "CONT", protected.pid) == 0
    assert protected.ask("pid") == str(protected.pid)


def test_protected_process_may_trace_others(protected, spawn):
    """Protection says nothing about what the process does to others."""
    other = spawn()
    assert protected.attach(other.pid) == 0
    assert protected.ptrace("DETACH", other.pid) == 0


def test_thread_of_its_own_gets_the_kernels_answer(protected):
    """The kernel itself lets no thread attach to its own process."""
    tid = protected.number("thread")
    protected.unprotect()
    native = protected.ptrace("ATTACH", tid)
    protected.protect()
    assert protected.ptrace("ATTACH", tid) == native


def test_refusal_holds_when_the_leader_has_ended(protected, attacker):
    """A process goes on without its first thread."""
    tid = protected.number("thread")
    protected.tell("leader_exit")
    targets.wait_until(
        lambda: targets.status(protected.pid)["State"].startswith("Z"), "the leader's end"
    )
    assert attacker.ptrace("SEIZE", tid) == errno.EPERM
    assert attacker.ptrace("SEIZE", protected.pid) == errno.EPERM


def test_python_client_is_refused(protected):
    """A tracer that is the parent and root, straight from Python."""
    with pytest.raises(PermissionError):
        linux.ptrace("ATTACH", protected.pid)
    with pytest.raises(PermissionError):
        linux.ptrace("SEIZE", protected.pid)
