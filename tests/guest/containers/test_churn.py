# SPDX-License-Identifier: GPL-2.0
"""200 containers that come and go, while the module does as well."""

import os
import pathlib
import subprocess
import time

import linux
import pytest
import view
from cgroup import ROOT, Cgroup
from hammer import priority
from module import path
from target import SCALE, helper, wait_until

COUNT = 200


def run_pods(group, seconds, meanwhile, count=COUNT):
    """Containers come and go for so long and until `meanwhile` is done; what was counted."""
    with subprocess.Popen([helper("pods"), group.path, str(count), str(seconds)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        meanwhile(process)
        text, _ = process.communicate(timeout=(seconds + 120) * SCALE)
    assert process.returncode == 0
    print(text)
    return {name: (int(value) if value.isdigit() else value) for name, value in
            (line.split(" ", 1) for line in text.splitlines())}


def dying():
    """Cgroups that are removed but still there."""
    return Cgroup.existing(ROOT).numbers("cgroup.stat")["nr_dying_descendants"]


def memory():
    """Bytes of the kernel's own memory: slab caches and per-CPU areas. Without what the caches keep
    of freed objects, which is more than what is looked for."""
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    for cache in pathlib.Path("/sys/kernel/slab").iterdir():
        if not cache.is_symlink():
            (cache / "shrink").write_text("1")
    meminfo = view.meminfo(pathlib.Path("/proc/meminfo").read_text())
    return meminfo["Slab"] + meminfo["Percpu"]


@pytest.fixture
def group():
    """Where the containers are."""
    with Cgroup("pods") as made:
        made.delegate("+memory +cpu +cpuset +io +pids")
        yield made


def settle(before=0):
    """Waits until what was removed is gone."""
    def gone():
        # Caches hold them.
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return dying() <= before

    wait_until(gone, "the end of removed cgroups", timeout=30)


@pytest.mark.storm
@pytest.mark.limit(300)
def test_module_comes_and_goes_with_the_containers(cgroup_isolation_module, group):
    """No wrong owner, whoever loads and unloads."""
    cgroup_isolation_module.load_needed()
    file = os.open(path("cgroup_isolation"), os.O_RDONLY)
    before = dying()
    rounds = 0

    def load_and_unload(process):
        nonlocal rounds
        end = time.monotonic() + 20 * SCALE
        with priority(-10):
            # On a busy machine it takes longer.
            while time.monotonic() < end or rounds < 10:
                assert linux.errno_of(linux.finit_module, file) == 0
                # At times long enough for all to be read, at times in the middle of it.
                time.sleep(0.05 * (rounds % 10))
                assert cgroup_isolation_module.remove() == 0
                rounds += 1
                assert process.poll() is None

    counts = run_pods(group, 20, load_and_unload)
    os.close(file)
    print(f"loaded and unloaded {rounds} times")
    assert counts["wrong"] == 0, counts
    assert counts["made"] > COUNT
    assert counts["own"] > 100
    assert counts["host"] > 100
    settle(before)


@pytest.mark.storm
@pytest.mark.limit(300)
def test_nothing_is_left_of_containers(cgroup_isolation_module, group):
    """Their cgroups go, and the kernel's memory doesn't grow with each of them. Its caches grow at
    first, more or less; but what each container leaves, every round would."""
    def fill():
        counts = run_pods(group, 5, lambda process: None, count=COUNT // 2)
        settle(before)
        return counts

    before = dying()
    fill()
    plain = memory()
    cgroup_isolation_module.load()
    taken, made = [], []
    for _ in range(8):
        counts = fill()
        assert counts["wrong"] == 0, counts
        assert counts["host"] == 0, "a container was shown the host's memory"
        made.append(counts["made"])
        taken.append(memory())
    cgroup_isolation_module.unload()
    print(plain, taken, made, memory())
    # Some bytes of each container would show in every round.
    assert min(later - earlier for earlier, later in zip(taken, taken[1:])) < 256 * min(made)
    assert memory() - plain < 1 << 19
