# SPDX-License-Identifier: GPL-2.0
"""Programs that people use, on protected and other processes."""

import os
import pathlib
import re
import signal
import subprocess

import pytest
import target as targets

SECRET = targets.SECRET.decode()


def run(*command, timeout=50):
    """Runs a program to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
        timeout=timeout * targets.SCALE, check=False, env={**os.environ, "LC_ALL": "C"},
    )


def gdb(pid, *commands):
    """gdb -p, with commands."""
    return run("gdb", "-nx", "-q", "--batch", "-iex", "set debuginfod enabled off", "-p", str(pid),
               *[word for command in commands for word in ("-ex", command)])


@pytest.mark.limit(120)
def test_gdb_reads_a_process_but_not_a_protected_one(target, spawn):
    """gdb -p"""
    address = target.secret()
    done = gdb(target.pid, f"x/s {address}")
    assert SECRET in done.stdout, done.stderr

    target.protect()
    done = gdb(target.pid, f"x/s {address}")
    assert "Operation not permitted" in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert targets.tracer(target.pid) == 0

    target.unprotect()
    assert SECRET in gdb(target.pid, f"x/s {address}").stdout


@pytest.mark.limit(120)
def test_gcore_dumps_a_process_but_not_a_protected_one(target, tmp_path):
    """gcore"""
    prefix = tmp_path / "core"
    dump = tmp_path / f"core.{target.pid}"

    done = run("gcore", "-o", str(prefix), str(target.pid))
    assert done.returncode == 0, done.stderr
    assert targets.SECRET in dump.read_bytes()
    dump.unlink()

    target.protect()
    done = run("gcore", "-o", str(prefix), str(target.pid))
    assert done.returncode != 0
    assert not dump.exists()


def strace_attaches(target, log):
    """Whether strace -p sees a system call of the target."""
    with subprocess.Popen(
        ["strace", "-p", str(target.pid), "-o", str(log), "-e", "trace=getpid"],
        stderr=subprocess.PIPE, text=True,
    ) as strace:
        try:
            # "attached", or what went wrong.
            line = strace.stderr.readline()
            target.ask("pid")
        finally:
            strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=20 * targets.SCALE)
    return line, "getpid()" in log.read_text()


def test_strace_follows_a_process_but_not_a_protected_one(target, tmp_path):
    """strace -p"""
    log = tmp_path / "log"
    line, seen = strace_attaches(target, log)
    assert "attached" in line and seen

    target.protect()
    line, seen = strace_attaches(target, log)
    assert "Operation not permitted" in line and not seen


@pytest.mark.parametrize("tool", ["stat", "record"])
def test_perf_counts_a_process_but_not_a_protected_one(target, tmp_path, tool):
    """perf stat -p, perf record -p"""
    command = ["perf", tool, "-e", "task-clock:u", "-o", str(tmp_path / "out"), "-p",
               str(target.pid), "--", "true"]
    done = run(*command)
    assert done.returncode == 0, done.stderr
    target.protect()
    done = run(*command)
    assert done.returncode != 0
    assert re.search("permission|not permitted|denied|No permission|Error", done.stderr, re.I)


def test_python_reads_a_process_but_not_a_protected_one(target):
    """/proc/PID/mem from a script of its own"""
    script = (
        "import sys\n"
        "with open(f'/proc/{sys.argv[1]}/mem', 'rb') as mem:\n"
        "    mem.seek(int(sys.argv[2])); print(mem.read(33).decode())\n"
    )
    command = ["python3", "-c", script, str(target.pid), str(target.secret())]
    assert SECRET in run(*command).stdout
    target.protect()
    done = run(*command)
    assert "PermissionError" in done.stderr and SECRET not in done.stdout


def test_pmap_shows_a_process_but_not_a_protected_one(target):
    """pmap(1): the layout helps an attacker."""
    before = run("pmap", str(target.pid)).stdout
    assert "stack" in before
    target.protect()
    assert "stack" not in run("pmap", str(target.pid)).stdout


@pytest.mark.parametrize(
    "command",
    [
        ["ps", "aux"],
        ["ps", "-eLf"],
        ["ps", "-eo", "pid,ppid,user,comm,wchan,nlwp,rss,pcpu,cgroup,args"],
        ["top", "-b", "-n1"],
        ["pgrep", "-a", "target"],
    ],
    ids=" ".join,
)
def test_lists_show_protected_processes(protected, command):
    """procps"""
    done = run(*command)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines()
             if str(protected.pid) in line.split() and "target" in line]
    assert lines, done.stdout


def test_ps_shows_the_same_as_before(target):
    """What doesn't change by itself."""
    fields = "pid,ppid,pgid,uid,comm,args,nlwp,stat,exe,lstart,cgroup,vsz"
    command = ["ps", "-o", fields, "-p", str(target.pid)]
    before = run(*command).stdout
    target.protect()
    assert run(*command).stdout == before


def test_pwdx_and_open_files_are_shown(protected):
    """pwdx(1), and what lsof(8) does."""
    assert "/" in run("pwdx", str(protected.pid)).stdout
    number = protected.open("/etc/passwd")
    links = {entry.name: os.readlink(entry)
             for entry in pathlib.Path(f"/proc/{protected.pid}/fd").iterdir()}
    assert links[str(number)] == "/etc/passwd"


def test_core_dump_of_its_own_crash_still_works(protected):
    """What a process does to itself is none of ours: abort(3) ends it with a signal."""
    os.kill(protected.pid, signal.SIGABRT)
    assert protected.process.wait(20 * targets.SCALE) == -signal.SIGABRT
