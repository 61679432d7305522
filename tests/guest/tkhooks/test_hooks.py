# SPDX-License-Identifier: GPL-2.0
"""Hooks of a kernel without hooks.patch: attached while a feature is loaded, and no trace afterwards."""

import contextlib
import errno
import os
import pathlib
import select
import signal
import socket
import struct
import threading

import pytest
import traces
from module import Module, loaded, path
from target import wait_until
from writes import write

TRACING = pathlib.Path("/sys/kernel/tracing")
SWITCH = pathlib.Path("/proc/sys/kernel/ftrace_enabled")
FUNCTIONS = {
    "epoll_min_wait": ["do_epoll_wait"],
    "fatal_signals": ["__send_signal_locked"],
    "nonpriv_netbind": ["__inet_bind", "__inet6_bind"],
}
# Of the text, from the beginning of a function on.
LENGTH = 32

pytestmark = pytest.mark.skipif(not path("tkhooks"), reason="this kernel has hooks.patch")


def hooked():
    """The functions that tkhooks has."""
    lines = (TRACING / "enabled_functions").read_text().splitlines()
    return {line.split()[0] for line in lines if "[tkhooks]" in line}


def text(function):
    """The first bytes of a function, as the CPU has them now."""
    address = next(int(line.split()[0], 16) for line in pathlib.Path("/proc/kallsyms").open(encoding="ascii")
                   if line.split()[2] == function)
    with open("/proc/kcore", "rb") as core:
        header = core.read(64)
        offset, size, count = (struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54))
        for number in range(count):
            core.seek(offset + number * size)
            _, _, at, start, _, length, _, _ = struct.unpack("<IIQQQQQQ", core.read(56))
            if start <= address < start + length:
                core.seek(at + address - start)
                return core.read(LENGTH)
    raise AssertionError(f"{function} isn't in the kernel's memory")


def texts():
    """Of all functions that are hooked."""
    return {function: text(function) for functions in FUNCTIONS.values() for function in functions}


@contextlib.contextmanager
def features(*names):
    """Loaded, in that order."""
    modules = [Module(name) for name in names]
    try:
        for module in modules:
            module.load()
        yield modules
    finally:
        for module in modules:
            module.clean_up()
        if loaded("tkhooks"):
            assert Module("tkhooks").remove() == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_hooks_what_it_needs_while_it_is_there(name):
    """And the functions are as they were, byte by byte, when it is gone."""
    before = texts()
    assert not hooked()
    with features(name) as (feature,):
        assert hooked() == set(FUNCTIONS[name])
        changed = {function for function, bytes_ in texts().items() if bytes_ != before[function]}
        assert changed == set(FUNCTIONS[name])
        feature.unload()
        assert not loaded("tkhooks"), "modprobe -r leaves it"
        assert not hooked()
        assert texts() == before


def test_features_share_it():
    """It stays for the last of them."""
    with features(*FUNCTIONS) as modules:
        for count, module in enumerate(modules):
            left = list(FUNCTIONS)[count:]
            assert hooked() == {function for name in left for function in FUNCTIONS[name]}
            assert Module("tkhooks").remove() == errno.EWOULDBLOCK
            module.unload()
    assert not loaded("tkhooks")


def test_names_are_the_kernels_only_ones():
    """A second function of the name could be another one."""
    names = [line.split()[2] for line in pathlib.Path("/proc/kallsyms").open(encoding="ascii")]
    for functions in FUNCTIONS.values():
        for function in functions:
            assert names.count(function) == 1


def test_cant_be_switched_off():
    """As root could do with ftrace's users in older kernels."""
    with features("nonpriv_netbind"):
        assert write(SWITCH, b"0") == -errno.EOPNOTSUPP
        assert hooked() == set(FUNCTIONS["nonpriv_netbind"])


def test_kprobes_beside_it():
    """Others on the same function go on, whoever came first."""
    events = TRACING / "dynamic_events"

    def counts():
        lines = [line.split() for line in (TRACING / "kprobe_profile").read_text().splitlines()]
        return {name: int(hits) for name, hits, _ in lines}

    write(events, b"p:tk/entry __inet_bind\n")
    try:
        (TRACING / "events/tk/enable").write_text("1")
        with features("nonpriv_netbind"):
            write(traces.files("nonpriv_netbind")[0], b"80\n")
            write(events, b"r:tk/exit __inet_bind\n")
            (TRACING / "events/tk/enable").write_text("1")
            for _ in range(3):
                with socket.socket() as it:
                    it.bind(("127.0.0.1", 0))
            assert counts()["entry"] == counts()["exit"] == 3
            assert hooked()
        with socket.socket() as it:
            it.bind(("127.0.0.1", 0))
        assert counts()["entry"] == counts()["exit"] == 4
    finally:
        (TRACING / "events/tk/enable").write_text("0")
        events.write_text("")


@pytest.mark.storm
@pytest.mark.limit(600)
@pytest.mark.parametrize("rounds", [50, pytest.param(1000, marks=pytest.mark.long)])
def test_comes_and_goes_under_load(rounds):
    """While others bind, wait and send signals, on all CPUs."""
    before = texts()
    stop = threading.Event()
    errors = []

    def works():
        try:
            while not stop.is_set():
                with socket.socket() as it, select.epoll() as events:
                    it.bind(("127.0.0.1", 0))
                    assert not events.poll(0.001)
                    # Ignored, but sent.
                    os.kill(os.getpid(), signal.SIGURG)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=works) for _ in range(4)]
    for thread in threads:
        thread.start()
    modules = [Module(name) for name in FUNCTIONS]
    try:
        for _ in range(rounds):
            for module in modules:
                module.load()
            assert hooked()
            for module in modules:
                module.unload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    wait_until(lambda: not hooked(), "all to be detached")
    assert texts() == before
