# SPDX-License-Identifier: GPL-2.0
"""Beside who is online: preemption, inherited priority, and what others do to processes of BT."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import bt
import pytest
from bt import POLICY, Batch, Measured, Stat, batches, busy_cpus
from cgroup import Cgroup
from clock import is_deterministic, short_turns
from hammer import priority
from target import SCALE, wait_until

LAST = bt.CPUS[-1]


def preemption():
    """How the kernel preempts, or what it says."""
    text = pathlib.Path("/sys/kernel/debug/sched/preempt").read_text()
    return text[text.index("(") + 1:text.index(")")]


@contextlib.contextmanager
def on_cpu(cpu):
    """This process runs there, before others."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        with priority(-15):
            yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.limit(60)
@pytest.mark.parametrize("work", ["burn", "proc"], ids=["user", "kernel"])
def test_wakeups_do_not_wait_for_bt(sched, note, work):
    """Who is woken up by another CPU where BT runs is there at once, not at the next tick."""
    if len(bt.CPUS) < 2:
        pytest.skip("this machine has one CPU")
    rounds = 300
    with short_turns(10), batches(2, work, policy=POLICY, cpu=LAST), on_cpu(bt.CPUS[0]), \
            subprocess.Popen(["taskset", "-c", str(LAST), "cat"], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, bufsize=0) as online:
        def waited():
            return int(pathlib.Path(f"/proc/{online.pid}/schedstat").read_text().split()[1])

        time.sleep(0.1)
        before, longest = waited(), 0
        for number in range(rounds):
            start = waited()
            online.stdin.write(b"x")
            time.sleep(0.002 + 0.00011 * (number % 17))
            longest = max(longest, waited() - start)
        mean = (waited() - before) / rounds
    note("preempt", preemption())
    note("mean_us", mean / 1000)
    note("longest_us", longest / 1000)
    # A tick is 4 ms, and 2 on the average.
    assert mean < (50_000 if is_deterministic() else 1_000_000)
    assert longest < 500_000 or not is_deterministic()


# --- Priority that is inherited -------------------------------------------------------------------

class Lock:
    """A lock with priority inheritance that somebody in BT holds, beside a hog: `batch pi`."""

    def __init__(self):
        self._batch = Batch("pi", POLICY, cpu=LAST)
        self.owner = int(self._batch.ready.split()[1])

    def wait(self, policy, hog_ms):
        """Somebody of that policy wants it; the hog ends after so long."""
        self._batch.process.stdin.write(f"{policy} {hog_ms}\n")
        self._batch.process.stdin.flush()

    def priority(self):
        """The owner's, at the moment; None if it has ended."""
        try:
            return Stat(self._batch.pid, self.owner).priority
        except FileNotFoundError:
            return None

    def waited_ms(self):
        """Until the one who wanted the lock had it."""
        line = self._batch.process.stdout.readline()
        assert line.startswith("waited"), line
        return int(line.split()[1]) / 1e6

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._batch.kill()


@pytest.mark.limit(60)
@pytest.mark.parametrize("policy", [bt.RR, bt.NORMAL], ids=["rr", "normal"])
def test_owner_of_a_lock_inherits(sched, turns, note, policy):
    """Who waits for it, real-time or not, doesn't wait for the hog, which runs for 3 s."""
    with Lock() as lock:
        assert lock.priority() == 60
        time.sleep(0.1)
        seen = set()
        lock.wait(policy, 3000)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            seen.add(lock.priority())
            time.sleep(0.001)
        waited = lock.waited_ms()
    note("waited_ms", waited)
    note("priorities", sorted(seen - {None}))
    # The owner needs 20 ms, and beside the hog twice that if it is one like it.
    assert waited < (100 if policy == bt.NORMAL else 60) * (1 if is_deterministic() else 10)
    assert min(seen - {None}) < 40


@pytest.mark.limit(60)
def test_who_waits_in_bt_gives_nothing_to_inherit(sched, turns):
    """Or BT could get out of its class by its own locks."""
    with Lock() as lock:
        time.sleep(0.1)
        lock.wait(POLICY, 500)
        seen = set()
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            seen.add(lock.priority())
            time.sleep(0.01)
        assert seen == {60}
        # The hog ends after half a second, and all come to what they want.
        assert lock.waited_ms() > 350


@pytest.mark.limit(60)
def test_renice_while_boosted(sched, turns):
    """Neither ends what was lent, nor is it lost for after."""
    with Lock() as lock:
        time.sleep(0.05)
        os.setpriority(os.PRIO_PROCESS, lock.owner, 5)
        assert lock.priority() == 65
        lock.wait(bt.NORMAL, 2000)
        wait_until(lambda: lock.priority() != 65, "the boost", timeout=1)
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, lock.owner, 10)
            assert lock.priority() in (20, None)
        assert lock.waited_ms() < 200 * (1 if is_deterministic() else 10)


# --- What others do to them -----------------------------------------------------------------------

@pytest.mark.limit(60)
def test_a_starved_one_dies_when_killed(sched, note):
    """All of its kernel work is nobody's batch work."""
    with busy_cpus():
        for _ in range(5):
            with Batch("burn", policy=bt.IDLE) as hog:
                bt.enter(hog.pid)
                time.sleep(0.05)
                start = time.monotonic()
                hog.process.kill()
                hog.process.wait(30 * SCALE)
                took = time.monotonic() - start
                note("took_ms", 1000 * took)
                assert took < 2 * SCALE


@pytest.mark.limit(60)
def test_stopping_and_going_on(sched):
    """SIGSTOP and SIGCONT, of who runs and who sleeps."""
    with Batch("burn", policy=POLICY) as hog, Batch("sleep", 1000, policy=POLICY) as sleeper:
        for _ in range(10):
            for process in hog, sleeper:
                process.signal(signal.SIGSTOP)
            wait_until(lambda: {Stat(hog.pid).state, Stat(sleeper.pid).state} == {"T"}, "stopping")
            with Measured(hog, sleeper) as measured:
                time.sleep(0.02)
            assert sum(measured.times) == 0
            for process in hog, sleeper:
                process.signal(signal.SIGCONT)
            before = hog.time(), sleeper.time()
            wait_until(lambda old=before: hog.time() > old[0] and sleeper.time() > old[1], "going on")
        assert bt.all_policies([hog, sleeper]) == {POLICY}


@pytest.mark.limit(120)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "starved"])
def test_gdb(sched, beside):
    """Looks at one of BT and lets it go, also if it never gets a CPU."""
    with contextlib.ExitStack() as stack:
        if beside:
            # Attaching needs that it comes to where it stops.
            stack.enter_context(busy_cpus([LAST]))
        hog = stack.enter_context(Batch("burn", policy=POLICY, cpu=LAST))
        done = subprocess.run(["gdb", "-q", "-batch", "-nx", "-p", str(hog.pid), "-ex", "info registers rip",
                               "-ex", "detach"], capture_output=True, text=True, timeout=100 * SCALE,
                              check=False)
        assert "rip" in done.stdout and done.returncode == 0, done
        assert bt.policy(hog.pid) == POLICY
        wait_until(lambda: Stat(hog.pid).state == "R", "going on")


@pytest.mark.limit(60)
def test_strace_follows(sched):
    """Into the class and out of it."""
    script = (f"import os; p = os.sched_param(0); os.sched_setscheduler(0, {POLICY}, p); os.getppid(); "
              "pid = os.fork() or os._exit(7); os.waitpid(pid, 0); os.sched_setscheduler(0, 0, p)")
    done = subprocess.run(["strace", "-f", "-e", "trace=sched_setscheduler,wait4,exit_group", "python3",
                           "-c", script], capture_output=True, text=True, timeout=50 * SCALE, check=False)
    assert done.returncode == 0, done
    assert done.stderr.count("sched_setscheduler(0") == 2


@pytest.mark.limit(60)
@pytest.mark.parametrize("beside", [False, True], ids=["alone", "starved"])
def test_freezer(sched, beside):
    """A cgroup with BT in it freezes and thaws, if it has to wait for CPU time as well."""
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(Cgroup("bt"))
        hog = stack.enter_context(Batch("burn", policy=POLICY))
        sleeper = stack.enter_context(Batch("sleep", 1000, policy=POLICY))
        if beside:
            stack.enter_context(busy_cpus())
        for process in hog, sleeper:
            group.write("cgroup.procs", process.pid)
        for _ in range(3):
            group.write("cgroup.freeze", 1)
            wait_until(lambda: group.numbers("cgroup.events")["frozen"] == 1, "freezing", timeout=5)
            with Measured(hog, sleeper) as measured:
                time.sleep(0.05)
            assert sum(measured.times) == 0
            assert bt.all_policies([hog, sleeper]) == {POLICY}
            group.write("cgroup.freeze", 0)
            wait_until(lambda: group.numbers("cgroup.events")["frozen"] == 0, "thawing", timeout=5)
            if not beside:
                before = hog.time(), sleeper.time()
                wait_until(lambda old=before: hog.time() > old[0] and sleeper.time() > old[1], "going on")


@pytest.mark.limit(60)
def test_switching_while_frozen_or_stopped(sched):
    """Policies change though nobody runs."""
    with Cgroup("bt") as group, Batch("burn") as hog:
        group.write("cgroup.procs", hog.pid)
        group.write("cgroup.freeze", 1)
        wait_until(lambda: group.numbers("cgroup.events")["frozen"] == 1, "freezing")
        bt.enter(hog.pid)
        group.write("cgroup.freeze", 0)
        before = hog.time()
        wait_until(lambda: hog.time() > before, "going on")
        hog.signal(signal.SIGSTOP)
        wait_until(lambda: Stat(hog.pid).state == "T", "stopping")
        bt.leave(hog.pid)
        hog.signal(signal.SIGCONT)
        before = hog.time()
        wait_until(lambda: hog.time() > before, "going on")
        assert bt.policy(hog.pid) == bt.NORMAL
