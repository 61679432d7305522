# SPDX-License-Identifier: GPL-2.0
"""Network namespaces, joined by a cable, and TCP connections between them."""

import contextlib
import fcntl
import os
import pathlib
import socket
import struct
import subprocess

from target import SCALE, wait_until

IPV4 = pathlib.Path("/proc/sys/net/ipv4")
PORT = 5000

# Offsets in struct tcp_info.
INFO = {"ca_state": (1, "B"), "rto": (8, "I"), "snd_mss": (16, "I"), "snd_cwnd": (80, "I"),
        "segs_out": (136, "I"), "segs_in": (140, "I")}
CA_LOSS = 4

TCP_RTO_MAX_MS = 44
TCP_RTO_MIN_US = 45


class Net:
    """A network namespace with a name. Use as a context manager."""

    def __init__(self, name):
        self.name = name
        self._file = None

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True, timeout=30 * SCALE)
        self._file = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        self.run("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        os.close(self._file)
        subprocess.run(["ip", "netns", "del", self.name], check=True, timeout=30 * SCALE)

    @contextlib.contextmanager
    def entered(self):
        """What this thread makes and opens meanwhile is of this namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        os.setns(self._file, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(home, os.CLONE_NEWNET)
            os.close(home)

    def run(self, *words, check=True):
        """What a program prints there."""
        done = subprocess.run(["ip", "netns", "exec", self.name, *words], stdout=subprocess.PIPE,
                              text=True, timeout=60 * SCALE, check=check)
        return done.stdout

    def get(self, name):
        """The value of a file in net.ipv4."""
        with self.entered():
            return int((IPV4 / name).read_text())

    def set(self, name, value):
        """Writes to one."""
        with self.entered():
            (IPV4 / name).write_text(str(value))

    def counter(self, name):
        """One of /proc/net/netstat."""
        with self.entered():
            lines = pathlib.Path("/proc/thread-self/net/netstat").read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            found = dict(zip(names.split(), values.split()))
            if name in found:
                return int(found[name])
        raise KeyError(name)

    def sockets(self, *states):
        """How many TCP sockets are in one of these states, as ss(8) has them."""
        words = [word for state in states for word in ("state", state)]
        return len(self.run("ss", "-tanH", *words).splitlines())


class Pair:
    """Two namespaces joined by a veth pair. Connections go from `here` to `there`."""

    def __init__(self, name, number=1):
        self.here = Net(name + "-here")
        self.there = Net(name + "-there")
        self.addresses = (f"10.9.{number}.1", f"10.9.{number}.2")
        self.listener = None

    def __enter__(self):
        # pylint: disable=unnecessary-dunder-call
        self.here.__enter__()
        self.there.__enter__()
        self.here.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
                      self.there.name)
        for net, address in zip((self.here, self.there), self.addresses):
            net.run("ip", "address", "add", f"{address}/24", "dev", "cable")
            net.run("ip", "link", "set", "cable", "up")
        with self.there.entered():
            self.listener = socket.create_server((self.addresses[1], PORT), backlog=500)
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.here.__exit__()
        self.there.__exit__()

    def socket(self):
        """One that isn't connected."""
        with self.here.entered():
            return socket.socket()

    def connect(self, it=None):
        """The two ends of a connection."""
        near = it or self.socket()
        near.settimeout(30 * SCALE)
        near.connect((self.addresses[1], PORT))
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far, _ = self.listener.accept()
        far.settimeout(30 * SCALE)
        return near, far

    @contextlib.contextmanager
    def lossy(self, percent, net=None):
        """Packets to `here` get lost, or those that leave `net`."""
        net = net or self.there
        net.run("tc", "qdisc", "add", "dev", "cable", "root", "netem", "loss", f"{percent}%")
        try:
            yield
        finally:
            net.run("tc", "qdisc", "del", "dev", "cable", "root")


def info(it, name):
    """A member of struct tcp_info."""
    offset, kind = INFO[name]
    data = it.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("=" + kind, data, offset)[0]


def rto_bounds(it):
    """In milliseconds."""
    return (it.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MIN_US) / 1000,
            it.getsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS))


def receive(it, count):
    """So many bytes."""
    while count:
        data = it.recv(min(count, 1 << 16))
        assert data, "the connection has ended"
        count -= len(data)


def pass_over(near, far, count):
    """Sends some bytes and receives them."""
    chunk = bytes(min(count, 1 << 14))
    while count:
        data = chunk[:count]
        near.sendall(data)
        receive(far, len(data))
        count -= len(data)


def all_acknowledged(it):
    """Waits until nothing is on the way."""
    siocoutq = 0x5411

    def done():
        return struct.unpack("i", fcntl.ioctl(it, siocoutq, bytes(4)))[0] == 0

    wait_until(done, "acknowledgements")
