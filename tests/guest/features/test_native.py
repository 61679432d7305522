# SPDX-License-Identifier: GPL-2.0
"""What TencentOS added and the kernel has by itself now: nothing of tkernel-rs is loaded."""

import pathlib
import socket
import subprocess
import sys

import pytest
from boxes import Bare
from nets import IPV4, Net
from target import SCALE

PAGE = 4096


@pytest.fixture
def hosts_files():
    """Those of the host, restored afterwards."""
    names = ("tcp_rmem", "tcp_wmem", "tcp_workaround_signed_windows")
    before = {name: (IPV4 / name).read_text() for name in names}
    yield before
    for name, text in before.items():
        (IPV4 / name).write_text(text)


def words(name):
    """The numbers in a file."""
    return (IPV4 / name).read_text().split()


@pytest.mark.parametrize("name, option", [("tcp_rmem", socket.SO_RCVBUF), ("tcp_wmem", socket.SO_SNDBUF)])
def test_buffers_are_those_of_the_namespace(hosts_files, name, option):
    """Which has the initial one's at first. Both ways nobody else sees a change."""
    with Net("native-a") as one, Net("native-b") as two:
        for net, middle in ((one, 30_000), (two, 70_000)):
            with net.entered():
                assert words(name) == hosts_files[name].split()
                (IPV4 / name).write_text(f"{PAGE} {middle} 400000")
        for net, middle in ((one, 30_000), (two, 70_000)):
            with net.entered(), socket.socket() as it:
                assert words(name) == [str(PAGE), str(middle), "400000"]
                assert it.getsockopt(socket.SOL_SOCKET, option) == middle
        assert words(name) == hosts_files[name].split()
        (IPV4 / name).write_text(f"{PAGE} 50000 500000")
        with one.entered():
            assert words(name) == [str(PAGE), "30000", "400000"]
    with Net("native-c") as three, three.entered():
        assert words(name) == [str(PAGE), "50000", "500000"]


def test_workaround_for_signed_windows_is_the_namespaces(hosts_files):
    """0 or 1 in each."""
    name = "tcp_workaround_signed_windows"
    with Net("native-a") as one, Net("native-b") as two:
        one.set(name, 1)
        assert (one.get(name), two.get(name)) == (1, 0)
        assert (IPV4 / name).read_text() == hosts_files[name]
        (IPV4 / name).write_text("1")
        assert two.get(name) == 0


# What iotop does: asks for the statistics of a process by its number.
TASKSTATS = r"""if 1:
    import os, socket, struct, sys

    def attribute(kind, data):
        return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    def ask(it, family, command, data):
        message = struct.pack("=BBH", command, 1, 0) + data
        it.send(struct.pack("=IHHII", 16 + len(message), family, 1, 1, 0) + message)
        answer = it.recv(1 << 16)
        kind = struct.unpack_from("=H", answer, 4)[0]
        if kind == 2:
            raise OSError(-struct.unpack_from("=i", answer, 16)[0], "netlink")
        return attributes(answer[20:struct.unpack_from("=I", answer)[0]])

    def attributes(data):
        found = {}
        while len(data) >= 4:
            length, kind = struct.unpack_from("=HH", data)
            found[kind & 0x3fff] = data[4:length]
            data = data[(length + 3) & ~3:]
        return found

    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as it:
        it.bind((0, 0))
        # CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_FAMILY_ID
        family = struct.unpack("=H", ask(it, 16, 3, attribute(2, b"TASKSTATS\0"))[1])[0]

        def stats(pid):
            # TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID; TASKSTATS_TYPE_AGGR_PID, TASKSTATS_TYPE_STATS
            data = attributes(ask(it, family, 1, attribute(1, struct.pack("=I", pid)))[4])[3]
            return data

        pid = int(sys.argv[1]) if len(sys.argv) > 1 else os.getpid()
        before = stats(pid)
        with open("/tmp/taskstats", "wb", 0) as file:
            file.write(bytes(123456))
        os.unlink("/tmp/taskstats")
        after = stats(pid)
    written = struct.unpack_from("=Q", after, 224)[0] - struct.unpack_from("=Q", before, 224)[0]
    print(struct.unpack_from("=I", after, 128)[0], after[80:112].split(b"\0")[0].decode(), written)"""


def test_taskstats_works_in_a_network_namespace():
    """Of a container with pids of its own; the numbers are the container's."""
    with Bare() as box:
        pid, name, written = box.run("sh", "-c", 'exec "$@"', "sh", "python3", "-Ic", TASKSTATS).split()
        assert int(pid) < 1000 and name.startswith("python3")
        # Whole pages, and what else it wrote.
        assert 30 * PAGE <= int(written) < 123456 + 5000
        # Another process, by its number there.
        assert box.run("python3", "-Ic", TASKSTATS, "1").split()[:2] == ["1", "sleep"]


def test_taskstats_needs_the_capability():
    """CAP_NET_ADMIN over the machine, as on the host."""
    done = subprocess.run(["unshare", "-Urn", sys.executable, "-Ic", TASKSTATS], user=65534, group=65534,
                          extra_groups=[], capture_output=True, text=True, timeout=30 * SCALE, check=False)
    assert done.returncode and "[Errno 1]" in done.stderr, done.stderr
    assert pathlib.Path("/proc/self/io").exists()
