# SPDX-License-Identifier: GPL-2.0
"""Groups that are offline: which tasks that makes so, and what they get."""

import os
import pathlib
import subprocess
import time

import bt
import cgroup
import pytest
from bt import EINVAL, POLICY, Batch, Measured, busy_cpus
from bt_group import FILES, Group, groups, has_files, hogs, priority
from clock import is_deterministic
from target import wait_until

LAST = bt.CPUS[-1]
EXACT = 0.03 if is_deterministic() else 0.2


@pytest.fixture
def group(sched):
    """One that is offline."""
    with Group("offline", cpu_offline=1) as made:
        yield made


# --- Files --------------------------------------------------------------------------------------

def test_files_come_and_go_with_the_module(bt_module):
    """In every cgroup but the root."""
    with Group("here") as one:
        assert not has_files(one)
        bt_module.load()
        assert has_files(one) == list(FILES)
        assert not [name for name in FILES if (cgroup.ROOT / name).exists()]
        with Group("below", one) as below:
            assert has_files(below) == list(FILES)
        bt_module.unload()
        assert not has_files(one)


def test_what_they_are_at_first(sched):
    """Nothing is offline, and nobody has more than others."""
    with Group("new") as new:
        assert {name: new.read(name) for name in FILES[:3]} == {
            "cpu.offline": "0", "cpu.bt_shares": "1024", "cpu.bt_max": "max 100000"}
        zeroes = " ".join("0" for _ in bt.CPUS) + " "
        assert {name: new.read(name) for name in FILES[3:]} == {
            "cpu.bt_usage": "0", "cpu.bt_usage_user": "0", "cpu.bt_usage_sys": "0",
            "cpu.bt_usage_percpu": zeroes, "cpu.bt_usage_percpu_user": zeroes, "cpu.bt_usage_percpu_sys": zeroes,
            "cpu.bt_stat": "bt_user 0\nbt_system 0"}


@pytest.mark.parametrize("name, text, becomes", [
    ("offline", "1", "1"), ("offline", "0", "0"),
    ("bt_shares", "2", "2"), ("bt_shares", "262144", "262144"),
    ("bt_shares", "0", "2"), ("bt_shares", "1", "2"), ("bt_shares", "262145", "262144"),
    ("bt_max", "50000 100000", "50000 100000"), ("bt_max", "1000 1000", "1000 1000"),
    ("bt_max", "400000 100000", "400000 100000"), ("bt_max", "20000", "20000 100000"),
    ("bt_max", "max 5000", "max 100000"), ("bt_max", "max", "max 100000"), ("bt_usage", "0", "0")])
def test_what_can_be_set(group, name, text, becomes):
    """What is out of the range of shares becomes the nearest."""
    group.write(f"cpu.{name}", text)
    assert group.read(f"cpu.{name}") == becomes


@pytest.mark.parametrize("name, text", [
    ("offline", "2"), ("offline", "-1"), ("offline", "x"), ("offline", "1 1"), ("bt_shares", "-1"),
    ("bt_shares", "x"), ("bt_max", "0"), ("bt_max", "999"), ("bt_max", "-1"), ("bt_max", "50000 999"),
    ("bt_max", "50000 1000001"), ("bt_max", "max 1"), ("bt_max", "max x"), ("bt_max", "x"), ("bt_max", "50000 x"),
    ("bt_max", "50000 100000 1"), ("bt_max", "536870913 100000"), ("bt_max", "99999999999999999999"),
    ("bt_usage", "1"), ("bt_usage", "x")])
def test_what_cant_be_set(group, name, text):
    """And changes nothing."""
    before = group.read(f"cpu.{name}")
    assert group.write_errno(f"cpu.{name}", text) == EINVAL
    assert group.read(f"cpu.{name}") == before


@pytest.mark.parametrize("name, text", [("offline", "0"), ("bt_shares", "2048"), ("bt_max", "max")])
def test_who_may_write(group, name, text):
    """Not everybody to whom the file belongs: it would be his way out."""
    os.chown(group.path / f"cpu.{name}", 1000, 1000)
    assert bt.as_user(1000, lambda: group.write_errno(f"cpu.{name}", text)) == bt.EPERM
    assert group.write_errno(f"cpu.{name}", text) == 0


# --- Which tasks --------------------------------------------------------------------------------

@pytest.mark.parametrize("policy", [bt.NORMAL, bt.BATCH, bt.IDLE])
def test_everybody_there_is_in_the_class(sched, policy):
    """By the group, whatever the policy, which stays; and no more when the group is no more."""
    with Group("group") as one, one.hog(policy=policy, nice=3) as process:
        assert priority(process) == 23
        for _ in range(2):
            one.write("cpu.offline", 1)
            assert (priority(process), bt.policy(process.pid)) == (63, policy)
            one.write("cpu.offline", 0)
            assert (priority(process), bt.policy(process.pid)) == (23, policy)


def test_who_comes_and_who_goes(group):
    """Is in the class as long as he is there."""
    with Group("online") as other, Batch("burn") as process:
        for _ in range(2):
            group.add(process)
            assert priority(process) == 60
            other.add(process)
            assert priority(process) == 20


def test_all_threads(group):
    """Of a process that is moved."""
    with group.hog(threads=5) as process:
        tasks = list(pathlib.Path(f"/proc/{process.pid}/task").iterdir())
        assert len(tasks) == 5
        assert {bt.Stat(process.pid, int(task.name)).priority for task in tasks} == {60}


def test_children(group):
    """From the beginning."""
    program = "import os; print(open('/proc/self/stat').read().rsplit(')', 1)[1].split()[15])"
    assert group.run("python3", "-c", program) == "60\n"
    forks = "import os\nif not os.fork(): " + program.replace("; ", "; os.sched_yield(); ") + "\nelse: os.wait()"
    assert group.run("python3", "-c", forks) == "60\n"


def test_groups_made_below_it(group):
    """Inherit it; those that are there stay what they are."""
    with Group("new", group) as new:
        assert new.read("cpu.offline") == "1"
        group.write("cpu.offline", 0)
        assert new.read("cpu.offline") == "1"
        with Group("newer", group) as newer:
            assert newer.read("cpu.offline") == "0"
            group.write("cpu.offline", 1)
            assert newer.read("cpu.offline") == "0"
            with newer.hog() as process:
                assert priority(process) == 20


def test_policies_that_change_there(group):
    """Real time is apart for as long as it lasts; nice values hold; the class's own policy is the same."""
    with group.hog() as process:
        bt.set_policy(process.pid, bt.RR, 5)
        assert priority(process) == -6
        bt.set_policy(process.pid, bt.BATCH)
        assert priority(process) == 60
        os.setpriority(os.PRIO_PROCESS, process.pid, 7)
        assert priority(process) == 67
        bt.setattr_(process.pid, bt.NORMAL, nice=4)
        assert priority(process) == 64
        bt.enter(process.pid)
        assert priority(process) == 64
        group.write("cpu.offline", 0)
        assert priority(process) == 64
        bt.leave(process.pid)
        assert priority(process) == 24
        bt.enter(process.pid)
        group.write("cpu.offline", 1)
        bt.leave(process.pid)
        assert priority(process) == 64


def test_unloading_makes_all_of_them_normal(sched):
    """Whatever they do, with their policies and nice values."""
    with Group("group", cpu_offline=1) as one, one.hog(nice=2) as hog, one.hog("sleep", 1000, policy=bt.BATCH) as sleeper, \
            one.hog("fork") as forker:
        sched.unload()
        assert [priority(process) for process in (hog, sleeper, forker)] == [22, 20, 20]
        assert bt.policy(sleeper.pid) == bt.BATCH
        sched.load()
        assert one.read("cpu.offline") == "0"
        assert priority(hog) == 22


def test_a_group_without_the_controller(group):
    """Belongs to the one above."""
    below = cgroup.Cgroup("plain", group)
    with below, below.start("sleep", "100") as process:
        wait_until(lambda: "plain" in pathlib.Path(f"/proc/{process.pid}/cgroup").read_text(), "the move")
        assert bt.Stat(process.pid).priority == 60
        group.delegate("+cpu")
        assert below.read("cpu.offline") == "1"
        assert bt.Stat(process.pid).priority == 60
        group.delegate("-cpu")
        assert bt.Stat(process.pid).priority == 60
        process.kill()


# --- What they get ------------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_everybody_else_goes_first(group, turns):
    """They get nothing beside one that never sleeps, and all beside none."""
    with group.hog(cpu=LAST) as hog, busy_cpus([LAST]) as [normal]:
        time.sleep(0.1)
        with Measured(hog, normal) as measured:
            time.sleep(1)
        assert measured.times[0] < 1_000_000
        assert measured.cpus[1] > 0.95
        normal.kill()
        with Measured(hog) as measured:
            time.sleep(0.5)
        assert measured.cpus[0] > 0.95


@pytest.mark.limit(120)
def test_shares(group, note):
    """Go by group, however many tasks each has."""
    with groups("one", "two", "eight", parent=group) as made:
        for one, shares in zip(made, (1024, 2048, 8192)):
            one.write("cpu.bt_shares", shares)
        places = [made[0]] * 3 + [made[1]] + [made[2]] * 2
        with hogs(*places, cpu=LAST) as processes:
            time.sleep(0.5)
            with Measured(*processes) as measured:
                time.sleep(4)
    note("shares", measured.shares)
    wanted = [1 / 33] * 3 + [2 / 11] + [4 / 11] * 2
    assert measured.shares == pytest.approx(wanted, rel=EXACT)


@pytest.mark.limit(120)
def test_nested_shares(group, note):
    """Two deep: each level by itself."""
    with groups("a", "b", parent=group) as (upper, other):
        other.write("cpu.bt_shares", 2048)
        with groups("1", "2", "8", parent=upper) as made:
            for one, shares in zip(made, (1024, 2048, 8192)):
                one.write("cpu.bt_shares", shares)
            with hogs(*made, other, cpu=LAST) as processes:
                time.sleep(0.5)
                with Measured(*processes) as measured:
                    time.sleep(5)
    note("shares", measured.shares)
    assert measured.shares == pytest.approx([1 / 33, 2 / 33, 8 / 33, 2 / 3], rel=EXACT)


@pytest.mark.limit(120)
def test_shares_on_many_cpus(group, four_cpus, note):
    """A group has the same with eight tasks as with four, when both have all CPUs."""
    with groups("few", "many", parent=group) as (few, many), hogs(*[few] * 4, *[many] * 8) as processes:
        for number, process in enumerate(processes):
            os.sched_setaffinity(process.pid, {bt.CPUS[number % 4]})
        time.sleep(0.5)
        with Measured(*processes) as measured:
            time.sleep(2)
    note("few", sum(measured.shares[:4]))
    assert sum(measured.cpus) > 0.97 * 4
    assert sum(measured.shares[:4]) == pytest.approx(0.5, rel=EXACT)


@pytest.mark.limit(120)
def test_shares_wherever_they_are(group, four_cpus, note):
    """A task counts for what its group has: with one CPU to begin with, few that count for much find CPUs
    of their own, as they would by no weight of tasks."""
    with groups("few", "many", parent=group) as (few, many), \
            hogs(*[few] * 2, *[many] * 8, cpu=LAST) as processes:
        for process in processes:
            os.sched_setaffinity(process.pid, bt.CPUS[:4])
        time.sleep(0.5)
        with Measured(*processes) as measured:
            time.sleep(2)
    note("few", measured.shares[:2])
    assert sum(measured.cpus) > 0.97 * 4
    assert sum(measured.shares[:2]) == pytest.approx(0.5, rel=0.05)


@pytest.mark.limit(60)
def test_shares_change_at_once(group):
    """Of groups that run."""
    with groups("one", "two", parent=group) as (one, two), hogs(one, two, cpu=LAST) as processes:
        time.sleep(0.2)
        one.write("cpu.bt_shares", 3072)
        time.sleep(0.1)
        with Measured(*processes) as measured:
            time.sleep(2)
    assert measured.shares[0] == pytest.approx(0.75, rel=EXACT)


# --- The limit ----------------------------------------------------------------------------------

@pytest.fixture
def no_gaps():
    """A CPU that never sleeps. While all of them do, time goes by as ours does, and is lost to the group
    if our machine comes late."""
    with busy_cpus(bt.CPUS[:1]):
        yield


@pytest.mark.limit(120)
@pytest.mark.parametrize("limit, tasks", [("50000 100000", 1), ("20000 100000", 3), ("150000 100000", 4),
                                          ("5000 10000", 2), ("2000 50000", 4)])
def test_limit(group, four_cpus, no_gaps, note, limit, tasks):
    """Of all CPUs together, within 1 %; but for what a tick each was too much just when we begin or end to look."""
    group.write("cpu.bt_max", limit)
    runtime, period = map(int, limit.split())
    with hogs(*[group] * tasks) as processes:
        time.sleep(4 * period / 1e6)
        with Measured(*processes) as measured:
            time.sleep(max(2, 40 * period / 1e6))
    note("cpus", sum(measured.cpus))
    slack = min(tasks, len(bt.CPUS)) * 4e6 / measured.elapsed
    assert sum(measured.cpus) == pytest.approx(runtime / period, rel=0.01 if is_deterministic() else 0.05, abs=slack)


@pytest.mark.limit(60)
def test_limit_above_limits_all_below(group, no_gaps, note):
    """And the tighter one counts."""
    group.write("cpu.bt_max", "40000 100000")
    with groups("one", "two", parent=group) as (one, two), hogs(one, two) as processes:
        one.write("cpu.bt_max", "10000 100000")
        time.sleep(0.5)
        with Measured(*processes) as measured:
            time.sleep(4)
    note("cpus", measured.cpus)
    assert measured.cpus[0] == pytest.approx(0.1, rel=0.03)
    assert sum(measured.cpus) == pytest.approx(0.4, rel=0.02)


@pytest.mark.limit(60)
def test_limit_leaves_the_rest_to_others(group, turns):
    """A group at its limit doesn't keep another one from its CPU."""
    with groups("limited", "free", parent=group) as (limited, free), hogs(limited, free, cpu=LAST) as processes:
        limited.write("cpu.bt_max", "10000 100000")
        time.sleep(0.5)
        with Measured(*processes) as measured:
            time.sleep(2)
        assert measured.cpus[0] == pytest.approx(0.1, rel=0.05)
        assert measured.cpus[1] == pytest.approx(0.9, rel=0.05)
        # At once.
        limited.write("cpu.bt_max", "max")
        with Measured(*processes) as measured:
            time.sleep(1)
        assert measured.shares[0] == pytest.approx(0.5, rel=0.1)


@pytest.mark.limit(60)
def test_who_is_at_the_limit_can_be_killed_moved_and_freed(group):
    """He waits for nothing but time."""
    group.write("cpu.bt_max", "1000 1000000")
    with group.hog(cpu=LAST) as one, group.hog(cpu=LAST) as other:
        time.sleep(1.5)
        before = other.time()
        with Group("elsewhere") as elsewhere:
            elsewhere.add(other)
            wait_until(lambda: other.time() > before + 100_000_000, "time of a normal task", timeout=5)
        start = time.monotonic()
        one.process.kill()
        one.process.wait(10)
        assert time.monotonic() - start < 1


# --- Accounting ---------------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_usage(group, note):
    """Is what the tasks ran, on each CPU, in the group and all above."""
    with groups("below", "beside", parent=group) as (below, beside), below.hog(cpu=LAST) as one, \
            beside.hog(cpu=bt.CPUS[0]) as other:
        for made in (group, below, beside):
            made.write("cpu.bt_usage", 0)
        with Measured(one, other) as measured:
            time.sleep(1)
        usage, inner = group.number("cpu.bt_usage"), below.number("cpu.bt_usage")
        percpu = group.percpu("cpu.bt_usage_percpu")
        note("usage", usage)
        assert inner == pytest.approx(measured.times[0], abs=20_000_000)
        assert usage == pytest.approx(sum(measured.times), abs=40_000_000)
        assert sum(percpu) == pytest.approx(usage, abs=40_000_000)
        assert below.percpu("cpu.bt_usage_percpu")[:-1] == [0] * (len(bt.CPUS) - 1)
        user, system = group.number("cpu.bt_usage_user"), group.number("cpu.bt_usage_sys")
        # Nothing but computing.
        assert user > 20 * system
        assert group.numbers("cpu.bt_stat")["bt_user"] == pytest.approx(user / 10_000_000, abs=5)


@pytest.mark.limit(60)
def test_usage_adds_up_to_the_classs_own(group):
    """Within a tick for each CPU."""
    with hogs(*[group] * len(bt.CPUS)):
        before = [line[10] for line in bt.cpu_lines().values()]
        group.write("cpu.bt_usage", 0)
        time.sleep(2)
        usage = group.number("cpu.bt_usage")
        after = [line[10] for line in bt.cpu_lines().values()]
    # The first line is the sum.
    assert usage / 1e7 == pytest.approx(after[0] - before[0], abs=1 + len(bt.CPUS))


@pytest.mark.limit(60)
def test_usage_in_the_kernel(group):
    """Is told from that in user mode."""
    with group.hog("proc", cpu=LAST):
        time.sleep(1)
        assert group.number("cpu.bt_usage_sys") > group.number("cpu.bt_usage_user")


# --- Pressure -----------------------------------------------------------------------------------

def waited(group):
    """Microseconds in which somebody of the group waited for a CPU."""
    return int(group.read("cpu.pressure").split("total=")[1].split()[0])


@pytest.mark.limit(60)
def test_pressure(group):
    """Of those that wait behind others; none with the setting, which holds at once."""
    with group.hog(cpu=LAST), group.hog(cpu=LAST, policy=bt.RR):
        for psi, least, most in ((1, 900_000, 1_100_000), (0, 0, 1000), (1, 900_000, 1_100_000)):
            bt.write(bt.PSI, psi)
            time.sleep(0.01)
            before = waited(group)
            time.sleep(1)
            assert least <= waited(group) - before <= most, psi


@pytest.mark.limit(60)
def test_pressure_is_right_afterwards(group, four_cpus):
    """Whatever those did that were left out: slept, moved, forked, left the class."""
    bt.write(bt.PSI, 0)
    with group.hog("sleep", 500), group.hog("fork"), group.hog("affinity"), group.hog("policy", POLICY), \
            group.hog("mmap", cpu=LAST), busy_cpus([LAST]):
        for psi in (0, 1, 0, 1):
            bt.write(bt.PSI, psi)
            for offline in (0, 1, 0, 1):
                group.write("cpu.offline", offline)
                time.sleep(0.05)
    group.write("cgroup.kill", 1)
    time.sleep(0.2)
    before = waited(group)
    time.sleep(0.5)
    assert waited(group) == before


# --- cgroup v1 ----------------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_v1(sched, tmp_path):
    """The same files, of two controllers."""
    # Container engines leave theirs behind; from the bottom up.
    for path in sorted(cgroup.ROOT.rglob("cgroup.subtree_control"), key=lambda path: -len(path.parts)):
        path.write_text("-cpu")

    def mount():
        return subprocess.run(["mount", "-t", "cgroup", "-o", "cpu,cpuacct", "none", tmp_path], check=False,
                              capture_output=True).returncode == 0

    # Groups that have been removed may still be there.
    wait_until(mount, "the cpu controller", timeout=20)
    try:
        one = tmp_path / "one"
        one.mkdir()
        names = [name if name.count("usage") + name.count("stat") == 0 else name.replace("cpu.", "cpuacct.", 1)
                 for name in FILES]
        assert sorted(path.name for path in one.iterdir() if path.name in names) == sorted(names)
        assert not [path.name for path in tmp_path.iterdir() if path.name in names]
        with Batch("burn") as process:
            (one / "cgroup.procs").write_text(str(process.pid))
            (one / "cpu.offline").write_text("1")
            assert priority(process) == 60
            (one / "cpu.bt_max").write_text("20000 100000")
            time.sleep(0.3)
            (one / "cpuacct.bt_usage").write_text("0")
            with Measured(process) as measured:
                time.sleep(2)
            assert measured.cpus[0] == pytest.approx(0.2, rel=0.03)
            assert int((one / "cpuacct.bt_usage").read_text()) == pytest.approx(measured.times[0], rel=0.05)
            (tmp_path / "cgroup.procs").write_text(str(process.pid))
            assert priority(process) == 20
        one.rmdir()
    finally:
        # The hierarchy ends when it is unmounted without groups, also such as have just been removed.
        def is_gone():
            subprocess.run(["umount", tmp_path], check=True)
            return "cpuacct" not in pathlib.Path("/proc/self/cgroup").read_text() or not mount()

        wait_until(is_gone, "the end of v1", timeout=20)


# --- A part of each CPU -------------------------------------------------------------------------

def percent(cpu):
    """The file of a CPU."""
    return bt.PERCENT / f"cpu{cpu}"


def test_percent_files(sched):
    """One for each CPU, of 100 at first."""
    assert sorted(path.name for path in bt.PERCENT.iterdir()) == sorted(f"cpu{cpu}" for cpu in bt.CPUS)
    assert {path.read_text() for path in bt.PERCENT.iterdir()} == {"100\n"}
    assert percent(0).stat().st_mode & 0o777 == 0o600
    for text, becomes in (("50", "50\n"), ("0\n", "0\n"), ("100", "100\n"), (" 7 \n", "7\n")):
        percent(0).write_text(text)
        assert percent(0).read_text() == becomes
    for text in ("101", "-1", "x", "", "5 5", "1" * 40):
        with pytest.raises(OSError) as error:
            os.write(os.open(percent(0), os.O_WRONLY), text.encode() or b"\n")
        assert error.value.errno == EINVAL
    assert percent(0).read_text() == "7\n"
    sched.unload()
    assert not bt.PERCENT.exists()


@pytest.mark.limit(60)
@pytest.mark.parametrize("value", [10, 60])
def test_percent_of_a_cpu(sched, note, value):
    """Within 1 % of it, as in test_limit; other CPUs keep theirs."""
    bt.write(bt.PERIOD, 100000)
    percent(LAST).write_text(str(value))
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, Batch("burn", policy=POLICY, cpu=bt.CPUS[0]) as other:
        time.sleep(0.4)
        with Measured(hog, other) as measured:
            time.sleep(4)
    note("cpus", measured.cpus)
    slack = 4e6 / measured.elapsed
    assert measured.cpus[0] == pytest.approx(value / 100, rel=0.01 if is_deterministic() else 0.05, abs=slack)
    assert measured.cpus[1] > 0.97


@pytest.mark.limit(60)
def test_nothing_of_a_cpu(sched, four_cpus):
    """Who may go elsewhere does; who may not waits."""
    percent(LAST).write_text("0")
    with Batch("burn", policy=POLICY, cpu=LAST) as stuck, bt.batches(4, "burn", policy=POLICY) as free:
        time.sleep(0.5)
        with Measured(stuck, *free) as measured:
            time.sleep(1)
        assert measured.times[0] == 0
        assert sum(measured.cpus[1:]) > 0.97 * (len(bt.CPUS) - 1)
        assert LAST not in bt.spread(free)
        percent(LAST).write_text("100")
        with Measured(stuck) as measured:
            time.sleep(0.5)
        assert measured.cpus[0] > 0.1
