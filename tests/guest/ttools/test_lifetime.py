# SPDX-License-Identifier: GPL-2.0
"""How long protection lasts: threads, fork, exec, end, reuse of numbers, unloading."""

import errno
import os
import pathlib
import shutil
import subprocess

import abi
import pytest
import target as targets


def test_any_thread_protects_the_process(target, attacker):
    """The call of one thread is for all."""
    assert target.number("thread_ioctl", abi.PROTECT, 0) == 0
    assert attacker.ptrace("SEIZE", target.pid) == errno.EPERM
    assert target.ioctl(abi.PROTECT) == errno.EEXIST
    assert abi.protected() == 1
    # And undoes it for all.
    assert target.number("thread_ioctl", abi.UNPROTECT, 0) == 0
    assert attacker.ptrace("SEIZE", target.pid) == 0


def test_later_threads_are_protected(protected, attacker):
    """Those that the process makes afterwards."""
    tid = protected.number("thread")
    assert attacker.ptrace("SEIZE", tid) == errno.EPERM
    assert abi.protected() == 1


def test_child_is_not_protected(protected, attacker):
    """And may protect itself."""
    child = protected.fork()
    assert abi.protected() == 1
    assert attacker.attach(child.pid) == 0
    assert attacker.ptrace("DETACH", child.pid) == 0
    child.protect()
    assert abi.protected() == 2
    assert attacker.ptrace("ATTACH", child.pid) == errno.EPERM


def test_unprotect_is_for_the_caller_only(protected, attacker):
    """Neither a child nor root can undo it."""
    child = protected.fork()
    child.unprotect()
    attacker.unprotect()
    assert attacker.ptrace("ATTACH", protected.pid) == errno.EPERM


@pytest.mark.parametrize("by_thread", [False, True], ids=["leader", "another thread"])
def test_exec_keeps_protection(protected, attacker, by_thread):
    """Whoever of its threads executes the program."""
    protected.number("thread")
    protected.exec(by_thread=by_thread)
    assert protected.ask("pid") == str(protected.pid)
    assert attacker.ptrace("ATTACH", protected.pid) == errno.EPERM
    assert attacker.open_errno(f"/proc/{protected.pid}/mem") == errno.EACCES
    assert protected.ioctl(abi.PROTECT) == errno.EEXIST
    assert abi.protected() == 1
    protected.kill()
    assert abi.protected() == 0


def test_protection_by_a_thread_survives_exec_by_another(target, attacker):
    """The threads that called are gone after exec."""
    assert target.number("thread_ioctl", abi.PROTECT, 0) == 0
    target.exec(by_thread=True)
    target.exec()
    assert attacker.ptrace("ATTACH", target.pid) == errno.EPERM
    target.unprotect()
    assert abi.protected() == 0


def test_set_uid_exec_keeps_protection(ttools, spawn, attacker):
    """A program that gets more rights than its caller."""
    path = pathlib.Path("/var/tmp/set-uid-target")
    shutil.copy(targets.helper("target"), path)
    os.chown(path, 0, 0)
    path.chmod(0o4755)
    try:
        target = spawn(uid=1000)
        target.protect()
        target.exec(str(path), "--again")
        assert target.ask("uid") == "1000 0"
        assert attacker.ptrace("ATTACH", target.pid) == errno.EPERM
        assert attacker.open_errno(f"/proc/{target.pid}/mem") == errno.EACCES
        assert target.ioctl(abi.PROTECT) == errno.EEXIST
    finally:
        path.unlink()


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_end_of_the_process_ends_protection(protected, end):
    """However it ends."""
    assert abi.protected() == 1
    getattr(protected, end)()
    assert abi.protected() == 0


def test_end_of_a_process_with_threads_ends_protection(protected):
    """The first thread may end long before the last."""
    protected.number("thread")
    protected.tell("leader_exit")
    targets.wait_until(
        lambda: targets.status(protected.pid)["State"].startswith("Z"), "the leader's end"
    )
    assert abi.protected() == 1
    protected.kill()
    assert abi.protected() == 0


def test_zombie_is_let_go_when_it_is_reaped(target):
    """At the latest then."""
    child = target.fork()
    child.protect()
    assert target.number("child_exit", child.index) == 0
    assert target.wait(child.pid)[0] == child.pid
    assert abi.protected() == 0


def test_end_without_anybody_who_waits_ends_protection(target):
    """Children of a process that ignores SIGCHLD are reaped by the kernel."""
    # rt_sigaction(SIGCHLD, {SIG_IGN})
    action = target.alloc(32)
    target.poke(action, (1).to_bytes(8, "little") + bytes(24))
    assert target.errno("syscall", 13, 17, action, 0, 8) == 0
    child = target.fork()
    child.protect()
    assert abi.protected() == 1
    assert target.number("child_exit", child.index) == 0
    targets.wait_until(lambda: abi.protected() == 0, "the child's end")


def test_new_process_with_an_old_number_is_not_protected(target, attacker):
    """A pid is used again, protection isn't."""
    old = target.fork()
    old.protect()
    assert attacker.ptrace("ATTACH", old.pid) == errno.EPERM
    old.exit()
    new = target.fork(old.pid)
    assert new.pid == old.pid
    assert abi.protected() == 0
    assert attacker.attach(new.pid) == 0
    assert attacker.ptrace("DETACH", new.pid) == 0
    new.protect()
    assert attacker.ptrace("ATTACH", new.pid) == errno.EPERM


ROUNDS = 2000


def slabs():
    """Objects in use, of those caches that protection takes memory from."""
    found = {}
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]:
        name, used = line.split()[:2]
        if name.startswith(("kmalloc-", "pid")):
            found[name] = int(used)
    return found


@pytest.mark.limit(240)
def test_no_memory_is_kept_of_processes_that_have_ended(target):
    """Over 2,000 of them."""
    target._timeout = 200 * targets.SCALE
    assert target.number("rounds", 200) == 0
    kmemleak = pathlib.Path("/sys/kernel/debug/kmemleak")
    if kmemleak.exists():
        # Freed memory lies in quarantine there, so that counting says nothing.
        kmemleak.write_text("clear")
        assert target.number("rounds", ROUNDS) == 0
        kmemleak.write_text("scan")
        kmemleak.write_text("scan")
        assert "ttools" not in kmemleak.read_text()
    else:
        before = slabs()
        assert target.number("rounds", ROUNDS) == 0
        # What is freed by RCU takes its time.
        targets.wait_until(
            lambda: max(used - before.get(name, 0) for name, used in slabs().items())
            < ROUNDS / 2, "freeing")
    assert abi.protected() == 0


def test_unloading_drops_protection_at_once(protected, attacker, module):
    """Protected processes don't hold the module by default."""
    assert attacker.ptrace("SEIZE", protected.pid) == errno.EPERM
    module.unload()
    assert not abi.exists()
    assert attacker.attach(protected.pid) == 0
    assert attacker.ptrace("DETACH", protected.pid) == 0
    # And it isn't back when the module is.
    module.load()
    assert abi.protected() == 0
    assert protected.ioctl(abi.PROTECT) == 0
    assert attacker.ptrace("ATTACH", protected.pid) == errno.EPERM


def test_open_device_holds_the_module_and_a_closed_one_does_not(target, module):
    """rmmod is refused only as long."""
    fd = target.open(abi.DEVICE)
    assert target.errno("syscall", 16, fd, abi.PROTECT, 0) == 0
    assert module.remove() == errno.EWOULDBLOCK
    assert target.ioctl(abi.PROTECT) == errno.EEXIST
    target.number("close", fd)
    assert module.remove() == 0


@pytest.mark.limit(120)
def test_ten_thousand_processes_are_protected(ttools, attacker):
    """Fewer only where the machine's memory doesn't hold them."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1])
    per_process = 48 if targets.SCALE == 1 else 96
    number = min(10_000, available // per_process)
    print(f"{number} processes")
    assert number >= 1000
    with subprocess.Popen([targets.helper("crowd"), str(number)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as crowd:
        try:
            assert crowd.stdout.readline() == f"ready {number}\n"
            assert abi.protected() == number
            children = pathlib.Path(f"/proc/{crowd.pid}/task/{crowd.pid}/children")
            pids = [int(pid) for pid in children.read_text().split()]
            assert len(pids) == number
            for pid in pids[:: number // 100]:
                assert attacker.ptrace("SEIZE", pid) == errno.EPERM
            # Their parent didn't ask for it, but they use its memory.
            assert attacker.ptrace("SEIZE", crowd.pid) == errno.EPERM
            crowd.stdin.close()
            assert crowd.wait(50 * targets.SCALE) == 0
        finally:
            crowd.kill()
    assert abi.protected() == 0
