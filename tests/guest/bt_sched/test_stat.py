# SPDX-License-Identifier: GPL-2.0
"""/proc/bt_stat and what else counts the class: /proc/loadavg, procs_running, starvation."""

import os
import pathlib
import stat
import time

import bt
import pytest
from bt import POLICY, STAT, Batch, batches, busy_cpus
from target import wait_until

PROC_STAT = pathlib.Path("/proc/stat")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def test_layout_is_that_of_proc_stat(sched):
    """With one number more in the lines of CPUs."""
    ours, kernels = (path.read_text().splitlines() for path in (STAT, PROC_STAT))
    assert [line.split()[0] for line in ours] == [line.split()[0] for line in kernels]
    for our, its in zip(ours, kernels):
        more = 1 if our.startswith("cpu") else 0
        assert len(our.split()) == len(its.split()) + more, our
        if more:
            assert len(our.split()) == 12
            # Two blanks behind the first name, as ever.
            assert our.startswith("cpu ") == our.startswith("cpu  ")
        assert not our.endswith(" ") or its.endswith(" ")
    assert stat.S_IMODE(STAT.stat().st_mode) == 0o444


def test_other_numbers_are_proc_stats(sched):
    """Read between two looks at it: none is below the first or above the second."""
    first = bt.cpu_lines(PROC_STAT)
    ours = bt.cpu_lines()
    second = bt.cpu_lines(PROC_STAT)
    assert first.keys() == ours.keys()
    for name, numbers in ours.items():
        for before, our, after in zip(first[name], numbers, second[name]):
            assert before <= our <= after


def test_nothing_was_run(sched):
    """So far."""
    assert all(numbers[10] == 0 for numbers in bt.cpu_lines().values())


@pytest.mark.parametrize("nice", [0, 5])
def test_time_of_bt_is_counted(sched, nice):
    """On the CPU where it ran and in the sum, beside where it is counted as everybody's."""
    cpu = bt.CPUS[-1]
    before, column = bt.cpu_lines(), 1 if nice else 0
    with Batch("burn", policy=POLICY, cpu=cpu, nice=nice) as hog:
        wait_until(lambda: hog.time() > 1_000_000_000, "a second")
        after, ran = bt.cpu_lines(), hog.time() / TICK_NS
    for name in "cpu", f"cpu{cpu}":
        assert after[name][10] - before[name][10] == pytest.approx(ran, abs=3)
        assert after[name][column] - before[name][column] >= ran * 0.9
    for other in bt.CPUS[:-1]:
        assert after[f"cpu{other}"][10] == before[f"cpu{other}"][10]
    # The sum is that of the CPUs, each of which was cut to whole ticks.
    assert after["cpu"][10] - sum(after[f"cpu{cpu}"][10] for cpu in bt.CPUS) in range(len(bt.CPUS) + 1)


def test_time_of_others_is_not(sched):
    """Neither of SCHED_IDLE."""
    before = bt.cpu_lines()
    with Batch("burn") as one, Batch("burn", policy=bt.IDLE) as other:
        wait_until(lambda: one.time() + other.time() > 500_000_000, "half a second")
        assert bt.cpu_lines()["cpu"][10] == before["cpu"][10]


def test_who_leaves_and_comes_back(sched):
    """What was run outside doesn't count."""
    with Batch("burn", cpu=bt.CPUS[-1]) as hog:
        inside = 0
        before = bt.cpu_lines()["cpu"][10]
        for _ in range(5):
            bt.enter(hog.pid)
            start = hog.time()
            wait_until(lambda until=start + 100_000_000: hog.time() > until, "the hog's time")
            inside += hog.time() - start
            bt.leave(hog.pid)
            start = hog.time()
            wait_until(lambda until=start + 100_000_000: hog.time() > until, "the hog's time")
        assert bt.cpu_lines()["cpu"][10] - before == pytest.approx(inside / TICK_NS, abs=5)


def test_running_processes_include_it(sched):
    """procs_running does; who looks at it is one as well."""

    def running():
        return int(next(line.split()[1] for line in STAT.read_text().splitlines()
                        if line.startswith("procs_running")))

    with batches(8, "burn", policy=POLICY):
        assert 8 <= running() <= 12


@pytest.mark.limit(120)
def test_load_average_leaves_it_out(sched):
    """Eight that run, and as many like anybody's for comparison."""

    def load():
        return float(pathlib.Path("/proc/loadavg").read_text().split()[0])

    def grows(seconds, **options):
        with batches(8, "burn", **options):
            before = load()
            time.sleep(seconds)
            return load() - before

    # It is looked at every 5 s, and is 8 % of what runs then and 92 % of what it was.
    assert grows(5.2, policy=POLICY) < 0.2
    assert grows(5.2) > 0.5


def test_starvation_is_counted(sched):
    """Waits of more than a second, and the longest."""
    before = bt.starvation()
    assert before["waits_over_1s"] == before["waiting"] == 0
    with Batch("burn", policy=POLICY) as hog:
        with busy_cpus():
            time.sleep(0.5)
            assert bt.starvation()["waiting"] == 1
            time.sleep(1)
            ran = hog.time()
        # A wait counts when it ends.
        wait_until(lambda: hog.time() > ran + 1_000_000, "the hog's turn")
        after = bt.starvation()
        # Whoever looks may just have taken its CPU.
        wait_until(lambda: bt.starvation()["waiting"] == 0, "its going on")
    assert after["longest_wait_us"] in range(1_000_000, 3_000_000)
    assert after["waits_over_1s"] == 1


def test_starvation_file(sched):
    """Names and numbers; of nobody there is nothing to count."""
    assert set(bt.starvation()) == {"waiting", "waits_over_1s", "longest_wait_us", "lifts", "pulls", "pushes",
                                     "longest_balance_ns"}
    assert set(bt.starvation().values()) == {0}
    assert stat.S_IMODE(bt.STARVATION.stat().st_mode) == 0o444


def test_counters_of_a_cpu_that_goes_off_line_stay(sched, four_cpus):
    """They are sums of all that happened."""
    with busy_cpus([3]), Batch("sleep", 1000, policy=POLICY, cpu=3):
        wait_until(lambda: bt.starvation()["lifts"], "lifting")
    before = bt.starvation()
    with bt.offline(3):
        after = bt.starvation()
    assert all(after[name] >= before[name] for name in ("lifts", "pulls", "pushes", "longest_balance_ns"))


def test_no_starvation_no_count(sched):
    """Who has a CPU when he wants it waits for nothing."""
    with Batch("burn", policy=POLICY):
        time.sleep(1.2)
    assert bt.starvation()["waits_over_1s"] == 0
    assert bt.starvation()["longest_wait_us"] < 500_000
