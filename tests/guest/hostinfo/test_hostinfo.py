# SPDX-License-Identifier: GPL-2.0
"""/proc/PID/hostinfo: what the host knows a process by."""

import contextlib
import errno
import os
import pathlib
import random
import subprocess
import sys
import threading

import linux
import pytest
from boxes import Bare, Box, outcome, assert_container_cant_write
from target import SCALE, wait_until
from writes import sysctl_storm

SWITCH = pathlib.Path("/proc/sys/kernel/watch_host_pid")
NOBODY = 65534


@pytest.fixture
def watching(hostinfo):
    """The module, switched on."""
    SWITCH.write_text("1\n")
    return hostinfo


def parse(text):
    """Its lines: the name, and lists of numbers."""
    lines = text.split("\n")
    assert len(lines) == 5 and lines[4] == ""
    found = {}
    for line, name in zip(lines, ("Name", "NStgid", "NSpid", "NSsid")):
        label, *values = line.split("\t")
        assert label == f"{name}:"
        found[name] = values[0] if name == "Name" else [int(value) for value in values]
    return found


def status(pid, field):
    """Numbers of a line of /proc/PID/status on the host."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return [int(word) for word in line.split()[1:]]
    raise AssertionError(field)


def test_files_are_empty_until_switched_on(hostinfo):
    """But they are there: for each process and each thread."""
    assert SWITCH.read_text() == "0\n"
    for path in ("/proc/self", f"/proc/self/task/{os.getpid()}", "/proc/1", "/proc/thread-self"):
        assert "hostinfo" in os.listdir(path)
        file = pathlib.Path(path) / "hostinfo"
        assert file.stat().st_mode == 0o100444
        assert file.read_text() == ""
    names = os.listdir("/proc/self")
    assert len(names) == len(set(names))


def test_host_sees_one_number_each(watching):
    """Those of the process itself."""
    info = parse(pathlib.Path("/proc/self/hostinfo").read_text())
    assert info["NStgid"] == info["NSpid"] == [os.getpid()]
    assert info["NSsid"] == [os.getsid(0)]
    assert info["Name"] == pathlib.Path("/proc/self/comm").read_text().strip()
    assert parse(pathlib.Path("/proc/2/hostinfo").read_text()) == {
        "Name": "kthreadd", "NStgid": [2], "NSpid": [2], "NSsid": [0]}


def test_thread_has_its_own_number(watching):
    """In its own file, and its process's number in the other line."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    info = parse(pathlib.Path(f"/proc/self/task/{thread.native_id}/hostinfo").read_text())
    assert (info["NStgid"], info["NSpid"]) == ([os.getpid()], [thread.native_id])
    # As everywhere in procfs a thread has a directory that isn't listed.
    info = parse(pathlib.Path(f"/proc/{thread.native_id}/hostinfo").read_text())
    assert info["NSpid"] == [thread.native_id]
    done.set()
    thread.join()


def test_name_is_escaped(watching):
    """As in /proc/PID/status."""
    path = pathlib.Path("/proc/self/comm")
    before = path.read_text()
    path.write_text("a\\b\nc")
    try:
        line = pathlib.Path("/proc/self/status").read_text().split("\n", maxsplit=1)[0]
        assert line == "Name:\ta\\\\b\\nc"
        assert pathlib.Path("/proc/self/hostinfo").read_text().startswith(line + "\n")
    finally:
        path.write_text(before.strip())


@pytest.mark.parametrize("kind", [lambda: Box("hostinfo"), Bare], ids=["podman", "unshare"])
def test_container_learns_the_hosts_numbers(watching, kind):
    """The reader's own namespace first, the host last: for gdb or perf on the host."""
    with kind() as box:
        child = box.start("sleep", "1000")
        try:
            wait_until(sleepers, "the start of a program in the container")
            [pid] = sleepers()
            inside = status(pid, "NSpid")[1]
            info = parse(box.read(f"/proc/{inside}/hostinfo"))
            assert info["Name"] == "sleep"
            assert info["NStgid"] == info["NSpid"] == [inside, pid]
            assert info["NSsid"] == [status(pid, "NSsid")[1], status(pid, "NSsid")[0]]
            # The init, as it and the others see it.
            info = parse(box.read("/proc/1/hostinfo"))
            assert info["NSpid"] == [1, box.pid]
            # Those who trace from outside find the same process by it.
            name = subprocess.run(["gdb", "-batch", "-nx", "-p", str(pid), "-ex", "info proc cmdline"],
                                  capture_output=True, text=True, timeout=60 * SCALE, check=False)
            assert "sleep 1000" in name.stdout, name.stdout + name.stderr
            # On the host, as one column.
            assert parse(pathlib.Path(f"/proc/{pid}/hostinfo").read_text())["NSpid"] == [pid]
        finally:
            child.kill()
            child.wait(30 * SCALE)


def sleepers():
    """Processes in containers that sleep."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if pathlib.Path(f"/proc/{name}/cmdline").read_text() == "sleep\0001000\0" and len(
                    status(name, "NSpid")) == 2:
                found.append(int(name))
    return found


def test_nested_containers_add_a_column_each(watching):
    """From the innermost outwards."""
    script = "read number rest </proc/self/stat; echo $number; cat /proc/self/hostinfo /proc/$$/hostinfo"
    nest = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"]
    for depth in range(5):
        done = subprocess.run([*nest * depth, "sh", "-c", script], capture_output=True, text=True,
                              timeout=30 * SCALE, check=True)
        lines = done.stdout.splitlines()
        info = parse("\n".join(lines[5:]) + "\n")
        assert len(info["NSpid"]) == len(info["NStgid"]) == len(info["NSsid"]) == depth + 1
        if depth:
            assert info["NSpid"][0] == 1
            assert info["NSpid"] == sorted(info["NSpid"])


def test_reader_deeper_than_the_process_gets_zeros(watching):
    """The original read past the end of an array: the host's /proc seen in a container."""
    nest = ["unshare", "--pid", "--fork"] * 3
    done = subprocess.run([*nest, "cat", f"/proc/{os.getpid()}/hostinfo", "/proc/1/hostinfo"],
                          capture_output=True, text=True, timeout=30 * SCALE, check=True)
    lines = done.stdout.splitlines()
    assert parse("\n".join(lines[:4]) + "\n")["NSpid"] == [0, 0, 0, os.getpid()]
    assert parse("\n".join(lines[4:]) + "\n")["NStgid"] == [0, 0, 0, 1]


def test_session_from_outside_is_zero_inside(watching):
    """As in the kernel's own files."""
    with Bare() as box:
        info = parse(box.read("/proc/1/hostinfo"))
        assert info["NSsid"] == [0, os.getsid(box.pid)]


def test_everybody_may_read(watching):
    """Who sees the directory sees the file; hidepid hides both."""
    done = subprocess.run(["cat", f"/proc/{os.getpid()}/hostinfo"], user=NOBODY, capture_output=True,
                          text=True, timeout=30 * SCALE, check=True)
    assert parse(done.stdout)["NSpid"] == [os.getpid()]
    with Bare("--mount", "--pid", "--fork", "--mount-proc") as box:
        box.run("mount", "-o", "remount,hidepid=2", "/proc")
        state, _ = outcome(box, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                           "--clear-groups", "cat", "/proc/1/hostinfo")
        assert state


def test_open_file_of_a_dead_process(watching):
    """ESRCH."""
    child = subprocess.Popen(["sleep", "1000"])
    file = os.open(f"/proc/{child.pid}/hostinfo", os.O_RDONLY)
    child.kill()
    child.wait(30 * SCALE)
    assert linux.errno_of(os.read, file, 100) == errno.ESRCH
    os.close(file)


def test_unloaded_file_is_gone_at_once(watching):
    """For all processes, also where somebody has it open or walked over it just before."""
    paths = ["/proc/self/hostinfo", f"/proc/self/task/{os.getpid()}/hostinfo", "/proc/1/hostinfo"]
    subprocess.run(["find", "/proc", "-maxdepth", "4", "-name", "hostinfo"], check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60 * SCALE)
    files = [os.open(path, os.O_RDONLY) for path in paths]
    for file in files:
        assert os.read(file, 5) == b"Name:"
    watching.unload()
    for path in paths:
        assert not os.path.exists(path)
        assert linux.errno_of(os.open, path, os.O_RDONLY) == errno.ENOENT
        assert "hostinfo" not in os.listdir(os.path.dirname(path))
    for file in files:
        os.lseek(file, 0, os.SEEK_SET)
        assert linux.errno_of(os.pread, file, 100, 0) == errno.EIO
    watching.load()
    assert pathlib.Path(paths[0]).read_text() == ""
    for file in files:
        os.close(file)


def test_containers_root_cant_switch(hostinfo):
    """podman's has no CAP_SYS_ADMIN."""
    assert_container_cant_write(SWITCH, 1, "hostinfo-root")


@pytest.mark.limit(300)
def test_10000_random_writes(hostinfo):
    """What is stored is what was written."""
    sysctl_storm(SWITCH, -2 ** 31, 2 ** 31 - 1)


@pytest.mark.storm
@pytest.mark.limit(240)
def test_comes_and_goes_while_processes_do(hostinfo):
    """And while others read their files in all directories, in small pieces."""
    program = """if 1:
        import glob, os, random, subprocess, sys
        there = gone = 0
        for turn in range(int(sys.argv[1])):
            child = subprocess.Popen(["sleep", "0.05"])
            for path in glob.glob("/proc/[0-9]*/hostinfo") + glob.glob("/proc/self/task/*/hostinfo"):
                try:
                    with open(path, "rb", buffering=0) as file:
                        while file.read(random.randrange(1, 200)):
                            pass
                    there += 1
                except OSError:
                    gone += 1
            child.wait()
        print(there, gone)"""
    readers = [subprocess.Popen([sys.executable, "-Ic", program, "40"], stdout=subprocess.PIPE, text=True)
               for _ in range(2)]
    generator = random.Random(2)
    rounds = 0
    while any(reader.poll() is None for reader in readers):
        hostinfo.clean_up()
        hostinfo.load()
        SWITCH.write_text(str(generator.randrange(2)))
        rounds += 1
    for reader in readers:
        there, _ = map(int, reader.stdout.read().split())
        reader.stdout.close()
        assert reader.returncode == 0 and there
    print(f"{rounds} loads")
    assert rounds >= 5
