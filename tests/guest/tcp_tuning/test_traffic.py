# SPDX-License-Identifier: GPL-2.0
"""What the settings of tcp_tuning do to connections."""

import re
import socket
import threading
import time

import pytest
from module import Module
from nets import (CA_LOSS, PORT, TCP_RTO_MAX_MS, TCP_RTO_MIN_US, Pair, all_acknowledged, info, pass_over,
                  receive, rto_bounds)
from target import SCALE, wait_until


@pytest.fixture
def pair(tcp_tuning):
    """Two namespaces that can talk."""
    with Pair("pair") as it:
        yield it


@pytest.mark.parametrize("segments", [1, 3, 20, 300, 65535])
def test_connection_begins_with_the_window(pair, segments):
    """On the side whose namespace says so."""
    near, far = pair.connect()
    assert (info(near, "snd_cwnd"), info(far, "snd_cwnd")) == (10, 10)
    pair.here.set("tcp_init_cwnd", segments)
    near, far = pair.connect()
    assert (info(near, "snd_cwnd"), info(far, "snd_cwnd")) == (segments, 10)
    pair.here.set("tcp_init_cwnd", 10)
    pair.there.set("tcp_init_cwnd", segments)
    near, far = pair.connect()
    assert (info(near, "snd_cwnd"), info(far, "snd_cwnd")) == (10, segments)
    pass_over(near, far, 1 << 20)
    pass_over(far, near, 1 << 20)


def test_route_wins(pair):
    """Its initcwnd, whether it is more or less."""
    pair.here.set("tcp_init_cwnd", 20)
    for metric in (5, 40):
        pair.here.run("ip", "route", "change", "10.9.1.0/24", "dev", "cable", "initcwnd", str(metric))
        assert info(pair.connect()[0], "snd_cwnd") == metric
    pair.here.run("ip", "route", "change", "10.9.1.0/24", "dev", "cable")
    assert info(pair.connect()[0], "snd_cwnd") == 20


def test_clamp_holds(pair):
    """Of the route."""
    clamp(pair, 7)
    pair.here.set("tcp_init_cwnd", 20)
    assert info(pair.connect()[0], "snd_cwnd") == 7


def test_other_control_keeps_the_window(pair):
    """A connection begins only once."""
    near, _ = pair.connect()
    pair.here.set("tcp_init_cwnd", 20)
    for name in (b"reno", b"cubic"):
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
        assert info(near, "snd_cwnd") == 10


def clamp(pair, segments):
    """No window is larger from now on. The kernel has it from the route, but only for hosts that it
    has had a connection with before."""
    pair.here.run("ip", "tcp_metrics", "flush")
    pair.here.run("ip", "route", "change", "10.9.1.0/24", "dev", "cable", "cwnd", "lock", str(segments))
    near, far = pair.connect()
    pass_over(near, far, 1 << 10)
    far.close()
    near.close()
    wait_until(lambda: pair.addresses[1] in pair.here.run("ip", "tcp_metrics", "show"), "the kernel's memory")


def test_first_flight_is_as_large(pair):
    """So many segments are sent before the first acknowledgement."""
    for segments in (4, 30):
        pair.here.set("tcp_init_cwnd", segments)
        near, _ = pair.connect()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with pair.lossy(100):
            before = info(near, "segs_out")
            near.setblocking(False)
            near.send(bytes(100 * info(near, "snd_mss")))
            # Large segments count as what they are cut into. A loss probe or two may follow.
            assert segments <= info(near, "segs_out") - before <= segments + 2


@pytest.mark.limit(120)
def test_connection_goes_on_with_it_after_having_been_idle(pair):
    """The one of its namespace, be it more or less than the kernel's own."""
    for segments in (4, 10, 20):
        pair.here.set("tcp_init_cwnd", 10)
        near, far = pair.connect()
        for _ in range(60):
            pass_over(near, far, 1 << 18)
            if info(near, "snd_cwnd") > 30:
                break
        all_acknowledged(near)
        assert info(near, "snd_cwnd") > 25
        pair.here.set("tcp_init_cwnd", segments)
        # Halved for each timeout that passes.
        time.sleep(10 * info(near, "rto") / 1e6)
        near.send(b"x")
        assert segments <= info(near, "snd_cwnd") <= segments + 1, segments


def cwnd_of_ss(pair):
    """The congestion window that ss(8) shows, and the state."""
    text = pair.here.run("ss", "-tinH", "dport", "=", str(PORT))
    return int(re.search(r"\bcwnd:(\d+)", text).group(1))


@pytest.mark.parametrize("value, expected", [(None, 1), (1, 1), (2, 2), (20, 20), (65535, 65535)])
def test_loss_leaves_the_window(pair, value, expected):
    """When nothing is acknowledged any more. ss -ti shows it."""
    if value:
        pair.here.set("tcp_loss_init_cwnd", value)
    near, far = pair.connect()
    pass_over(near, far, 1 << 20)
    all_acknowledged(near)
    with pair.lossy(100):
        near.setblocking(False)
        near.send(bytes(20_000))
        wait_until(lambda: info(near, "ca_state") == CA_LOSS, "the loss")
        assert info(near, "snd_cwnd") == expected
        assert cwnd_of_ss(pair) == expected
    # It recovers.
    wait_until(lambda: info(near, "ca_state") != CA_LOSS, "the recovery", timeout=60)
    receive(far, 20_000)


def test_loss_respects_the_clamp(pair):
    """Of the route."""
    clamp(pair, 7)
    pair.here.set("tcp_loss_init_cwnd", 100)
    near, _ = pair.connect()
    with pair.lossy(100):
        near.setblocking(False)
        near.send(bytes(20_000))
        wait_until(lambda: info(near, "ca_state") == CA_LOSS, "the loss")
        assert info(near, "snd_cwnd") == 7


@pytest.mark.limit(300)
def test_stream_arrives_whole_over_a_lossy_line(pair):
    """With all of the settings at once, at both ends, and 3 % of the packets lost each way."""
    for net in (pair.here, pair.there):
        for name, value in (("init_cwnd", 40), ("loss_init_cwnd", 20), ("no_delay_ack", 1),
                            ("rto_min", 20), ("rto_max", 2)):
            net.set("tcp_" + name, value)
    # One packet for each segment, some 2,900: in few large ones it may be that none gets lost. A
    # connection asks when it begins.
    pair.here.run("ip", "link", "set", "cable", "gso_max_segs", "1")
    near, far = pair.connect()
    sent = bytes(range(256)) * 4096 * 4
    with pair.lossy(3), pair.lossy(3, pair.here):
        begin = time.monotonic()
        sender = threading.Thread(target=near.sendall, args=(sent,))
        sender.start()
        got = bytearray()
        while len(got) < len(sent):
            got += far.recv(1 << 16)
        sender.join()
        print(f"{len(sent)} bytes in {time.monotonic() - begin:.1f} s")
    assert got == sent
    assert info(near, "segs_out") > 2500
    assert pair.here.counter("TCPFastRetrans") + pair.here.counter("TCPTimeouts") > 0


def acknowledgements(pair, count=100):
    """How many packets the receiver of so many small writes sends."""
    return acknowledged(*pair.connect(), count)


def acknowledged(near, far, count=100):
    """The same of a connection. Who reads at once acknowledges at once, so this doesn't."""
    before = info(far, "segs_out")
    for _ in range(count):
        near.send(b"x")
        time.sleep(0.001)
    sent = info(far, "segs_out") - before
    receive(far, count)
    return sent


def test_acknowledgements_arent_delayed(pair):
    """Each segment that arrives is acknowledged, where the namespace says so."""
    few = acknowledgements(pair)
    pair.there.set("tcp_no_delay_ack", 1)
    many = acknowledgements(pair)
    pair.there.set("tcp_no_delay_ack", 0)
    pair.here.set("tcp_no_delay_ack", 1)
    others = acknowledgements(pair)
    print(f"acknowledgements of 100 segments: {few}, {many}, {others}")
    assert few < 80 and others < 80
    assert 95 <= many <= 105


def test_acknowledgements_of_existing_connections_arent_delayed(pair, tcp_tuning):
    """It is asked for at each segment."""
    ends = pair.connect()
    acknowledged(*ends)
    few = acknowledged(*ends)
    pair.there.set("tcp_no_delay_ack", 1)
    many = acknowledged(*ends)
    tcp_tuning.unload()
    then = acknowledged(*ends)
    print(few, many, then)
    assert few < 80 and then < 80 and many >= 95


def test_existing_sockets_get_the_bounds(pair):
    """Those that listen, and are connected, at both ends of a queue; but not who chose others, or is
    elsewhere, or is neither."""
    tick = 1000 / 250
    near, far = pair.connect()
    chose, _ = pair.connect()
    chose.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MIN_US, 100_000)
    chose.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS, 50_000)
    queued = pair.socket()
    queued.connect((pair.addresses[1], PORT))
    fresh = pair.socket()
    with pair.here.entered(), socket.create_server(("::", 7000), family=socket.AF_INET6) as six:
        assert [rto_bounds(it) for it in (near, far, chose, fresh, six)] == [
            (200, 120_000), (200, 120_000), (100, 50_000), (200, 120_000), (200, 120_000)]
        pair.here.set("tcp_rto_min", 40)
        pair.here.set("tcp_rto_max", 30)
        assert [rto_bounds(it) for it in (near, far, queued, chose, fresh, six)] == [
            (40, 30_000), (200, 120_000), (40, 30_000), (100, 50_000), (200, 120_000), (40, 30_000)]
    pair.there.set("tcp_rto_min", 4)
    assert rto_bounds(pair.listener)[0] == rto_bounds(far)[0] == tick
    # Not accepted yet.
    assert rto_bounds(pair.listener.accept()[0])[0] == tick
    # Who is to come.
    near, far = pair.connect()
    assert (rto_bounds(near), rto_bounds(far)) == ((40, 30_000), (tick, 120_000))
    near, _ = pair.connect(fresh)
    # And back; chosen is what isn't what the namespace had.
    pair.here.set("tcp_rto_min", 200)
    assert rto_bounds(near)[0] == 200


def test_kernels_own_file_reaches_new_sockets_only(pair):
    """As without the module."""
    near, _ = pair.connect()
    pair.here.set("tcp_rto_min_us", 40_000)
    assert rto_bounds(near)[0] == 200
    assert rto_bounds(pair.connect()[0])[0] == 40


@pytest.mark.limit(120)
def test_timeout_of_an_existing_connection_falls(pair):
    """What ss calls rto, as soon as it is measured again."""
    near, far = pair.connect()

    def pings(count):
        for _ in range(count):
            near.send(b"x")
            receive(far, 1)
            far.send(b"y")
            receive(near, 1)

    pings(50)
    before = info(near, "rto")
    assert before >= 200_000
    pair.here.set("tcp_rto_min", 20)
    pings(100)
    after = info(near, "rto")
    print(f"rto: {before} us, then {after} us")
    assert after < 150_000
    text = pair.here.run("ss", "-tinH", "dport", "=", str(PORT))
    assert float(re.search(r"\brto:([\d.]+)", text).group(1)) < 150


@pytest.mark.limit(120)
def test_largest_timeout_holds_for_existing_connections(pair):
    """A connection that nobody answers tries again each second."""
    near, _ = pair.connect()
    pair.here.set("tcp_rto_max", 1)
    with pair.lossy(100):
        near.setblocking(False)
        near.send(b"x")
        wait_until(lambda: info(near, "rto") >= 800_000, "backing off", timeout=30)
        time.sleep(4 * SCALE)
        assert info(near, "rto") <= 1_000_000


@pytest.mark.limit(120)
def test_two_namespaces_with_different_values(tcp_tuning):
    """At the same time."""
    with Pair("first", 1) as first, Pair("second", 2) as second:
        for pair, window, rto in ((first, 25, 60), (second, 5, 400)):
            pair.here.set("tcp_init_cwnd", window)
            pair.here.set("tcp_loss_init_cwnd", window + 1)
            pair.here.set("tcp_rto_min", rto)
        ends = [pair.connect()[0] for pair in (first, second)]
        assert [info(near, "snd_cwnd") for near in ends] == [25, 5]
        assert [rto_bounds(near)[0] for near in ends] == [60, 400]
        with first.lossy(100), second.lossy(100):
            for near in ends:
                near.setblocking(False)
                near.send(bytes(10_000))
            wait_until(lambda: all(info(near, "ca_state") == CA_LOSS for near in ends), "the losses")
            assert [info(near, "snd_cwnd") for near in ends] == [26, 6]


@pytest.mark.storm
@pytest.mark.limit(300)
def test_unloads_20_times_while_traffic_runs(pair):
    """A stream that loses packets, short connections, and settings that come and go."""
    module = Module("tcp_tuning")
    stop = threading.Event()
    counts = {"bytes": 0, "connections": 0}
    errors = []

    def guarded(work):
        def run():
            try:
                while not stop.is_set():
                    work()
            except BaseException as error:  # pylint: disable=broad-exception-caught
                errors.append(error)
        return threading.Thread(target=run)

    near, far = pair.connect()

    def streams():
        pass_over(near, far, 1 << 16)
        counts["bytes"] += 1 << 16

    def connects():
        # Closed with data on the way: an orphan for a moment, or an aborted connection.
        one, other = pair.connect()
        one.send(bytes(5000))
        one.close()
        other.close()
        counts["connections"] += 1

    threads = [guarded(streams), guarded(connects)]
    with pair.lossy(1):
        for thread in threads:
            thread.start()
        try:
            for turn in range(20):
                assert module.remove() == 0, turn
                assert module.insert() == 0, turn
                for net in (pair.here, pair.there):
                    net.set("tcp_init_cwnd", 30)
                    net.set("tcp_loss_init_cwnd", 10)
                    net.set("tcp_no_delay_ack", turn % 2)
                    net.set("tcp_rto_min", 20 + turn)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    print(counts)
    assert not errors, errors
    assert all(counts.values())
