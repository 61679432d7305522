# SPDX-License-Identifier: GPL-2.0
"""Who gets how much: BT of what is left, one of the class of another, and of its limit."""

import os
import signal
import time

import bt
import pytest
from bt import FLOOR, PERIOD, POLICY, RUNTIME, Batch, Measured, batches, busy_cpus
from clock import is_deterministic
from target import SCALE, wait_until

LAST = bt.CPUS[-1]
# Where time isn't the machine's own, others' work is in it.
EXACT = 0.03 if is_deterministic() else 0.2


@pytest.mark.limit(120)
@pytest.mark.parametrize("nices", [(0, 0, 0), (0, 3, 6), (-5, 0), (5, 5, 10)])
def test_shares_follow_nice_values(sched, note, nices):
    """Within 3 % of the weights that fair scheduling has for them."""
    hogs = [Batch("burn", policy=POLICY, cpu=LAST, nice=nice) for nice in nices]
    try:
        time.sleep(0.2)
        with Measured(*hogs) as measured:
            time.sleep(3)
    finally:
        for hog in hogs:
            hog.kill()
    weights = [bt.WEIGHTS[nice] for nice in nices]
    wanted = [weight / sum(weights) for weight in weights]
    note("shares", measured.shares)
    note("wanted", wanted)
    for share, want in zip(measured.shares, wanted):
        assert share == pytest.approx(want, rel=EXACT)
    assert sum(measured.cpus) > 0.97


@pytest.mark.limit(60)
def test_shares_after_renice(sched):
    """Of who is running already."""
    with Batch("burn", policy=POLICY, cpu=LAST) as one, Batch("burn", policy=POLICY, cpu=LAST) as other:
        time.sleep(0.2)
        os.setpriority(os.PRIO_PROCESS, other.pid, 5)
        with Measured(one, other) as measured:
            time.sleep(2)
    assert measured.shares[0] == pytest.approx(1024 / (1024 + 335), rel=EXACT)


@pytest.mark.limit(60)
def test_who_slept_gets_no_credit_for_it(sched):
    """Neither is he made to wait for what the other ran meanwhile."""
    with Batch("burn", policy=POLICY, cpu=LAST) as one, Batch("burn", policy=POLICY, cpu=LAST) as other:
        other.signal(signal.SIGSTOP)
        time.sleep(2)
        other.signal(signal.SIGCONT)
        with Measured(one, other) as measured:
            time.sleep(0.5)
    # With credit for 2 s the first would have nothing.
    assert 0.4 < measured.shares[0] < 0.6


@pytest.mark.limit(60)
def test_everybody_else_goes_first(sched, turns):
    """BT gets nothing beside one that never sleeps, and all beside none."""
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, busy_cpus([LAST]) as [normal]:
        time.sleep(0.1)
        with Measured(hog, normal) as measured:
            time.sleep(1)
        assert measured.times[0] < 1_000_000
        assert measured.cpus[1] > 0.95
        normal.signal(signal.SIGSTOP)
        with Measured(hog) as measured:
            time.sleep(0.5)
        assert measured.cpus[0] > 0.95


@pytest.mark.limit(60)
@pytest.mark.parametrize("name, options", [
    ("nice 19", {"nice": 19}), ("SCHED_IDLE", {"policy": bt.IDLE}), ("SCHED_BATCH", {"policy": bt.BATCH}),
    ("SCHED_RR", {"policy": bt.RR})])
def test_whatever_the_others_are(sched, name, options):
    """Even they that are the last of their own."""
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, Batch("burn", cpu=LAST, **options) as other:
        time.sleep(0.1)
        with Measured(hog, other) as measured:
            time.sleep(1)
    assert measured.times[0] < 1_000_000, name
    assert measured.cpus[1] > 0.9, name


@pytest.mark.limit(60)
def test_the_rest_of_a_cpu_is_used(sched, turns, note):
    """Online work that takes a third leaves two thirds, and BT has them."""
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, Batch("sleep", 1000, cpu=LAST) as online:
        time.sleep(0.1)
        with Measured(hog, online) as measured:
            time.sleep(1)
    note("cpus", measured.cpus)
    assert measured.times[1] > 1_000_000
    assert measured.cpus[0] >= 0.97 * (1 - measured.cpus[1])


# --- The limit ----------------------------------------------------------------------------------

@pytest.mark.limit(120)
@pytest.mark.parametrize("period_us, runtime_us", [
    (1000000, 250000), (1000000, 700000), (100000, 20000), (200000, 150000)])
def test_limit_of_a_cpu(sched, note, period_us, runtime_us):
    """Within 1 %, over whole periods."""
    bt.write(PERIOD, period_us)
    bt.write(RUNTIME, runtime_us)
    periods = max(4, 4000000 // period_us)
    with Batch("burn", policy=POLICY, cpu=LAST) as hog:
        # Where it is at its limit, and no period is the first.
        time.sleep(2 * period_us / 1e6)
        with Measured(hog) as measured:
            time.sleep(periods * period_us / 1e6)
    note("cpus", measured.cpus)
    allowed = 0.01 if is_deterministic() else 0.05
    assert measured.cpus[0] == pytest.approx(runtime_us / period_us, rel=allowed)


@pytest.mark.limit(60)
def test_limit_is_of_each_cpu_and_of_all_its_tasks(sched, note):
    """Two on one CPU share what one would have; another CPU has its own."""
    bt.write(PERIOD, 100000)
    bt.write(RUNTIME, 30000)
    with batches(2, "burn", policy=POLICY, cpu=LAST) as pair, \
            Batch("burn", policy=POLICY, cpu=bt.CPUS[0]) as alone:
        time.sleep(0.3)
        with Measured(*pair, alone) as measured:
            time.sleep(1.5)
    note("cpus", measured.cpus)
    assert sum(measured.cpus[:2]) == pytest.approx(0.3, rel=0.03)
    assert measured.cpus[2] == pytest.approx(0.3, rel=0.03)


@pytest.mark.limit(60)
@pytest.mark.parametrize("runtime_us", [100000, 150000])
def test_limit_of_a_whole_period_is_none(sched, runtime_us):
    """Or more."""
    bt.write(PERIOD, 100000)
    bt.write(RUNTIME, runtime_us)
    with Batch("burn", policy=POLICY, cpu=LAST) as hog:
        time.sleep(0.2)
        with Measured(hog) as measured:
            time.sleep(0.5)
    assert measured.cpus[0] > 0.97


@pytest.mark.limit(60)
def test_limit_counts_what_ran_and_not_what_waited(sched):
    """Beside online work that leaves half, BT with a limit of a quarter has the quarter."""
    bt.write(PERIOD, 100000)
    bt.write(RUNTIME, 25000)
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, busy_cpus([LAST]) as [online]:
        for _ in range(2):
            online.signal(signal.SIGSTOP)
            time.sleep(0.3)
            with Measured(hog) as measured:
                time.sleep(0.5)
            assert measured.cpus[0] == pytest.approx(0.25, rel=0.1)
            online.signal(signal.SIGCONT)
            time.sleep(0.3)


@pytest.mark.limit(60)
def test_a_throttled_cpu_is_idle_to_others(sched, turns, note):
    """Its time is counted as idle, and who wakes up finds it so."""
    bt.write(PERIOD, 1000000)
    bt.write(RUNTIME, 100000)
    with Batch("burn", policy=POLICY, cpu=LAST):
        time.sleep(1)
        before = bt.cpu_lines()[f"cpu{LAST}"][3]
        time.sleep(2)
        idle = bt.cpu_lines()[f"cpu{LAST}"][3] - before
    note("idle_ticks", idle)
    assert 160 <= idle <= 190


@pytest.mark.limit(60)
def test_throttled_ones_can_be_killed_stopped_and_moved(sched):
    """They wait for nothing but the CPU."""
    bt.write(PERIOD, 10000000)
    bt.write(RUNTIME, 10000)
    with Batch("burn", policy=POLICY, cpu=LAST) as hog:
        wait_until(lambda: hog.time() > 10_000_000, "the limit")
        # To the class of everybody, and back; onto another CPU; and dead.
        bt.leave(hog.pid)
        with Measured(hog) as measured:
            time.sleep(0.2)
        assert measured.cpus[0] > 0.5 / SCALE
        bt.enter(hog.pid)
        before = hog.time()
        os.sched_setaffinity(hog.pid, {bt.CPUS[0]})
        wait_until(lambda: hog.time() > before + 5_000_000, "the other CPU's share", timeout=2)
        time.sleep(0.2)
        start = time.monotonic()
        hog.process.kill()
        # Unlike a signal's handler, dying isn't work of the class: or it takes up to the period.
        hog.process.wait(30)
        assert time.monotonic() - start < 10.5


# --- The floor ----------------------------------------------------------------------------------

@pytest.mark.limit(60)
def test_floor(sched, note):
    """What BT is given, whatever the others want."""
    bt.write(PERIOD, 100000)
    bt.write(FLOOR, 10000)
    with Batch("burn", policy=POLICY, cpu=LAST) as hog, busy_cpus([LAST]) as [normal]:
        time.sleep(0.3)
        with Measured(hog, normal) as measured:
            time.sleep(2)
    note("cpus", measured.cpus)
    assert measured.cpus[0] == pytest.approx(0.1, abs=0.02)
    assert measured.cpus[1] > 0.85
