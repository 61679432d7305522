# SPDX-License-Identifier: GPL-2.0
"""Who sent a fatal signal to whom, in the kernel's log."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from boxes import Box, outcome, assert_container_cant_write
from target import SCALE, wait_until
from writes import sysctl_storm

SWITCH = pathlib.Path("/proc/sys/kernel/print-fatal-signals-src-dst")
KERNELS_OWN = pathlib.Path("/proc/sys/kernel/print-fatal-signals")
LEFT_OUT = re.compile(r"^fatal_signals: (\d+) callbacks suppressed$")
# Compilers differ in which of a system call's functions calls the others.
SYS_KILL = re.compile(r"^ __(x64|se)_sys_(kill|pidfd_send_signal)\+0x")
LINE = re.compile(r"^pid: (\d+), comm: (.*) try to send fatal sig: (\d+) to pid: (\d+), comm: (.*)$")
# As many as pass in so many seconds.
BURST, INTERVAL = 10, 5
FATAL = ("QUIT", "ILL", "TRAP", "ABRT", "FPE", "SEGV", "BUS", "SYS", "XCPU", "XFSZ")
OTHERS = ("HUP", "INT", "KILL", "TERM", "PIPE", "ALRM", "USR1", "CHLD", "CONT", "WINCH")
IGNORING = ["python3", "-Ic", """if 1:
    import signal, time
    for number in set(signal.valid_signals()) - {9, 19}:
        signal.signal(number, signal.SIG_IGN)
    print("ready", flush=True)
    time.sleep(1000)"""]


@pytest.fixture
def reports(fatal_signals, kernel_log):
    """Switches the module on; what is logged then. The limit has passed."""
    kernel_log.allow_call_traces = True
    SWITCH.write_text("1\n")

    def get():
        return [LINE.match(line).groups() for line in kernel_log.matching(" try to send fatal sig: ")]

    yield get
    SWITCH.write_text("0\n")


@pytest.fixture
def victim():
    """A process that ignores all signals."""
    with subprocess.Popen(IGNORING, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def comm():
    """The name of this process."""
    return pathlib.Path("/proc/self/comm").read_text().strip()


def wait_for(reports, count):
    """That many lines; the worker prints them."""
    wait_until(lambda: len(reports()) >= count, f"{count} lines, not {reports()}", timeout=30)
    return reports()


def test_fatal_signals_are_reported(reports, victim):
    """Each whose default is to dump core, though they are ignored; no others."""
    for name in OTHERS:
        if name not in ("KILL", "TERM"):
            victim.send_signal(getattr(signal, f"SIG{name}"))
    for name in FATAL:
        victim.send_signal(getattr(signal, f"SIG{name}"))
    found = wait_for(reports, len(FATAL))
    target = pathlib.Path(f"/proc/{victim.pid}/comm").read_text().strip()
    assert found == [(str(os.getpid()), comm(), str(int(getattr(signal, f"SIG{name}"))),
                      str(victim.pid), target) for name in FATAL]


def test_kill_and_term_arent_reported(reports):
    """They dump no core."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(["sleep", "1000"]) as process:
            process.send_signal(number)
            process.wait(30 * SCALE)
    time.sleep(1)
    assert reports() == []


def test_stack_of_the_sender_is_printed(reports, victim, kernel_log):
    """What it was doing in the kernel: a system call."""
    victim.send_signal(signal.SIGSEGV)
    wait_for(reports, 1)
    wait_until(lambda: kernel_log.matching(SYS_KILL), "the stack")
    lines = kernel_log.read()
    start = next(number for number, line in enumerate(lines) if LINE.match(line))
    assert lines[start + 1] == "Call Trace:"
    assert any(SYS_KILL.match(line) for line in lines[start:start + 26])
    assert any("entry_SYSCALL" in line for line in lines[start:start + 26])


def test_fault_names_the_victim_twice(reports):
    """It sends the signal to itself."""
    done = subprocess.run(["python3", "-Ic", "import ctypes; ctypes.string_at(8)"], check=False,
                          capture_output=True, timeout=30 * SCALE)
    assert done.returncode == -signal.SIGSEGV
    [(sender, name, number, target, target_name)] = wait_for(reports, 1)
    assert sender == target and name == target_name and number == "11"


def test_numbers_are_the_hosts(reports):
    """Also of processes in containers."""
    with Box("signals") as box:
        child = box.start(*IGNORING, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        inside = box.run("pgrep", "-n", "python3").strip()
        status, output = outcome(box, "sh", "-c", f"kill -ABRT {inside}")
        assert status == 0, output
        [(_, name, number, target, target_name)] = wait_for(reports, 1)
        assert (number, target_name) == ("6", "python3")
        assert name == "sh"
        words = pathlib.Path(f"/proc/{target}/status").read_text()
        assert re.search(rf"^NSpid:\t{target}\t{inside}$", words, re.M), words
        child.kill()
        child.wait(30 * SCALE)
        child.stdout.close()


def test_names_cant_forge_lines(reports, victim):
    """What isn't plain text is a question mark."""
    path = pathlib.Path("/proc/self/comm")
    before = path.read_text()
    path.write_text("a\nb\x1b[1m")
    try:
        victim.send_signal(signal.SIGQUIT)
        assert wait_for(reports, 1)[0][1] == "a?b?[1m"
    finally:
        path.write_text(before.strip())


@pytest.mark.limit(120)
def test_flood_is_limited(reports, victim, kernel_log):
    """To a burst, however many senders there are; the kernel says how many were left out."""
    begin = time.monotonic()
    count = 20000
    program = f"import os, sys\nfor _ in range({count}): os.kill(int(sys.argv[1]), 11)"
    senders = [subprocess.Popen(["python3", "-Ic", program, str(victim.pid)])
               for _ in range(3)]
    for sender in senders:
        assert sender.wait(60 * SCALE) == 0
    took = time.monotonic() - begin
    found = wait_for(reports, BURST)
    time.sleep(1)
    assert BURST <= len(reports()) <= BURST * (took // INTERVAL + 1), took
    assert len(found) <= BURST * (took // INTERVAL + 1)
    # It says so with the first one that passes when the limit has.
    time.sleep(INTERVAL)
    before = len(reports())
    victim.send_signal(signal.SIGSEGV)
    wait_for(reports, before + 1)
    left_out = [int(LEFT_OUT.match(line)[1]) for line in kernel_log.matching(LEFT_OUT)]
    assert sum(left_out) + len(reports()) == len(senders) * count + 1


def test_nothing_is_reported_unless_switched_on(fatal_signals, kernel_log, victim):
    """Nor after it was switched off, or the module unloaded."""
    assert SWITCH.read_text() == "0\n"
    victim.send_signal(signal.SIGSEGV)
    fatal_signals.unload()
    victim.send_signal(signal.SIGSEGV)
    time.sleep(1)
    assert not kernel_log.matching("try to send")


def test_own_setting_of_the_kernel_stays(fatal_signals):
    """kernel.print-fatal-signals is another thing: neither changes the other."""
    before = KERNELS_OWN.read_text()
    try:
        for mine, other in ((1, 0), (0, 1), (1, 1)):
            SWITCH.write_text(f"{mine}\n")
            KERNELS_OWN.write_text(f"{other}\n")
            assert (SWITCH.read_text(), KERNELS_OWN.read_text()) == (f"{mine}\n", f"{other}\n")
        fatal_signals.unload()
        assert KERNELS_OWN.read_text() == "1\n"
        fatal_signals.load()
        assert (SWITCH.read_text(), KERNELS_OWN.read_text()) == ("0\n", "1\n")
    finally:
        KERNELS_OWN.write_text(before)


def test_containers_root_cant_switch(fatal_signals):
    """It would be heard on the host."""
    assert_container_cant_write(SWITCH, 1, "signals-root")


@pytest.mark.limit(300)
def test_10000_random_writes(fatal_signals, kernel_log):
    """What is stored is what was written."""
    kernel_log.allow_call_traces = True
    try:
        sysctl_storm(SWITCH, -2 ** 31, 2 ** 31 - 1)
    finally:
        SWITCH.write_text("0\n")


@pytest.mark.storm
@pytest.mark.limit(180)
@pytest.mark.parametrize("rounds", [20, pytest.param(50, marks=pytest.mark.long)])
def test_comes_and_goes_while_signals_fly(fatal_signals, kernel_log, victim, rounds):
    """From other CPUs, timers and faults; a report that isn't printed yet is dropped or printed."""
    kernel_log.allow_call_traces = True
    program = """if 1:
        import os, signal, sys, time
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        while True:
            os.kill(int(sys.argv[1]), 11)
            os.kill(os.getpid(), signal.SIGQUIT)"""
    senders = [subprocess.Popen(["python3", "-Ic", program, str(victim.pid)]) for _ in range(2)]
    for _ in range(rounds):
        fatal_signals.clean_up()
        fatal_signals.load()
        SWITCH.write_text("1\n")
        time.sleep(0.05)
        # Or the kernel's buffer runs over before it is read.
        kernel_log.read()
    for sender in senders:
        sender.kill()
        sender.wait(30 * SCALE)
    fatal_signals.unload()
    assert kernel_log.matching("try to send fatal sig")
