# SPDX-License-Identifier: GPL-2.0
"""tkctl pagecache shows, sets and watches the limit."""

import json
import pathlib
import subprocess

import pytest
from cgroup import Cgroup
from command import TKCTL

VM = pathlib.Path("/proc/sys/vm")

pytestmark = pytest.mark.usefixtures("pclimit")


def setting(name):
    return int((VM / f"pagecache_limit_{name}").read_text())


def test_set_percent_bytes_and_off(tkctl):
    assert tkctl("pagecache", "set", "50%", "--reclaim-ratio", "60").returncode == 0
    assert (setting("ratio"), setting("reclaim_ratio")) == (50, 60)
    assert tkctl("pagecache", "set", "1.5G").returncode == 0
    assert (setting("ratio"), setting("bytes")) == (0, 3 << 29)
    assert tkctl("pagecache", "set", "off").returncode == 0
    assert (setting("ratio"), setting("bytes")) == (0, 0)


def test_set_the_rest(tkctl):
    result = tkctl("pagecache", "set", "50%", "--mode", "async", "--ignore-dirty", "0",
                   "--ignore-slab", "0")
    assert (result.returncode, result.stderr) == (0, "")
    assert [setting(name) for name in ("async", "ignore_dirty", "ignore_slab")] == [1, 0, 0]
    assert tkctl("pagecache", "set", "--mode", "sync").returncode == 0
    assert (setting("async"), setting("ratio")) == (0, 50)


@pytest.mark.parametrize("words, reason", [
    (("--mode", "async"), "pagecache_limit_async rejects 1: Invalid argument"),
    (("50%", "--reclaim-ratio", "51"), "pagecache_limit_reclaim_ratio rejects 51"),
    (("1B",), "pagecache_limit_bytes rejects 1"),
])
def test_says_what_was_rejected(tkctl, words, reason):
    result = tkctl("pagecache", "set", *words)
    assert result.returncode == 1
    assert reason in result.stderr


def test_only_root_sets(tkctl):
    result = tkctl("pagecache", "set", "50%", user=65534)
    assert result.returncode == 1 and "Permission denied" in result.stderr
    assert setting("ratio") == 0


def test_show(tkctl):
    tkctl("pagecache", "set", "50%")
    shown = json.loads(tkctl("pagecache", "show", "--json").stdout)
    assert shown["settings"]["pagecache_limit_ratio"] == 50
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0.45 < shown["limit"] / memory < 0.51
    counted = int((VM / "pagecache_system_usage").read_text()) * 4096
    assert abs(shown["used"] - counted) < 64 << 20
    assert "pagecache_limit_ratio" in tkctl("pagecache", "show").stdout
    tkctl("pagecache", "set", "off")
    assert "limit  none" in tkctl("pagecache", "show").stdout


def test_watch_prints_lines(tkctl):
    tkctl("pagecache", "set", "50%")
    result = tkctl("pagecache", "watch", "--interval", "0.1", "--count", "3")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and len(lines) == 3
    assert all(line.startswith("[") and "reclaimed" in line and "|" in line for line in lines)


def test_watch_draws_a_bar_on_a_terminal():
    command = f"{TKCTL} pagecache watch --interval 0.1 --count 3"
    result = subprocess.run(["script", "-qec", command, "/dev/null"], stdin=subprocess.DEVNULL,
                            capture_output=True, check=True)
    assert result.stdout.count(b"\r[") == 3
    assert result.stdout.rstrip(b"\r\n").count(b"\n") == 0


def test_reader_that_has_enough_is_no_error():
    script = f"set -o pipefail; {TKCTL} pagecache watch --interval 0.01 | head -n 1"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_cgroup(tkctl):
    with Cgroup("tkctl") as group:
        name = pathlib.Path(group.path).name
        result = tkctl("pagecache", "set", "30%", "--cgroup", name)
        assert result.returncode == 1 and "not permitted" in result.stderr
        group.write("memory.max", 100 << 20)
        assert tkctl("pagecache", "set", "30%", "--cgroup", name).returncode == 0
        shown = json.loads(tkctl("pagecache", "show", "--json", "--cgroup", name).stdout)
        assert shown["limit"] == 30 << 20
        assert tkctl("pagecache", "watch", "--count", "1", "--interval", "0.1", "--cgroup",
                     name).stdout.count("at the limit") == 1


def test_without_the_module(tkctl, pclimit):
    pclimit.unload()
    for words in (("show",), ("set", "50%"), ("watch",)):
        result = tkctl("pagecache", *words)
        assert result.returncode == 1 and "is the module pclimit loaded?" in result.stderr
