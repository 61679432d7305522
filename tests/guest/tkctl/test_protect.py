# SPDX-License-Identifier: GPL-2.0
"""tkctl protect starts programs that nobody can look into."""

import contextlib
import os
import pathlib
import subprocess

import pytest
from command import TKCTL
from target import wait_until


@contextlib.contextmanager
def running(*words):
    """A program that was started with `tkctl protect`, once it is that program."""
    with subprocess.Popen([TKCTL, "protect", *words], stdin=subprocess.PIPE) as process:
        name = pathlib.Path(f"/proc/{process.pid}/comm")
        wait_until(lambda: name.read_text() != "tkctl\n", "tkctl becomes the program")
        try:
            yield process.pid
        finally:
            process.kill()


def can_be_read(pid):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
        return True
    except PermissionError:
        return False


def protected():
    return int(pathlib.Path("/sys/class/misc/ttools/protected").read_text())


def test_program_is_protected_from_root(ttools):  # pylint: disable=unused-argument
    with running("--", "sleep", "1000") as pid:
        assert not can_be_read(pid)
        strace = subprocess.run(["strace", "-p", str(pid)], capture_output=True, text=True,
                                check=False)
        assert strace.returncode and "Operation not permitted" in strace.stderr
        assert protected() == 1
    wait_until(lambda: protected() == 0, "the end of the protection")


@pytest.mark.parametrize("options, expected", [((), 1), (("--tree",), 2)])
def test_children_are_protected_with_tree(ttools, options, expected):
    # pylint: disable=unused-argument
    with running(*options, "--", "sh", "-c", "sleep 1000 & wait") as pid:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        wait_until(lambda: children.read_text().split(), "a child")
        child = int(children.read_text().split()[0])
        name = pathlib.Path(f"/proc/{child}/comm")
        wait_until(lambda: name.read_text() == "sleep\n", "the child is sleep")
        assert protected() == expected
        assert can_be_read(child) == (expected == 1)
        os.kill(child, 9)


def test_protected_twice_is_protected(tkctl, ttools):  # pylint: disable=unused-argument
    result = tkctl("protect", "--tree", "--", TKCTL, "protect", "--tree", "--", "echo", "done")
    assert (result.returncode, result.stdout) == (0, "done\n")


def test_status_is_the_programs(tkctl, ttools):  # pylint: disable=unused-argument
    assert tkctl("protect", "--", "sh", "-c", "exit 7").returncode == 7
    assert tkctl("protect", "--", "/nonexistent").returncode == 127
    assert tkctl("protect", "--", "/etc/passwd").returncode == 126


def test_program_gets_its_arguments_and_no_descriptor(tkctl, ttools):
    # pylint: disable=unused-argument
    result = tkctl("protect", "--", "printf", "%s.", "--tree", "a b")
    assert result.stdout == "--tree.a b."
    result = tkctl("protect", "--", "ls", "-l", "/proc/self/fd")
    assert "ttools" not in result.stdout


def test_without_the_module_nothing_is_started(tkctl, ttools_module):
    # pylint: disable=unused-argument
    result = tkctl("protect", "--", "echo", "started")
    assert (result.returncode, result.stdout) == (125, "")
    assert "is the module ttools loaded?" in result.stderr


def test_refusal_is_said(tkctl, ttools_module):
    ttools_module.load(admin_only=1)
    result = tkctl("protect", "--", "echo", "started", user=65534)
    assert (result.returncode, result.stdout) == (125, "")
    assert "Operation not permitted" in result.stderr
