# SPDX-License-Identifier: GPL-2.0
"""Everything at once: nobody is lost, and the kernel has nothing to say."""

import contextlib
import random
import subprocess
import time

import bt
import pytest
from bt import Batch, busy_cpus
from bt_storm import PAUSE_US, TASKS, Repeated, crowd, hotplug, meddle
from hammer import priority
from target import SCALE

LOADS = 100


@pytest.fixture(autouse=True)
def above_the_storm():
    """What directs it gets a CPU."""
    with priority(-15):
        yield


@pytest.mark.storm
@pytest.mark.limit(1200)
def test_thousand_tasks(bt_module, note):
    """They switch, fork, die and move, CPUs go and come, and the module 100 times meanwhile."""
    draw = random.Random(5)
    bt_module.load()
    with crowd(TASKS, PAUSE_US) as processes, contextlib.ExitStack() as stack:
        if len(bt.CPUS) > 1:
            plugs = random.Random(6)
            plug = stack.enter_context(Repeated(lambda: hotplug(plugs), pause=0.05))
        other = stack.enter_context(Repeated(lambda: meddle(draw, processes)))
        longest = 0
        for number in range(LOADS):
            for process in draw.sample(processes, 20):
                with contextlib.suppress(OSError):
                    bt.enter(process.pid)
            time.sleep(0.005 * (number % 8))
            start = time.monotonic()
            bt_module.unload()
            longest = max(longest, time.monotonic() - start)
            assert not bt.everybodys_policy()
            bt_module.load()
        note("longest_unload_s", longest)
        note("meddled", other.count)
        if len(bt.CPUS) > 1:
            note("hotplugs", plug.count)


@pytest.mark.storm
@pytest.mark.limit(600)
def test_loads_and_unloads_with_starved_ones(bt_module, note):
    """In system calls, beside online work on each CPU."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(busy_cpus())
        victims = [stack.enter_context(Batch(*work, cpu=cpu)) for cpu in bt.CPUS
                   for work in (("proc",), ("mmap",), ("fork",), ("burn",))]
        longest = 0
        for number in range(LOADS // 2):
            bt_module.load()
            for victim in victims:
                bt.enter(victim.pid)
            time.sleep(0.002 * (number % 10))
            start = time.monotonic()
            bt_module.unload()
            longest = max(longest, time.monotonic() - start)
            assert not bt.everybodys_policy()
        note("longest_unload_s", longest)
        for victim in victims:
            assert victim.stop() > 0


@pytest.mark.storm
@pytest.mark.limit(600)
@pytest.mark.parametrize("reload", [False, True], ids=["loaded", "reloaded"])
def test_stress_ng(sched, reload):
    """Its stressors of schedulers and affinity, in the class and outside."""
    seconds = 20
    stressors = ["--schedpolicy", "4", "--affinity", "4", "--yield", "4", "--fork", "2", "--switch", "2",
                 "--nice", "2", "--schedmix", "2", "--resched", "1", "--futex", "2",
                 "--timeout", str(seconds), "--metrics-brief"]
    known = subprocess.run(["stress-ng", "--help"], capture_output=True, text=True, check=True).stdout
    # These two look whether they still have the policy that they have set, which unloading takes away.
    setting = ("--schedpolicy", "--resched") if reload else ()
    for name in "--schedpolicy", "--schedmix", "--resched":
        if name not in known or name in setting:
            at = stressors.index(name)
            del stressors[at:at + 2]
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(subprocess.Popen(["stress-ng", *stressors], cwd="/tmp", text=True,
                                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
                for _ in range(2)]
        # Its children inherit it.
        bt.enter(runs[0].pid)
        if reload:
            def again():
                sched.unload()
                sched.load()
                with contextlib.suppress(OSError):
                    bt.enter(runs[0].pid)

            stack.enter_context(Repeated(again, pause=0.2))
        for run in runs:
            output, _ = run.communicate(timeout=20 * seconds * SCALE)
            assert run.returncode == 0, output


@pytest.mark.storm
@pytest.mark.limit(600)
def test_settings_change_all_the_time(sched):
    """Under load, with a limit that is reached."""
    draw = random.Random(7)

    def change():
        bt.write_errno(draw.choice(list(bt.DEFAULTS)), draw.choice([-1, 1, 1000, 20000, 100000, 1000000]))

    with crowd(100) as processes, Repeated(change), Repeated(lambda: meddle(draw, processes)):
        for process in processes:
            with contextlib.suppress(OSError):
                bt.enter(process.pid)
        time.sleep(20)
        # For the end, which nobody of the class may come to otherwise, nor who goes back to it while
        # those that haven't ended yet have all CPUs.
        sched.unload()
