# SPDX-License-Identifier: GPL-2.0
"""The small features together: loaded and unloaded in any order, while all of them are used."""

import errno
import os
import pathlib
import random
import signal
import subprocess
import sys

import engines
import linux
import pytest
import traces
from boxes import Bare
from fault import KMEMLEAK, WARNINGS_OF_LOADS, each_failing_load, no_leaks
from module import Module, loaded, path
from target import SCALE

SLABS = pathlib.Path("/proc/slabinfo")

# What clients do until they are told to stop; errors are part of it, as files come and go.
CLIENT = r"""if 1:
    import ctypes, os, random, select, signal, socket, sys
    signal.signal(signal.SIGSEGV, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    release = os.uname().release.replace("_docker_guest", "")
    files = [os.open("/proc/sys/kernel/osrelease", 0), os.open("/proc/version", 0)]
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    counts = {}

    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def binds():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
            it.bind(("127.0.0.1", 80))

    def waits():
        with select.epoll() as it:
            it.poll(0.001)

    def names():
        # Each by one read(2): between two of them the text may change.
        texts = [os.pread(file, 300, 0).decode().split() for file in files]
        found = {os.uname().release, texts[0][0], texts[1][2]}
        assert found <= {release, release + "_docker_guest"}, found

    def mounts():
        for name in ("mounts", "mountinfo", "mountstats"):
            assert b"proc" in read("/proc/self/" + name)

    def numbers():
        text = read("/proc/self/hostinfo")
        assert text == b"" or text.startswith(b"Name:"), text

    def signals():
        os.kill(os.getpid(), signal.SIGSEGV)

    def sets():
        random.choice((
            lambda: open("/proc/tkernel/nonpriv_netbind", "wb", 0).write(random.choice((b"80", b"-80"))),
            lambda: open("/proc/tkernel/release_suffix", "wb", 0).write(random.choice((b"0\n", b"1\n"))),
            lambda: open("/proc/tkernel/shield_mounts", "wb", 0).write(
                random.choice((b"set tmpfs /run", b"clear tmpfs /run"))),
            lambda: open("/proc/sys/kernel/watch_host_pid", "wb", 0).write(random.choice((b"0", b"1"))),
            lambda: open("/proc/sys/kernel/min_epoll_wait_time", "wb", 0).write(random.choice((b"0", b"5"))),
            lambda: open("/proc/sys/kernel/print-fatal-signals-src-dst", "wb", 0).write(
                random.choice((b"0", b"1"))),
            lambda: os.listdir("/proc/tkernel"),
            lambda: [read("/proc/tkernel/" + name) for name in os.listdir("/proc/tkernel")],
        ))()

    works = [binds, waits, names, mounts, numbers, signals] + [sets] * (sys.argv[1] == "sets")
    random.seed(sys.argv[2])
    print("ready", flush=True)
    while not stop:
        work = random.choice(works)
        try:
            work()
            key = work.__name__
        except OSError as error:
            key = work.__name__ + " failed"
        counts[key] = counts.get(key, 0) + 1
    print(counts)"""


def client(kind, seed):
    """Its command line."""
    return [sys.executable, "-Ic", CLIENT, kind, str(seed)]


def slabs():
    """Objects in use by cache, as far as the kernel tells."""
    if not SLABS.exists():
        return {}
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
    return {line.split()[0]: int(line.split()[1]) for line in SLABS.read_text().splitlines()[2:]}


@pytest.mark.storm
@pytest.mark.limit(900)
@pytest.mark.parametrize("rounds", [20, pytest.param(100, marks=pytest.mark.long)])
def test_loads_and_unloads_in_any_order(kernel_log, rounds):
    """While clients on the host and in a container use and set everything. Nothing is left."""
    kernel_log.allow_call_traces = True
    if KMEMLEAK.exists():
        with no_leaks("do_init_module", *traces.FEATURES):
            load_and_unload(kernel_log, rounds)
    else:
        load_and_unload(kernel_log, rounds)


def load_and_unload(kernel_log, rounds):
    """All of them, so many times, and looks for what is left."""
    generator = random.Random(7)
    before = traces.all_names()
    files = {name: os.open(path(name), os.O_RDONLY) for name in traces.FEATURES}
    clients = []
    loads = dict.fromkeys(traces.FEATURES, 0)
    try:
        with Bare() as box:
            for seed, start in enumerate((box.start, box.start, subprocess.Popen, subprocess.Popen)):
                words = client("sets" if seed % 2 else "uses", seed)
                words = words if seed % 2 else ["setpriv", "--bounding-set=-net_bind_service",
                                                "--inh-caps=-net_bind_service", *words]
                kept = {"args": words} if start is subprocess.Popen else {}
                process = start(**kept, stdout=subprocess.PIPE, text=True) if kept else start(
                    *words, stdout=subprocess.PIPE, text=True)
                clients.append(process)
                assert process.stdout.readline() == "ready\n"
            Module(traces.FEATURES[0]).load_needed()
            in_use = slabs()
            for turn in range(rounds):
                order = list(traces.FEATURES)
                generator.shuffle(order)
                for name in order:
                    if loaded(name):
                        assert linux.errno_of(linux.delete_module, name) == 0, (turn, name)
                        assert not any(file.exists() for file in traces.files(name)), name
                    if generator.random() < 0.8:
                        assert linux.errno_of(linux.finit_module, files[name]) == 0, (turn, name)
                        assert all(file.exists() for file in traces.files(name)), name
                        loads[name] += 1
                assert all(process.poll() is None for process in clients), "a client has ended"
                # Each load lets a burst of reports pass: more in all than the kernel's buffer holds.
                kernel_log.read()
            for name in traces.FEATURES:
                Module(name).clean_up()
            for process in clients:
                # What runs in the container is a child of nsenter, which doesn't pass it on.
                for pid in engines.children(process.pid) or [process.pid]:
                    os.kill(pid, signal.SIGTERM)
            for process in clients:
                output, _ = process.communicate(timeout=60 * SCALE)
                print(output.strip())
                counts = eval(output)  # pylint: disable=eval-used
                for work in ("waits", "names", "mounts", "signals", "numbers", "numbers failed"):
                    assert counts.get(work), (work, counts)
    finally:
        for process in clients:
            process.kill()
        for file in files.values():
            os.close(file)
        for name in [*traces.FEATURES, "tkhooks"]:
            Module(name).clean_up()
    print(f"loads: {loads}")
    assert all(count >= rounds / 2 for count in loads.values())
    assert traces.all_names() == before
    for name, count in slabs().items():
        # Each load that leaves a few objects would be seen. KASAN keeps what was freed.
        if not KMEMLEAK.exists() and name.startswith(("kmalloc", "net_namespace", "pid", "proc_")) and in_use:
            assert count < in_use.get(name, 0) + 40 * rounds, name


@pytest.mark.parametrize("feature", traces.FEATURES)
def test_files_are_there_exactly_while_it_is_loaded(feature):
    """And no others."""
    before = traces.all_names()
    module = Module(feature)
    module.load()
    try:
        assert all(file.exists() for file in traces.files(feature))
        others = [file for other in traces.FEATURES if other != feature for file in traces.files(other)]
        assert not any(file.exists() for file in others)
    finally:
        module.unload()
    assert traces.all_names() == before


def test_directory_lasts_as_long_as_one_uses_it():
    """/proc/tkernel, which three share."""
    shared = ["nonpriv_netbind", "shield_mounts", "release_suffix"]
    directory = pathlib.Path("/proc/tkernel")
    for order in (shared, shared[1:] + shared[:1]):
        modules = [Module(name) for name in shared]
        for module in modules:
            module.load()
        assert sorted(os.listdir(directory)) == sorted(shared)
        left = set(shared)
        for name in order:
            assert directory.exists()
            Module(name).unload()
            left.discard(name)
            assert not left or set(os.listdir(directory)) == left
        assert not directory.exists()


@pytest.mark.parametrize("feature", traces.FEATURES)
@pytest.mark.limit(300)
def test_each_failing_allocation_of_the_load_leaves_nothing(feature, kernel_log):
    """The n-th one, for n from 1 until the load works."""
    kernel_log.allow_call_traces = True
    kernel_log.expected = WARNINGS_OF_LOADS
    before = traces.all_names()
    module = Module(feature)
    failures = each_failing_load(module, lambda: any(file.exists() for file in traces.files(feature)))
    assert failures > 5
    assert traces.all_names() == before


@pytest.mark.parametrize("feature", traces.FEATURES)
def test_loading_twice_says_that_it_exists(feature):
    """And the first stays as it is."""
    module = Module(feature)
    module.load()
    try:
        assert module.insert() == errno.EEXIST
        assert all(file.exists() for file in traces.files(feature))
    finally:
        module.unload()
