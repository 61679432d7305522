# SPDX-License-Identifier: GPL-2.0
"""tkctl offline puts programs into class BT, or says that the kernel has none."""

import os
import pathlib
import subprocess

import pytest
from command import TKCTL
from module import loaded, path

SCHED_EXT = pathlib.Path("/sys/kernel/sched_ext")
BT = 8 if SCHED_EXT.exists() else 7


def policy(pid):
    return os.sched_getscheduler(pid)


@pytest.mark.skipif(loaded("bt_sched_shim"), reason="the class is there")
def test_one_sentence_without_the_class(tkctl):
    for words in (("--", "echo", "started"), ("--pid", str(os.getpid()))):
        result = tkctl("offline", *words)
        assert result.returncode == (125 if words[0] == "--" else 1)
        assert result.stdout == "" and result.stderr.count("\n") == 1
        assert "this kernel has no class for offline work" in result.stderr
    assert policy(0) == os.SCHED_OTHER


def test_no_such_process(tkctl):
    with subprocess.Popen(["true"]) as process:
        pass
    result = tkctl("offline", "--pid", str(process.pid))
    assert result.returncode == 1 and f"no process {process.pid}" in result.stderr


@pytest.mark.skipif(path("bt_sched_shim") is None, reason="bt_sched_shim isn't built yet")
def test_program_and_process_are_moved():
    subprocess.run(["modprobe", "bt_sched_shim"], check=True)
    try:
        with subprocess.Popen([TKCTL, "offline", "--", "cat"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdin.write(b"x")
            process.stdin.flush()
            assert process.stdout.read(1) == b"x"
            assert policy(process.pid) == BT
            process.kill()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
            subprocess.run([TKCTL, "offline", "--pid", str(process.pid)], check=True)
            assert policy(process.pid) == BT
            process.kill()
    finally:
        subprocess.run(["rmmod", "bt_sched_shim"], check=True)
