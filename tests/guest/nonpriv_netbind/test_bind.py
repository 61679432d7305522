# SPDX-License-Identifier: GPL-2.0
"""Who may bind to which port: nobody, with real sockets and a real server."""

import contextlib
import errno
import os
import pathlib
import socket
import subprocess
import sys
import urllib.request

import pytest
from boxes import Bare, Box, outcome
from module import Module, loaded, modprobe
from target import SCALE, wait_until
from writes import write

FILE = pathlib.Path("/proc/tkernel/nonpriv_netbind")
START = pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
NOBODY = 65534

IPPROTO_SCTP = 132

KINDS = {
    "tcp": (socket.AF_INET, socket.SOCK_STREAM, 0, "127.0.0.1"),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, 0, "::1"),
    "tcp46": (socket.AF_INET6, socket.SOCK_STREAM, 0, "::ffff:127.0.0.1"),
    "udp": (socket.AF_INET, socket.SOCK_DGRAM, 0, "0.0.0.0"),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM, 0, "::"),
    "sctp": (socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP, "127.0.0.1"),
    "sctp6": (socket.AF_INET6, socket.SOCK_SEQPACKET, IPPROTO_SCTP, "::1"),
}

# Binds as the user it is run by; prints the errno.
PROGRAM = """if 1:
    import socket, sys
    family, kind, protocol, address, port = sys.argv[1:]
    with socket.socket(int(family), int(kind), int(protocol)) as it:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            it.bind((address, int(port)))
            print(0)
        except OSError as error:
            print(error.errno)"""


def bind_words(kind, port):
    """The command line of PROGRAM."""
    family, type_, protocol, address = KINDS[kind]
    return ["python3", "-I", "-c", PROGRAM, str(int(family)), str(int(type_)), str(protocol),
            address, str(port)]


def bind(kind, port, user=NOBODY):
    """The errno of a bind by somebody on the host."""
    done = subprocess.run(bind_words(kind, port), capture_output=True, text=True, check=True,
                          user=user, group=user, extra_groups=[], timeout=30 * SCALE)
    return int(done.stdout)


def bind_in(box, kind, port, user=NOBODY):
    """The same in a container."""
    status, output = outcome(box, "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                             *bind_words(kind, port))
    assert status == 0, output
    return int(output)


@contextlib.contextmanager
def kept(path):
    """Leaves a setting as it was."""
    before = path.read_text()
    try:
        yield
    finally:
        path.write_text(before)


@pytest.fixture(params=KINDS)
def kind(request):
    """A kind of socket."""
    if request.param.startswith("sctp"):
        done = modprobe("sctp")
        assert done.returncode == 0, done.stderr
    return request.param


def test_listed_port_can_be_bound_by_nobody(nonpriv_netbind, kind):
    """And no other, nor when it is taken off the list again."""
    if "sctp" in kind and loaded("tkhooks"):
        pytest.skip("without hooks.patch SCTP's checks aren't hooked")
    assert bind(kind, 80) == errno.EACCES
    assert write(FILE, b"80\n") == 3
    assert bind(kind, 80) == 0
    assert bind(kind, 81) == errno.EACCES
    assert bind(kind, 79) == errno.EACCES
    # 80 + 1024 in the same bit of another word, were there one.
    assert bind(kind, 1104) == 0
    assert write(FILE, b"-80\n") == 4
    assert bind(kind, 80) == errno.EACCES
    assert bind(kind, 80, user=0) == 0


def test_unspecified_family_counts_as_ipv4(nonpriv_netbind):
    """As in bind(2)."""
    program = """if 1:
        import ctypes, socket, struct
        libc = ctypes.CDLL(None, use_errno=True)
        it = socket.socket()
        address = struct.pack("=H", 0) + struct.pack("!HI", 80, 0) + bytes(8)
        print(0 if libc.bind(it.fileno(), address, 16) == 0 else ctypes.get_errno())"""

    def once():
        done = subprocess.run(["python3", "-I", "-c", program], user=NOBODY, group=NOBODY, text=True,
                              capture_output=True, check=True, timeout=30 * SCALE)
        return int(done.stdout)

    assert once() == errno.EACCES
    write(FILE, b"80")
    assert once() == 0


def test_all_ports_are_told_apart(nonpriv_netbind):
    """Each port of the list, and each that isn't."""
    program = """if 1:
        import socket
        for port in range(1, 1024):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
                try:
                    it.bind(("127.0.0.1", port))
                    print(port)
                except PermissionError:
                    pass"""
    for chosen in (set(range(1, 1024, 7)), set(range(3, 1024, 64)) | {1, 63, 64, 65, 1023}, set()):
        for port in range(1, 1024):
            assert write(FILE, f"{'+' if port in chosen else '-'}{port}".encode()) > 0
        assert FILE.read_text() == "".join(f"{port}\n" for port in sorted(chosen))
        done = subprocess.run(["python3", "-I", "-c", program], user=NOBODY, group=NOBODY, text=True,
                              capture_output=True, check=True, timeout=60 * SCALE)
        assert {int(line) for line in done.stdout.split()} == chosen


def test_unprivileged_port_start_goes_on_counting(nonpriv_netbind):
    """Both ways of allowing add up, which the original got wrong."""
    with kept(START):
        START.write_text("90")
        assert bind("tcp", 90) == 0
        assert bind("tcp", 89) == errno.EACCES
        write(FILE, b"80")
        assert (bind("tcp", 80), bind("tcp", 81), bind("tcp", 90)) == (0, errno.EACCES, 0)
        START.write_text("0")
        assert bind("tcp", 1) == 0
        # Ports from 1024 on can be privileged too, and can't be listed.
        START.write_text("2000")
        assert (bind("tcp", 80), bind("tcp", 1500)) == (0, errno.EACCES)


def test_bound_socket_stays_when_the_port_is_revoked(nonpriv_netbind):
    """And when the module is unloaded."""
    write(FILE, b"80")
    server = subprocess.Popen([sys.executable, "-I", "-m", "http.server", "--bind", "127.0.0.1", "80"],
                              user=NOBODY, group=NOBODY, cwd="/usr/share/tkernel-rs",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            assert server.poll() is None, "the server has ended"
            try:
                with urllib.request.urlopen("http://127.0.0.1:80/run.sh", timeout=10) as page:
                    return b"pytest" in page.read()
            except OSError:
                return False

        wait_until(answers, "the server's answer", timeout=30 * SCALE)
        assert f"Uid:\t{NOBODY}" in pathlib.Path(f"/proc/{server.pid}/status").read_text()
        write(FILE, b"-80")
        assert answers()
        nonpriv_netbind.unload()
        assert answers()
    finally:
        server.kill()
        server.wait(30 * SCALE)
    assert bind("tcp", 80) == errno.EACCES


def test_unloaded_module_allows_nothing(nonpriv_netbind):
    """And the next one starts with an empty list."""
    write(FILE, b"80")
    assert bind("udp", 80) == 0
    nonpriv_netbind.unload()
    assert not FILE.parent.exists()
    assert bind("udp", 80) == errno.EACCES
    nonpriv_netbind.load()
    assert FILE.read_text() == ""
    assert bind("udp", 80) == errno.EACCES


@pytest.mark.limit(180)
def test_each_container_has_its_own_list(nonpriv_netbind):
    """podman's default root may change it, for itself alone; the host's holds on the host."""
    write(FILE, b"80")
    with Box("netbind-a") as a, Box("netbind-b") as b:
        assert a.read(FILE) == b.read(FILE) == ""
        assert bind_in(a, "tcp", 80) == errno.EACCES
        assert outcome(a, "sh", "-c", f"echo 443 >{FILE}") == (0, "")
        assert outcome(b, "sh", "-c", f"echo 53 >{FILE}") == (0, "")
        assert (a.read(FILE), b.read(FILE), FILE.read_text()) == ("443\n", "53\n", "80\n")
        for port, expected in ((80, (1, 1, 0)), (443, (0, 1, 1)), (53, (1, 0, 1))):
            found = (bind_in(a, "tcp", port), bind_in(b, "tcp", port), bind("tcp", port))
            assert found == tuple(errno.EACCES if no else 0 for no in expected), port
    # A new one of the same name has nothing of the old.
    with Box("netbind-a") as a:
        assert a.read(FILE) == ""


def test_container_without_its_own_network_has_the_hosts_list(nonpriv_netbind):
    """A pid namespace alone changes nothing."""
    write(FILE, b"80")
    with Bare("--pid", "--fork", "--mount", "--mount-proc") as box:
        assert box.read(FILE) == "80\n"
        assert bind_in(box, "tcp", 80) == 0


def test_host_list_everywhere_holds_in_containers(nonpriv_netbind):
    """For those who relied on the original; containers add to it."""
    nonpriv_netbind.unload()
    nonpriv_netbind.load(host_list_everywhere=1)
    write(FILE, b"80")
    with Bare() as box:
        assert box.read(FILE) == ""
        box.run("sh", "-c", f"echo 443 >{FILE}")
        assert [bind_in(box, "tcp", port) for port in (80, 443, 81)] == [0, 0, errno.EACCES]
    assert bind("tcp", 443) == errno.EACCES


def test_root_of_a_user_namespace_changes_its_own_network_only(nonpriv_netbind):
    """Made by nobody, with no right on the host."""
    write(FILE, b"80")
    script = f"echo 443 | tee {FILE} >/dev/null && cat {FILE}"
    done = subprocess.run(["unshare", "-Urn", "sh", "-c", script], user=NOBODY, group=NOBODY,
                          extra_groups=[], capture_output=True, text=True, timeout=30 * SCALE,
                          check=False)
    assert (done.returncode, done.stdout) == (0, "443\n"), done.stderr
    # Without a network of its own it is the host's.
    done = subprocess.run(["unshare", "-Ur", "sh", "-c", script], user=NOBODY, group=NOBODY,
                          extra_groups=[], capture_output=True, text=True, timeout=30 * SCALE,
                          check=False)
    assert done.returncode and "not permitted" in done.stderr
    assert FILE.read_text() == "80\n"


def capabilities(*names):
    """setpriv's options for root with these alone."""
    some = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", f"--bounding-set={some}", f"--inh-caps={some}"]


def test_writing_needs_a_capability_over_the_network(nonpriv_netbind):
    """Either of two will do; being root or the file's owner won't."""
    for names, works in (((), False), (("sys_admin", "dac_override"), False), (("net_admin",), True),
                         (("net_bind_service",), True)):
        done = subprocess.run([*capabilities(*names), "sh", "-c", f"echo 80 | tee {FILE}"], text=True,
                              capture_output=True, timeout=30 * SCALE, check=False)
        assert (done.returncode == 0) == works, (names, done.stderr)
        assert FILE.read_text() == ("80\n" if works else "")
        write(FILE, b"-80")
    done = subprocess.run(["sh", "-c", f"echo 80 | tee {FILE} >/dev/null"], user=NOBODY, group=NOBODY,
                          text=True, capture_output=True, timeout=30 * SCALE, check=False)
    assert done.stdout == "" and "not permitted" in done.stderr


def test_descriptor_doesnt_borrow_the_writers_rights(nonpriv_netbind):
    """Nobody opens the file, root writes to what it was given."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        socket.send_fds(theirs, [b"x"], [os.open(FILE, os.O_WRONLY)])
        os._exit(0)
    _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
    os.waitpid(child, 0)
    with pytest.raises(PermissionError):
        os.write(descriptor, b"80")
    os.close(descriptor)
    assert FILE.read_text() == ""


def test_second_load_with_a_taken_hook_fails(nonpriv_netbind):
    """One owner at a time."""
    assert Module("nonpriv_netbind").insert() == errno.EEXIST
