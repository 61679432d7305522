# SPDX-License-Identifier: GPL-2.0
"""Hooks of a kernel without hooks.patch: attached while a feature is loaded, and no trace afterwards."""

import contextlib
import errno
import functools
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import linux
import pytest
import traces
from command import TKCTL
from module import Module, loaded, path
from target import SCALE, wait_until
from view import FILES
from writes import write

TRACING = pathlib.Path("/sys/kernel/tracing")
SWITCH = pathlib.Path("/proc/sys/kernel/ftrace_enabled")
FUNCTIONS = {
    "cgroup_isolation": ["meminfo_proc_show", "show_stat", "loadavg_proc_show", "uptime_proc_show", "swap_show",
                         "diskstats_show", "part_stat_show", "vmstat_start", "c_start", "c_next", "show_cpuinfo",
                         "show_cpus_attr", "kernfs_fop_readdir", "do_task_stat", "__x64_sys_sysinfo",
                         "__ia32_compat_sys_sysinfo"],
    "epoll_min_wait": ["do_epoll_wait"],
    "fatal_signals": ["__send_signal_locked"],
    "hostinfo": ["proc_pident_lookup", "proc_pident_readdir", "proc_single_show"],
    "irq_force_manage": ["__irq_alloc_descs"],
    "nonpriv_netbind": ["__inet_bind", "__inet6_bind"],
    "pclimit": ["filemap_add_folio", "balance_pgdat", "isolate_folios"],
    "release_suffix": ["__x64_sys_newuname", "__x64_sys_uname", "__ia32_sys_newuname", "proc_do_uts_string",
                       "version_proc_show"],
    "shield_mounts": ["show_mountinfo", "show_vfsmnt", "show_vfsstat", "grab_requested_root", "is_subdir",
                      "__x64_sys_statmount", "__x64_sys_listmount", "__ia32_sys_statmount", "__ia32_sys_listmount"],
    "tcp_tuning": ["tcp_init_cwnd", "tcp_init_transfer", "tcp_init_congestion_control", "__tcp_ack_snd_check",
                   "inet_csk_destroy_sock", "tcp_enter_loss", "tcp_check_oom"],
    "ttools": ["ptrace_attach", "ptrace_traceme", "__x64_sys_ptrace", "__ia32_compat_sys_ptrace",
               "__ptrace_may_access", "mm_access", "mem_rw", "environ_read", "access_remote_vm",
               "pin_user_pages_remote", "proc_pid_get_link",
               "__x64_sys_perf_event_open", "__ia32_sys_perf_event_open",
               "cgroup_can_fork", "cgroup_cancel_fork", "release_task"],
}
# Others have these names; it is the one beside that one.
SHARED = {"c_start": "show_cpuinfo", "c_next": "show_cpuinfo"}
# Of the text, from the beginning of a function on.
LENGTH = 32

pytestmark = pytest.mark.skipif(not path("tkhooks"), reason="this kernel has hooks.patch")


def hooked():
    """The functions that tkhooks has."""
    lines = (TRACING / "enabled_functions").read_text().splitlines()
    return {line.split()[0] for line in lines if "[tkhooks]" in line}


@functools.cache
def addresses():
    """Of all functions that are hooked."""
    ours = {function for functions in FUNCTIONS.values() for function in functions}
    all_of = {}
    for line in pathlib.Path("/proc/kallsyms").open(encoding="ascii"):
        address, _, name = line.split()[:3]
        if name in ours:
            all_of.setdefault(name, []).append(int(address, 16))
    assert set(all_of) == ours
    found = {}
    for name, places in all_of.items():
        beside = all_of[SHARED[name]][0] if name in SHARED else places[0]
        found[name] = min(places, key=lambda place, beside=beside: abs(place - beside))
        assert len(places) == 1 or name in SHARED, f"a second {name}() could be another one"
    return found


def texts():
    """The first bytes of each of them, as the CPU has them now."""
    with open("/proc/kcore", "rb") as core:
        header = core.read(64)
        offset, size, count = (struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54))
        parts = []
        for number in range(count):
            core.seek(offset + number * size)
            _, _, at, start, _, length, _, _ = struct.unpack("<IIQQQQQQ", core.read(56))
            parts.append((start, start + length, at))

        def text(address):
            start, at = next((start, at) for start, end, at in parts if start <= address < end)
            core.seek(at + address - start)
            return core.read(LENGTH)

        return {function: text(address) for function, address in addresses().items()}


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


def test_tkctl_says_who_has_which():
    """Also while it isn't loaded."""
    def status():
        done = subprocess.run([TKCTL, "status", "--json"], capture_output=True, check=True, timeout=60)
        return json.loads(done.stdout)

    before = status()
    assert set(before["hooks"].values()) == {"ftrace"}
    assert {"ptrace", "signal", "uname"} <= set(before["hooks"])
    assert before["unavailable"]["sched"] == "tkhooks doesn't offer it, only hooks.patch"
    assert not set(before["hooks"]) & set(before["unavailable"])
    with features("fatal_signals"):
        now = status()
        assert now["hooks"] == before["hooks"]
        assert {item["name"] for item in now["modules"] if item["state"] == "loaded"} == {"fatal_signals"}


def test_features_share_it():
    """It stays for the last of them."""
    with features(*FUNCTIONS) as modules:
        for count, module in enumerate(modules):
            left = list(FUNCTIONS)[count:]
            assert hooked() == {function for name in left for function in FUNCTIONS[name]}
            assert Module("tkhooks").remove() == errno.EWOULDBLOCK
            module.unload()
    assert not loaded("tkhooks")


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


@contextlib.contextmanager
def rival(function):
    """Somebody else has the place of a function."""
    module = Module("tkhooks_rival")
    module.load(function=function)
    try:
        yield
    finally:
        module.clean_up()


@pytest.mark.parametrize("name,function", [("ttools", "release_task"), ("release_suffix", "version_proc_show"),
                                           ("irq_force_manage", "__irq_alloc_descs")])
def test_one_that_cant_be_had(kernel_log, name, function):
    """Then that feature says so, leaves nothing behind, and others work."""
    before = texts()
    with rival(function), features("nonpriv_netbind"):
        assert Module(name).insert() == errno.EBUSY
        assert kernel_log.matching(rf"tkhooks: {function}\(\) is another one's")
        assert not loaded(name)
        assert hooked() == set(FUNCTIONS["nonpriv_netbind"])
        other = Module("fatal_signals")
        other.load()
        assert hooked() == set(FUNCTIONS["nonpriv_netbind"] + FUNCTIONS["fatal_signals"])
        other.unload()
    assert texts() == before
    with features(name):
        assert hooked() == set(FUNCTIONS[name])
        assert Module("tkhooks_rival").insert(f"function={function}") == errno.EBUSY
    assert texts() == before


def test_arguments_need_no_place():
    """Hooks that only change those live with others, such as livepatches."""
    with rival("__inet_bind"), features("nonpriv_netbind"):
        users = dict(line.split()[:2] for line in (TRACING / "enabled_functions").read_text().splitlines())
        assert users["__inet_bind"] == "(2)" and users["__inet6_bind"] == "(1)"


@pytest.mark.storm
@pytest.mark.limit(900)
def test_comes_and_goes_under_load(kernel_log):
    """While others do on all CPUs what is hooked."""
    # With checkers in the kernel the load alone would take all of the time.
    come_and_go(kernel_log, 20, pause=0 if SCALE == 1 else 1)


@pytest.mark.long
@pytest.mark.storm
@pytest.mark.limit(5000)
@pytest.mark.parametrize("quarter", range(4))
def test_comes_and_goes_a_thousand_times(kernel_log, quarter):  # pylint: disable=unused-argument
    """The same, with pauses, or it takes four hours where CPUs are emulated. In parts, for several guests."""
    come_and_go(kernel_log, 250, pause=1 if SCALE == 1 else 3)


def talks():
    """A connection that both sides close at once, so that one is an orphan."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as near:
            far, _ = listener.accept()
            with far:
                near.sendall(bytes(10_000))
                assert far.recv(10_000)


def looks_into(other):
    """All ways to the memory of another process that are asked about again for each page."""
    stat = pathlib.Path(f"/proc/{other}/stat").read_text(encoding="utf-8")
    start, end = map(int, stat.split()[-3:-1])
    environ = pathlib.Path(f"/proc/{other}/environ").read_bytes()
    assert len(environ) == end - start
    with open(f"/proc/{other}/mem", "r+b", buffering=0) as memory:
        assert os.pread(memory.fileno(), len(environ), start) == environ
        assert os.pwrite(memory.fileno(), environ, start) == len(environ)
    assert linux.process_vm_readv(other, start, len(environ)) == environ
    assert linux.process_vm_writev(other, start, environ) == len(environ)
    os.close(linux.perf_event_open(other))


def come_and_go(kernel_log, rounds, pause=0):
    """All features, that often, under load, whose turns have pauses in seconds."""
    # What another test loaded with a feature stays when that goes.
    if loaded("tkhooks"):
        assert Module("tkhooks").remove() == 0
    before = texts()
    stop = threading.Event()
    errors = []

    def works(other):
        # A thread of its own among the readers of views.
        os.unshare(os.CLONE_NEWCGROUP)
        try:
            while not stop.is_set():
                with socket.socket() as it, select.epoll() as events:
                    it.bind(("127.0.0.1", 0))
                    assert not events.poll(0.001)
                    # Ignored, but sent.
                    os.kill(os.getpid(), signal.SIGURG)
                assert os.uname().release in pathlib.Path("/proc/version").read_text()
                os.close(os.open(f"/proc/{other}/fd/0", os.O_RDONLY))
                looks_into(other)
                assert os.readlink(f"/proc/{other}/exe")
                child = os.posix_spawn("/bin/true", ["true"], {})
                assert os.waitpid(child, 0) == (child, 0)
                for file in FILES:
                    assert pathlib.Path(file).read_bytes() or file == "/proc/swaps"
                assert os.listdir("/sys/devices/system/cpu")
                assert any(line.split()[4] == "/proc" for line in open("/proc/self/mountinfo", encoding="utf-8"))
                for file in ("mounts", "mountstats"):
                    assert pathlib.Path(f"/proc/self/{file}").read_bytes()
                mounts = linux.listmount()
                assert linux.statmount(mounts[0]) == linux.statmount(mounts[-1]) == 0
                assert linux.listmount(after=mounts[-2]) == mounts[-1:]
                talks()
                assert "stat" in os.listdir(f"/proc/{other}")
                # It comes and goes, also while it is open.
                with contextlib.suppress(FileNotFoundError), open(f"/proc/{other}/hostinfo", "rb") as file:
                    time.sleep(0.01)
                    with contextlib.suppress(OSError):
                        file.read()
                with tempfile.TemporaryFile(dir="/var/tmp") as file:
                    file.write(bytes(1 << 18))
                traced = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
                linux.ptrace("SEIZE", traced)
                linux.ptrace("INTERRUPT", traced)
                os.waitpid(traced, 0)
                linux.ptrace("DETACH", traced)
                os.kill(traced, signal.SIGKILL)
                os.waitpid(traced, 0)
                stop.wait(pause)
        except (OSError, AssertionError) as error:
            errors.append(error)

    with contextlib.ExitStack() as stack:
        # The bare system calls: modprobe(8) adds a seventh.
        files = {name: stack.enter_context(open(path(name), "rb")) for name in ("tkhooks", *FUNCTIONS)}
        other = stack.enter_context(subprocess.Popen(["sleep", "infinity"]))
        threads = [threading.Thread(target=works, args=(other.pid,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for done in range(rounds):
                # For who waits (-s), and for a failure's report.
                print(f"{done} rounds of {rounds}", flush=True)
                for file in files.values():
                    linux.finit_module(file.fileno())
                assert hooked() == {function for functions in FUNCTIONS.values() for function in functions}
                for name in [*FUNCTIONS, "tkhooks"]:
                    linux.delete_module(name)
                # Its buffer doesn't hold what the kernel says in hundreds of rounds.
                kernel_log.read()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            other.kill()
    assert not errors, errors
    wait_until(lambda: not hooked(), "all to be detached")
    assert texts() == before
