# SPDX-License-Identifier: GPL-2.0
"""The files of tcp_tuning: where they are, what may be written, by whom."""

import errno
import os
import pathlib
import stat
import subprocess
import threading

import linux
import pytest
from boxes import Box, outcome
from module import loaded
from nets import IPV4, Net
from target import SCALE
from writes import sysctl_storm, write

NOBODY = 65534
INT_MAX = 2 ** 31 - 1

# The default, the least and the largest value.
FILES = {
    "tcp_init_cwnd": (10, 1, 65535),
    "tcp_loss_init_cwnd": (1, 1, 65535),
    "tcp_no_delay_ack": (0, 0, 1),
    "tcp_rto_min": (200, 4, INT_MAX // 1000),
    "tcp_rto_max": (120, 1, 120),
}
MAX_ORPHANS = "tcp_max_orphans"
ORPHANS = {MAX_ORPHANS: (None, 0, INT_MAX)}
NATIVE_RTO = {"tcp_rto_min_us": "200000", "tcp_rto_max_ms": "120000"}


@pytest.fixture
def net(tcp_tuning):
    """A namespace of its own, made while the module is loaded."""
    with Net("tuned") as it:
        yield it


@pytest.fixture
def machine_max_orphans():
    """The kernel's own file on the host, restored afterwards."""
    file = IPV4 / MAX_ORPHANS
    before = file.read_text()
    yield file
    file.write_text(before)


@pytest.fixture(autouse=True)
def host_rto():
    """What the module's files set on the host outlives it."""
    yield
    for name, value in NATIVE_RTO.items():
        (IPV4 / name).write_text(value)


def test_every_namespace_has_the_files(tcp_tuning):
    """Those that were there before, and those that come; with the defaults, whatever the host has."""
    tcp_tuning.unload()
    with Net("before") as before:
        tcp_tuning.load()
        for name, (default, _, high) in FILES.items():
            assert stat.S_IMODE((IPV4 / name).stat().st_mode) == 0o644
            assert int((IPV4 / name).read_text()) == default
            (IPV4 / name).write_text(str(high))
        with Net("after") as after:
            for net in (before, after):
                for name, (default, _, _) in FILES.items():
                    assert net.get(name) == default, (net.name, name)
                assert net.get(MAX_ORPHANS) == int((IPV4 / MAX_ORPHANS).read_text())
            tcp_tuning.unload()
            for net in (before, after):
                with net.entered():
                    assert not any((IPV4 / name).exists() for name in (*FILES, MAX_ORPHANS))
    assert not any((IPV4 / name).exists() for name in FILES)
    assert (IPV4 / MAX_ORPHANS).exists()


def test_hosts_max_orphans_is_the_kernels_own(tcp_tuning, machine_max_orphans):
    """Of the whole machine, as before."""
    before = machine_max_orphans.read_text()
    machine_max_orphans.write_text("12345")
    tcp_tuning.unload()
    assert machine_max_orphans.read_text() == "12345\n"
    tcp_tuning.load()
    assert machine_max_orphans.read_text() == "12345\n"
    machine_max_orphans.write_text(before)


def test_namespace_shows_no_more_orphans_than_the_machine_may_have(net, machine_max_orphans):
    """Its own limit if that is lower."""
    machine_max_orphans.write_text("1000")
    assert net.get(MAX_ORPHANS) == 1000
    machine_max_orphans.write_text("2000")
    assert net.get(MAX_ORPHANS) == 2000
    net.set(MAX_ORPHANS, 1500)
    assert net.get(MAX_ORPHANS) == 1500
    machine_max_orphans.write_text("1000")
    assert net.get(MAX_ORPHANS) == 1000
    machine_max_orphans.write_text("2000")
    assert net.get(MAX_ORPHANS) == 1500
    net.set(MAX_ORPHANS, INT_MAX)
    assert net.get(MAX_ORPHANS) == 2000


@pytest.mark.parametrize("name", {**FILES, **ORPHANS})
def test_what_is_in_the_range_is_stored(net, machine_max_orphans, name):
    """Its ends, what is next to them, and other ways to write numbers."""
    machine_max_orphans.write_text(str(INT_MAX))
    _, low, high = {**FILES, **ORPHANS}[name]
    with net.entered():
        file = IPV4 / name
        for number in (low, high, low + 1, high - 1):
            for text in (f"{number}", f"{number}\n", f" {number}", f"{number:#x}\n", f"+{number}"[1:]):
                assert write(file, text.encode()) == len(text)
                assert file.read_text() == f"{number}\n"
        # The first of several numbers counts, and the write is a short one.
        assert write(file, f"{low} {high}\n".encode()) == len(f"{low} ")
        assert file.read_text() == f"{low}\n"


@pytest.mark.parametrize("name", {**FILES, **ORPHANS})
def test_what_is_not_in_the_range_is_refused(net, name):
    """EINVAL, and nothing is stored."""
    _, low, high = {**FILES, **ORPHANS}[name]
    with net.entered():
        file = IPV4 / name
        assert write(file, f"{low + 1 if high > 1 else 1}".encode()) > 0
        before = file.read_text()
        for text in (f"{low - 1}", f"{high + 1}", "-1", "2147483648", "4294967297", "-2147483649",
                     "9223372036854775808", "18446744073709551617", "9" * 400, "x", "1.5", "\n", " ", ",",
                     "1x", "0x", "٣"):
            assert write(file, text.encode()) == -errno.EINVAL, text
            assert file.read_text() == before, text
        # As everywhere in /proc/sys.
        assert write(file, b"") == 0
        assert file.read_text() == before


# Each write of these walks the namespace's connections.
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long)
                                  if name.startswith("tcp_rto") else name
                                  for name in (*FILES, *ORPHANS)])
@pytest.mark.limit(900)
def test_10000_random_writes(net, machine_max_orphans, name):
    """What is stored is what was written."""
    machine_max_orphans.write_text(str(INT_MAX))
    _, low, high = {**FILES, **ORPHANS}[name]
    with net.entered():
        sysctl_storm(IPV4 / name, low, high)


@pytest.mark.parametrize("alias, native, factor", [("tcp_rto_min", "tcp_rto_min_us", 1000),
                                                   ("tcp_rto_max", "tcp_rto_max_ms", 1000)])
def test_rto_files_are_aliases(net, tcp_tuning, alias, native, factor):
    """Of the kernel's own, which keep what was set."""
    net.set(alias, 77)
    assert net.get(native) == 77 * factor
    net.set(native, 55 * factor + factor // 2)
    assert net.get(alias) == 55
    assert (IPV4 / native).read_text().strip() == NATIVE_RTO[native]
    if alias == "tcp_rto_min":
        net.set(native, 999)
        assert net.get(alias) == 0
    net.set(alias, 66)
    tcp_tuning.unload()
    assert net.get(native) == 66 * factor


@pytest.mark.limit(120)
def test_namespaces_dont_see_each_others_values(tcp_tuning):
    """While all of them write and read."""
    files = {**FILES, MAX_ORPHANS: (None, 0, 1000)}
    errors = []
    stop = threading.Event()
    rounds = [0, 0, 0]

    def works(net, number):
        try:
            with net.entered():
                while not stop.is_set():
                    for name, (_, low, high) in files.items():
                        mine = low + (number if high > 1 else number % 2)
                        (IPV4 / name).write_text(str(mine))
                        for _ in range(20):
                            assert int((IPV4 / name).read_text()) == mine, (net.name, name)
                    rounds[number] += 1
        except BaseException as error:  # pylint: disable=broad-exception-caught
            errors.append(error)

    with Net("one") as one, Net("two") as two, Net("three") as three:
        threads = [threading.Thread(target=works, args=(net, number))
                   for number, net in enumerate((one, two, three))]
        for thread in threads:
            thread.start()
        stop.wait(10)
        stop.set()
        for thread in threads:
            thread.join()
    print(f"rounds: {rounds}")
    assert not errors, errors
    assert all(rounds)
    for name, (default, _, _) in FILES.items():
        assert int((IPV4 / name).read_text()) == default


def test_open_file_stays_that_of_its_namespace(net, tcp_tuning):
    """Whoever reads it; and it is dead once the module is unloaded."""
    net.set("tcp_init_cwnd", 33)
    with net.entered():
        file = os.open(IPV4 / "tcp_init_cwnd", os.O_RDWR)
    assert os.pread(file, 9, 0) == b"33\n"
    assert os.pwrite(file, b"44", 0) == 2
    assert net.get("tcp_init_cwnd") == 44
    assert (IPV4 / "tcp_init_cwnd").read_text() == "10\n"
    tcp_tuning.unload()
    assert linux.errno_of(os.pread, file, 9, 0) == errno.ENOENT
    tcp_tuning.load()
    assert linux.errno_of(os.pwrite, file, b"5", 0) == errno.ENOENT
    os.close(file)
    assert net.get("tcp_init_cwnd") == 10


@pytest.mark.limit(120)
def test_namespaces_come_and_go_while_it_is_loaded_and_unloaded(tcp_tuning):
    """20 times."""
    stop = threading.Event()
    made = []

    def makes():
        while not stop.is_set():
            subprocess.run(["unshare", "--net", "cat", IPV4 / "tcp_rto_min_us"], check=True,
                           stdout=subprocess.DEVNULL, timeout=60 * SCALE)
            made.append(1)

    thread = threading.Thread(target=makes)
    thread.start()
    try:
        for _ in range(20):
            tcp_tuning.unload()
            tcp_tuning.load()
    finally:
        stop.set()
        thread.join()
    assert loaded("tcp_tuning") and made
    print(f"namespaces: {len(made)}")


WRITE = "echo 7 | tee /proc/sys/net/ipv4/tcp_init_cwnd"
READ = "cat /proc/sys/net/ipv4/tcp_init_cwnd"


@pytest.mark.limit(180)
def test_default_container_cant_write(tcp_tuning):
    """Its root owns the files, but has no CAP_NET_ADMIN; one that was given it may."""
    with Box("tcp-a", "--security-opt=unmask=ALL") as box:
        assert outcome(box, "sh", "-c", READ) == (0, "10\n")
        status, output = outcome(box, "mount", "-o", "remount,rw", "/proc/sys")
        print(status, output)
        status, output = outcome(box, "sh", "-c", WRITE)
        print(output)
        assert status or "7\n" != output
        assert outcome(box, "sh", "-c", READ) == (0, "10\n")
    with Box("tcp-b", "--cap-add=NET_ADMIN", "--security-opt=unmask=ALL") as box:
        status, output = outcome(box, "sh", "-c", WRITE)
        if "Read-only" in output:
            # The engine gives it the capability, but no way to the file: by that of the host.
            assert write(pathlib.Path(f"/proc/{box.pid}/root/proc/sys/net/ipv4/tcp_init_cwnd"), b"7") == -errno.EROFS
        else:
            assert (status, output) == (0, "7\n")
            assert outcome(box, "sh", "-c", READ) == (0, "7\n")
    assert (IPV4 / "tcp_init_cwnd").read_text() == "10\n"


@pytest.mark.limit(180)
def test_containers_sysctl_option_works(tcp_tuning):
    """As for the kernel's own settings: podman sets them before it takes the rights away."""
    with Box("tcp-c", "--sysctl=net.ipv4.tcp_init_cwnd=20", "--sysctl=net.ipv4.tcp_max_orphans=50") as box:
        assert outcome(box, "sh", "-c", READ) == (0, "20\n")
        assert box.read(IPV4 / MAX_ORPHANS) == "50\n"
    assert (IPV4 / "tcp_init_cwnd").read_text() == "10\n"


@pytest.mark.parametrize("name", FILES)
def test_writing_needs_the_capability(tcp_tuning, name):
    """Being root, and the owner of the file, isn't enough: EPERM."""
    words = ["sh", "-c", f"echo {FILES[name][2]} | tee {IPV4 / name}"]
    for drop in ("-net_admin", "-all"):
        done = subprocess.run(["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *words],
                              capture_output=True, text=True, timeout=30 * SCALE, check=False)
        assert done.returncode and "Operation not permitted" in done.stderr, done.stderr
        assert int((IPV4 / name).read_text()) == FILES[name][0]
    some = "-all,+net_admin"
    done = subprocess.run(["setpriv", f"--bounding-set={some}", f"--inh-caps={some}", *words],
                          capture_output=True, text=True, timeout=30 * SCALE, check=False)
    assert done.returncode == 0, done.stderr
    assert int((IPV4 / name).read_text()) == FILES[name][2]


def test_root_of_a_user_namespace_changes_its_own_network_only(tcp_tuning):
    """Made by nobody, with no right on the host."""
    for name, (default, low, high) in {**FILES, MAX_ORPHANS: (None, 0, 5)}.items():
        value = high if default != high else low
        script = f"echo {value} | tee {IPV4 / name} >/dev/null && cat {IPV4 / name}"
        before = (IPV4 / name).read_text()
        done = subprocess.run(["unshare", "-Urn", "sh", "-c", script], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, text=True, timeout=30 * SCALE,
                              check=False)
        assert (done.returncode, done.stdout) == (0, f"{value}\n"), (name, done.stderr)
        # Without a network of its own it is the host's.
        done = subprocess.run(["unshare", "-Ur", "sh", "-c", script], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, text=True, timeout=30 * SCALE,
                              check=False)
        assert done.returncode and "denied" in done.stderr, (name, done.stderr)
        assert (IPV4 / name).read_text() == before
