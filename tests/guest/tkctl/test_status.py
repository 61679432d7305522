# SPDX-License-Identifier: GPL-2.0
"""tkctl status says what the machine has."""

import json
import os
import pathlib

import pytest
from module import path

HOOKS = ("ptrace", "access", "process", "pagecache", "procview", "netbind", "mounts", "uname",
         "epoll", "signal", "pidfile", "irqs", "tcp")
# Only hooks.patch has these.
PATCHED = ("maps", "sched")


def status(tkctl, **options):
    result = tkctl("status", "--json", **options)
    assert result.returncode == 0 and result.stderr == ""
    return json.loads(result.stdout)


def module(found, name):
    return next(item for item in found["modules"] if item["name"] == name)


@pytest.mark.parametrize("user", [0, 65534])
def test_hooks_of_this_kernel(tkctl, user):
    found = status(tkctl, user=user)
    assert found["kernel"] == os.uname().release
    if path("tkhooks"):
        assert found["hooks"] == dict.fromkeys(HOOKS, "ftrace")
        assert found["unavailable"] == {hook: "tkhooks doesn't offer it, only hooks.patch" for hook in PATCHED}
    else:
        assert found["hooks"] == dict.fromkeys(HOOKS + PATCHED, "patch")
        assert found["unavailable"] == {}
    assert all(not item["missing_hooks"] for item in found["modules"] if item["state"] != "absent")


def test_follows_loading_and_unloading(tkctl, ttools_module):
    assert module(status(tkctl), "ttools")["state"] == "installed"
    ttools_module.load()
    assert module(status(tkctl), "ttools")["state"] == "loaded"
    with open("/dev/ttools", "rb"):
        assert module(status(tkctl), "ttools")["users"] == 1
    ttools_module.unload()
    assert module(status(tkctl), "ttools")["state"] == "installed"


def test_counters_of_ttools(tkctl, ttools):  # pylint: disable=unused-argument
    assert module(status(tkctl), "ttools")["counters"] == {
        "protected": 0, "refused": 0, "refused_looks": 0}


def test_every_setting_and_counter_of_pclimit(tkctl, pclimit):  # pylint: disable=unused-argument
    pathlib.Path("/proc/sys/vm/pagecache_limit_ratio").write_text("50\n")
    found = module(status(tkctl), "pclimit")
    names = {path.name for path in pathlib.Path("/proc/sys/vm").glob("pagecache_limit_*")}
    assert set(found["settings"]) == names
    assert found["settings"]["pagecache_limit_ratio"] == 50
    lines = pathlib.Path("/proc/pagecache_limit").read_text().splitlines()
    assert {line.split()[0] for line in lines} | {"pagecache_system_usage"} == set(found["counters"])


def test_settings_of_cgroup_isolation(tkctl, cgroup_isolation_module):
    cgroup_isolation_module.load()
    found = module(status(tkctl), "cgroup_isolation")
    assert found["settings"] == {
        "container_btime_isolated": 1, "container_cpuquota_aware": 1,
        "cpuset_cpuinfo_show_realinfo": 0, "stats_isolated": 1}


def test_table(tkctl, ttools):  # pylint: disable=unused-argument
    result = tkctl("status")
    assert result.returncode == 0
    assert f"kernel  {os.uname().release}" in result.stdout
    row = next(line.split() for line in result.stdout.splitlines() if line.startswith(" ttools"))
    assert row[:3] == ["ttools", "loaded", "0"]
