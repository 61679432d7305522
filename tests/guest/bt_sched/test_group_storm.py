# SPDX-License-Identifier: GPL-2.0
"""Groups come, go and change while their tasks do what they like."""

import contextlib
import itertools
import os
import random
import time

import bt
import cgroup
import pytest
from bt_group import Group
from bt_storm import PAUSE_US, Repeated, crowd, hotplug, meddle
from hammer import priority

SECONDS = 20
LOADS = 10


@pytest.fixture(autouse=True)
def above_the_storm():
    """What directs it gets a CPU."""
    with priority(-15):
        yield


class Forest:
    """Groups up to three deep below one, which are made, changed and removed at random."""

    def __init__(self, root, draw):
        self.root = root
        self._draw = draw
        self._names = itertools.count()
        self._deep = [[root], [], []]

    def all(self):
        """Those that there are."""
        return [group for level in self._deep for group in level]

    def change(self, processes):
        """One step; what can't be done just now isn't."""
        draw = self._draw
        group = draw.choice(self.all())
        with contextlib.suppress(OSError):
            kind = draw.randrange(9)
            if kind == 0:
                self._make()
            elif kind == 1:
                self._remove()
            elif kind == 2:
                group.write("cpu.offline", draw.randrange(2))
            elif kind == 3:
                group.write("cpu.bt_shares", draw.choice([2, 100, 1024, 262144]))
            elif kind == 4:
                group.write("cpu.bt_max", draw.choice(["max", "1000 10000", "5000 20000", "300000 100000"]))
            elif kind == 5:
                group.write("cpuset.cpus", ",".join(map(str, draw.sample(bt.CPUS, draw.randrange(1, len(bt.CPUS) + 1)))))
            else:
                group.write("cgroup.procs", draw.choice(processes).pid)

    def _make(self):
        level = self._draw.randrange(len(self._deep))
        if level and not self._deep[level - 1]:
            return
        parent = self._draw.choice(self._deep[level - 1]) if level else self.root
        if sum(map(len, self._deep)) > 20:
            return
        # A group whose controllers its members use can have no processes.
        with contextlib.suppress(OSError):
            group = Group(f"g{next(self._names)}", parent)
            group.__enter__()
            self._deep[min(level + (parent is self.root), len(self._deep) - 1)].append(group)

    def _remove(self):
        level = self._draw.choice(self._deep[1:])
        group = self._draw.choice(level) if level else None
        if group and not [child for child in group.path.iterdir() if child.is_dir()]:
            self._evacuate(group)
            group.path.rmdir()
            level.remove(group)

    @staticmethod
    def _evacuate(group):
        while processes := (group.path / "cgroup.procs").read_text().split():
            for pid in processes:
                # Those that fork have children that come and go.
                with contextlib.suppress(ProcessLookupError):
                    (cgroup.ROOT / "cgroup.procs").write_text(pid)

    def clear(self):
        """All but the first."""
        for level in reversed(self._deep[1:]):
            for group in level:
                self._evacuate(group)
                group.remove()
            level.clear()
        self._evacuate(self.root)


@pytest.mark.storm
@pytest.mark.limit(1800)
def test_groups_in_a_storm(bt_module, note):
    """They come, go, flip and get limits; tasks move between them, switch policy and die; CPUs and the
    module come and go. Nobody is lost, and nobody is left in the class."""
    draw = random.Random(11)
    (cgroup.ROOT / "cgroup.subtree_control").write_text("+cpu +cpuset")
    bt_module.load()
    with Group("storm") as root, crowd(200, PAUSE_US // 20) as processes, contextlib.ExitStack() as stack:
        forest = Forest(root, draw)
        stack.callback(forest.clear)
        changes = stack.enter_context(Repeated(lambda: forest.change(processes)))
        meddled = random.Random(12)
        stack.enter_context(Repeated(lambda: meddle(meddled, processes), pause=0.01))
        if len(bt.CPUS) > 1:
            plugs = random.Random(13)
            stack.enter_context(Repeated(lambda: hotplug(plugs), pause=0.2))
        end = time.monotonic() + SECONDS
        loads = 0
        while time.monotonic() < end or loads < LOADS:
            time.sleep(draw.choice([0.02, 0.3]))
            bt_module.unload()
            assert not bt.everybodys_policy()
            for process in processes:
                with contextlib.suppress(OSError):
                    assert bt.Stat(process.pid).priority < 60
            bt_module.load()
            loads += 1
        note("loads", loads)
        note("changes", changes.count)


@pytest.mark.storm
@pytest.mark.limit(600)
def test_groups_come_and_go_without_leaving_memory(sched):
    """What they have in the class goes with them."""

    def used():
        os.sync()
        return int((cgroup.ROOT / "memory.stat").read_text().split("percpu ")[1].split()[0])

    def rounds(count):
        for number in range(count):
            with Group(f"r{number}", cpu_offline=1) as one, Group("below", one) as below:
                below.run("true")

    rounds(20)
    before = used()
    rounds(200)
    time.sleep(1)
    # Groups end some time after they are removed. Each has some kilobytes.
    assert used() - before < 100_000
