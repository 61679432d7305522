# SPDX-License-Identifier: GPL-2.0
"""Connections that no process has any more, and how many of them a namespace may have."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from module import Module
from nets import IPV4, Pair
from target import wait_until

STATES = ("fin-wait-1", "last-ack", "closing")
ABORTED = "TCPAbortOnMemory"
LIMIT = "tcp_max_orphans"
ROUNDS = 20


class Orphans:
    """What is closed in one namespace with data that the other doesn't take."""

    def __init__(self, pair):
        self.pair = pair
        self.net = pair.here
        self._far = []
        pair.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def open(self):
        """A connection with unsent data, which its closing makes an orphan."""
        near, far = self.pair.connect()
        self._far.append(far)
        near.setblocking(False)
        near.send(bytes(50_000))
        return near

    def make(self, count):
        """So many of them. Returns how many had to go."""
        before = self.net.counter(ABORTED)
        for _ in range(count):
            self.open().close()
        return self.net.counter(ABORTED) - before

    def count(self):
        """As ss has them."""
        return self.net.sockets(*STATES)

    def end(self):
        """Resets them."""
        for far in self._far:
            far.close()
        self._far = []
        wait_until(lambda: self.count() == 0, "the end of the orphans", timeout=40)

    def assert_known(self, count):
        """The module counts so many, and ss too. One more is there afterwards."""
        assert self.count() == count
        self.net.set(LIMIT, count)
        assert self.make(1) == 1
        self.net.set(LIMIT, count + 1)
        assert self.make(1) == 0
        assert self.make(1) == 1
        assert self.count() == count + 1
        self.net.set(LIMIT, 2 ** 31 - 1)


@pytest.fixture
def orphans(tcp_tuning):
    """Of one namespace."""
    with Pair("orphans") as pair:
        it = Orphans(pair)
        yield it
        it.end()


@pytest.mark.limit(120)
def test_namespace_has_no_limit_at_first(orphans):
    """But the machine's."""
    assert orphans.make(30) == 0
    assert orphans.count() == 30


@pytest.mark.limit(120)
def test_limit_holds(orphans):
    """The one too many is reset, and counted by the kernel as such."""
    orphans.net.set(LIMIT, 5)
    assert orphans.make(5) == 0
    assert orphans.make(3) == 3
    assert orphans.count() == 5
    orphans.net.set(LIMIT, 6)
    assert orphans.make(3) == 2
    assert orphans.count() == 6


@pytest.mark.limit(240)
def test_one_too_many_takes_no_other_with_it(orphans):
    """One whose timer ends at that moment, on another CPU, would see it if it were counted."""
    orphans.net.set(LIMIT, 100)
    for _ in range(3):
        before = orphans.net.counter(ABORTED)
        near = [orphans.open() for _ in range(400)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(socket.socket.close, near))
        assert orphans.count() == 100
        assert orphans.net.counter(ABORTED) - before == 300
        orphans.end()


@pytest.mark.limit(120)
def test_none_at_all(orphans):
    """0 is a limit; what closes as usual isn't touched by it."""
    orphans.net.set(LIMIT, 0)
    assert orphans.make(2) == 2
    assert orphans.count() == 0
    near, far = orphans.pair.connect()
    near.send(b"bye")
    assert far.recv(10) == b"bye"
    far.close()
    assert near.recv(10) == b""
    near.close()


@pytest.mark.limit(120)
def test_orphans_that_end_make_room(orphans):
    """However they end."""
    orphans.net.set(LIMIT, 5)
    for _ in range(3):
        assert orphans.make(6) == 1
        orphans.end()
    orphans.assert_known(0)


@pytest.mark.limit(120)
def test_lower_limit_ends_those_over_it(orphans):
    """When they try again to get rid of their data."""
    assert orphans.make(8) == 0
    before = orphans.net.counter(ABORTED)
    orphans.net.set(LIMIT, 3)
    wait_until(lambda: orphans.count() == 3, "the end of five", timeout=40)
    assert orphans.net.counter(ABORTED) - before == 5


@pytest.mark.limit(120)
def test_others_orphans_dont_count(tcp_tuning):
    """The original compares the machine's number with the namespace's limit."""
    with Pair("first", 1) as first, Pair("second", 2) as second:
        many, few = Orphans(first), Orphans(second)
        many.net.set(LIMIT, 100)
        few.net.set(LIMIT, 3)
        assert many.make(20) == 0
        assert few.make(3) == 0
        assert few.make(1) == 1
        assert (many.count(), few.count()) == (20, 3)
        many.end()
        few.end()


@pytest.mark.limit(120)
def test_machines_limit_still_holds(orphans):
    """A namespace can't have more by saying so. (The kernel looks at the sum every 100 ms.)"""
    orphans.net.set(LIMIT, 1000)
    file = IPV4 / LIMIT
    before = file.read_text()
    try:
        file.write_text("4")
        assert orphans.net.get(LIMIT) == 4
        aborted = orphans.net.counter(ABORTED)
        orphans.make(8)
        wait_until(lambda: orphans.count() <= 4, "the end of four", timeout=40)
        assert orphans.net.counter(ABORTED) - aborted >= 4
    finally:
        file.write_text(before)


@pytest.mark.limit(120)
def test_orphans_that_were_there_before_are_counted(orphans, tcp_tuning):
    """Once each; and they are counted down when they end."""
    tcp_tuning.unload()
    assert orphans.make(7) == 0
    tcp_tuning.load()
    orphans.assert_known(7)
    orphans.end()
    orphans.assert_known(0)


@pytest.mark.limit(240)
def test_orphans_are_counted_right_after_20_loads(orphans, tcp_tuning):
    """Some come and some go while it is not loaded."""
    for turn in range(ROUNDS):
        tcp_tuning.unload()
        orphans.make(1)
        if turn % 5 == 4:
            orphans.end()
        tcp_tuning.load()
        orphans.make(1)
    orphans.assert_known(orphans.count())
    orphans.end()
    orphans.assert_known(0)


@pytest.mark.storm
@pytest.mark.limit(300)
def test_orphans_are_counted_right_after_a_storm(tcp_tuning):
    """Two namespaces make and end orphans while the module is loaded and unloaded."""
    module = Module("tcp_tuning")
    stop = threading.Event()
    errors = []
    rounds = [0, 0]
    with Pair("first", 1) as first, Pair("second", 2) as second:
        both = [Orphans(first), Orphans(second)]

        def churns(number):
            try:
                while not stop.is_set():
                    both[number].make(5)
                    both[number].end()
                    rounds[number] += 1
            except BaseException as error:  # pylint: disable=broad-exception-caught
                errors.append(error)

        threads = [threading.Thread(target=churns, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(ROUNDS):
                assert module.remove() == 0
                assert module.insert() == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        print(f"rounds: {rounds}")
        assert not errors, errors
        assert all(rounds)
        for it in both:
            it.assert_known(0)
            it.end()
