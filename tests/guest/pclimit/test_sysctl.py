# SPDX-License-Identifier: GPL-2.0
"""The files in /proc/sys/vm: what they hold, take and refuse, and what a write does."""

import errno
import os
import pathlib
import random
import stat
import subprocess

import limit
import pytest
from boxes import assert_container_cant_write
from limit import INT_MAX, INT_MIN, ULONG_MAX
from pagecache import MIB, memory, percent
from target import wait_until

EINVAL = errno.EINVAL


@pytest.mark.parametrize("name", limit.DEFAULTS)
def test_default(pclimit, name):
    """After loading nothing is limited."""
    assert limit.read(name) == limit.DEFAULTS[name]
    status = limit.path(name).stat()
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert (status.st_uid, status.st_gid) == (0, 0)


def test_usage_is_only_read(pclimit):
    """It is nothing to set."""
    assert stat.S_IMODE(limit.path(limit.USAGE).stat().st_mode) == 0o444
    with pytest.raises(PermissionError):
        limit.write(limit.USAGE, 1)
    assert limit.usage() > 0


def test_there_are_no_other_files(pclimit):
    """What is there is what is tested here."""
    found = {path.name for path in limit.SYSCTLS.glob("pagecache_*")}
    assert found == {limit.path(name).name for name in (*limit.DEFAULTS, limit.USAGE)}


@pytest.mark.parametrize("ratio, reclaim_ratio", [
    (0, 0), (1, 3), (30, 32), (97, 99), (98, 100), (99, 100), (100, 100)])
def test_ratio_sets_the_reclaim_ratio(pclimit, ratio, reclaim_ratio):
    """Two percent more, and no more than there is."""
    limit.write("limit_ratio", 50)
    limit.write("limit_reclaim_ratio", 77)
    limit.write("limit_ratio", ratio)
    assert limit.read("limit_ratio") == ratio
    assert limit.read("limit_reclaim_ratio") == reclaim_ratio


@pytest.mark.parametrize("value, error", [
    (0, EINVAL), (29, EINVAL), (30, EINVAL), (31, EINVAL), (32, 0), (33, 0), (100, 0),
    (101, EINVAL), (-1, EINVAL)])
def test_reclaim_ratio_is_at_least_two_above(pclimit, value, error):
    """And is kept if it isn't."""
    limit.write("limit_ratio", 30)
    limit.write("limit_reclaim_ratio", 40)
    assert limit.write_errno("limit_reclaim_ratio", value) == error
    assert limit.read("limit_reclaim_ratio") == (40 if error else value)
    assert limit.read("limit_ratio") == 30


@pytest.mark.parametrize("ratio", [0, 99, 100])
def test_reclaim_ratio_without_room_for_it(pclimit, ratio):
    """Without a limit, or with one that high, no value is right."""
    limit.write("limit_ratio", ratio)
    before = limit.read("limit_reclaim_ratio")
    for value in range(0, 102):
        assert limit.write_errno("limit_reclaim_ratio", value) == EINVAL
    assert limit.read("limit_reclaim_ratio") == before


def test_bytes_and_ratio_end_each_other(pclimit):
    """As vm.dirty_bytes and vm.dirty_ratio do."""
    limit.write("limit_ratio", 90)
    limit.write("limit_bytes", 700 * MIB)
    assert limit.read("limit_bytes") == 700 * MIB
    assert limit.read("limit_ratio") == 0
    assert limit.read("limit_reclaim_ratio") == 0
    limit.write("limit_ratio", 80)
    assert limit.read("limit_bytes") == 0
    assert limit.read("limit_reclaim_ratio") == 82
    # There is no limit in bytes to end.
    limit.write("limit_bytes", 0)
    assert limit.read("limit_ratio") == 80
    limit.write("limit_bytes", 700 * MIB)
    limit.write("limit_ratio", 0)
    assert limit.read("limit_bytes") == 0


def test_limit_in_pages(pclimit):
    """The counters say what the settings mean."""
    assert limit.stats()["nr_limit"] == 0
    limit.write("limit_ratio", 30)
    assert limit.stats()["nr_limit"] == pytest.approx(percent(30), abs=1)
    limit.write("limit_bytes", 700 * MIB + 5)
    assert limit.stats()["nr_limit"] == 700 * MIB // 4096
    # More than there is may be set: nothing then is above it.
    limit.write("limit_bytes", ULONG_MAX)
    assert limit.read("limit_bytes") == ULONG_MAX
    assert limit.stats()["nr_limit"] > memory()


@pytest.mark.parametrize("value, error", [
    (0, 0), (-1, 0), (INT_MIN, 0), (1, EINVAL), (INT_MAX, EINVAL)])
def test_async_needs_a_limit(pclimit, value, error):
    """To be switched on."""
    assert limit.write_errno("limit_async", value) == error
    assert limit.read("limit_async") == (0 if error else value)
    assert not limit.threads()


@pytest.mark.parametrize("kind, value", [("limit_ratio", 90), ("limit_bytes", 1 << 40)])
def test_thread_is_there_exactly_while_it_has_work(pclimit, kind, value):
    """From when it is wanted until it isn't, whichever setting says so."""
    assert not limit.threads()
    limit.write(kind, value)
    assert not limit.threads()
    limit.write("limit_async", 1)
    assert len(limit.threads()) == 1
    limit.write("limit_async", 7)
    assert len(limit.threads()) == 1
    limit.write("limit_async", -3)
    assert not limit.threads()
    limit.write("limit_async", 1)
    limit.write(kind, 0)
    assert not limit.threads()
    # It was never switched off.
    assert limit.read("limit_async") == 1
    limit.write(kind, value)
    assert len(limit.threads()) == 1


def test_kinds_of_limits_take_over_the_thread(pclimit):
    """There is a limit all the time."""
    limit.write("limit_ratio", 90)
    limit.write("limit_async", 1)
    thread = limit.threads()
    limit.write("limit_bytes", 1 << 40)
    assert limit.threads() == thread
    limit.write("limit_ratio", 80)
    assert limit.threads() == thread


def test_reloading_forgets(pclimit):
    """Settings last as long as the module."""
    for name, value in (("limit_ratio", 90), ("limit_async", 1), ("limit_ignore_dirty", 0),
                        ("limit_ignore_slab", 0), ("limit_global", 0),
                        ("limit_retry_times", 99)):
        limit.write(name, value)
    pclimit.unload()
    assert not limit.left()
    pclimit.load()
    assert limit.read_all() == limit.DEFAULTS
    assert not limit.threads()


def test_counters_file(pclimit):
    """Names and numbers, and nothing to write."""
    lines = limit.STATS.read_text().splitlines()
    assert all(len(line.split()) == 2 for line in lines)
    assert all(value >= 0 for value in limit.stats().values())
    assert len(limit.stats()) == len(lines)
    assert stat.S_IMODE(limit.STATS.stat().st_mode) == 0o444


def test_users_may_read_and_not_write(pclimit):
    """As every other file there."""
    for name in (*limit.DEFAULTS, limit.USAGE):
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "sh", "-c",
                               f"cat {limit.path(name)} && ! echo 1 >{limit.path(name)}"],
                              capture_output=True, check=False)
        assert done.returncode == 0, done
    assert limit.read_all() == limit.DEFAULTS


@pytest.mark.limit(300)
def test_containers_root_cant_write(pclimit):
    """The limit is the machine's."""
    assert_container_cant_write(limit.path("limit_ratio"), 30, "pclimit-root")


# What people and programs write, without a number that all would agree on.
TEXTS = [
    b"", b"\n", b" ", b"\t\n", b"x", b"30x", b"x30", b"30 x", b"30,40", b"3 0", b"+30", b"--30", b"- 30",
    b"0x1e", b"036", b"08", b"0b11", b"30.5", b"3e1", b"1e400", b"NaN", b"on", b"true", b"max", b"30%",
    b"30M", b"30\n", b"  30", b"30  ", b"30\n\n", b"30\n40", b"00000030", b"30\0", b"\0", b"\xff\xfe",
    b"99999999999999999999", b"-99999999999999999999", b"9" * 5000, b"0" * 5000, b" " * 5000,
    b"4294967326", b"-1", b"-0", b"2147483648", b"-2147483649", b"18446744073709551616", b"\xd9\xa3\xd9\xa0",
]


def try_text(path, text):
    """What a write of a text returns or fails with, and what the file holds then."""
    fd = os.open(path, os.O_WRONLY)
    try:
        answer = os.write(fd, text)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    finally:
        os.close(fd)
    return answer, path.read_text()


# Of the kernel's own files: the one to compare with, one that sets it to 0, and what of a text has
# to be another number there and here, as it would be too small or too large for the one or the other.
LIKE = {
    "limit_ratio": ("dirty_ratio", "dirty_ratio", {}),
    "limit_bytes": ("dirty_bytes", "dirty_ratio",
                    {b"0x1e": b"0x4000", b"036": b"040000", b"30": b"8192"}),
    "limit_global": ("panic_on_oom", "panic_on_oom", {b"0x1e": b"0x1", b"036": b"01", b"30": b"1"}),
    "limit_retry_times": ("swappiness", "swappiness", {}),
}


@pytest.mark.parametrize("name", LIKE)
def test_texts_are_taken_as_by_the_kernels_own_files(pclimit, name):
    """The same answer for the same text, and the same number after it."""
    like, reset, numbers = LIKE[name]
    like, reset = limit.SYSCTLS / like, limit.SYSCTLS / reset
    before = reset.read_text()
    try:
        for text in TEXTS:
            for number, other in numbers.items():
                text = text.replace(number, other)
            # One that has a value already doesn't end the other kind.
            reset.write_text("1")
            reset.write_text("0")
            limit.write(name, 0)
            assert try_text(limit.path(name), text) == try_text(like, text), text
    finally:
        reset.write_text(before)


def test_write_at_an_offset_does_nothing(pclimit):
    """As with the kernel's own files, while kernel.sysctl_writes_strict is 1."""
    limit.write("limit_ratio", 90)
    with open(limit.path("limit_ratio"), "r+b", buffering=0) as file:
        assert os.pwrite(file.fileno(), b"50", 1) == 2
        assert limit.read("limit_ratio") == 90
        # Reading goes on where it stopped.
        assert os.pread(file.fileno(), 100, 0) == b"90\n"
        assert os.pread(file.fileno(), 100, 3) == b""


BAD_WRITES = 10_000

# Settings under which bad values differ: no limit, one of each kind, and one with the thread.
STATES = {
    "no limit": {},
    "ratio": {"limit_ratio": 90},
    "bytes": {"limit_bytes": 1 << 40},
    "thread": {"limit_ratio": 95, "limit_async": 1, "limit_reclaim_ratio": 98},
}


def bad_values(name, draw):
    """Without end: texts of numbers that are out of range, too large for any, or none."""
    low, high = limit.RANGES[name]
    while True:
        kind = draw.randrange(5)
        if kind == 0:
            yield b"%d" % draw.randint(high + 1, max(high * 2, high + (1 << 40)))
        elif kind == 1:
            yield b"%d" % draw.randint(min(low * 2, low - (1 << 40)), low - 1)
        elif kind == 2:
            bits = draw.randint(64, 200)
            yield b"%d" % (draw.choice((-1, 1)) * (1 << bits | draw.getrandbits(bits)))
        elif kind == 3:
            # Never a digit first, nor what is skipped before one.
            yield bytes([draw.choice(b"xyzXYZ_+*/.,;:%$#@!?\xff\x01\x7f")]) + draw.randbytes(
                draw.randint(0, 20))
        else:
            yield b"%d" % draw.randint(max(low, 1), min(high, 100)) + draw.choice(
                (b"x", b"%", b"M", b".5", b",1", b"\xff", b"k\n"))


@pytest.mark.limit(120)
@pytest.mark.parametrize("name", limit.DEFAULTS)
def test_ten_thousand_bad_writes_change_nothing(pclimit, name):
    """EINVAL, each of them, and no file holds another number than before."""
    draw = random.Random(f"bad {name}")
    values = bad_values(name, draw)
    file = os.open(limit.path(name), os.O_RDWR)
    for state in STATES.values():
        limit.write("limit_ratio", 0)
        for key, value in state.items():
            limit.write(key, value)
        before = limit.read_all()
        shown = os.pread(file, 64, 0)
        threads = limit.threads()
        for _ in range(BAD_WRITES // len(STATES)):
            text = next(values)
            try:
                os.pwrite(file, text, 0)
            except OSError as error:
                assert error.errno == EINVAL, text
            else:
                pytest.fail(f"{text!r} was accepted")
            assert os.pread(file, 64, 0) == shown, text
        assert limit.read_all() == before
        assert limit.threads() == threads
        limit.write("limit_async", 0)
    os.close(file)


@pytest.mark.limit(120)
def test_random_writes_follow_the_rules(pclimit):
    """Good and bad ones to all files: the errno, every file, and whether there is a thread."""
    draw = random.Random("all")
    model = limit.Model()
    interesting = {
        # Limits that aren't reached: this isn't about reclaim.
        "limit_ratio": (0, 90, 95, 97, 98, 99, 100, 101, -1),
        "limit_bytes": (0, 1, 4095, 1 << 40, ULONG_MAX, ULONG_MAX + 1, -1),
        "limit_reclaim_ratio": (0, 1, 90, 91, 92, 97, 98, 99, 100, 101, -1),
        "limit_async": (0, 0, 1, -1, INT_MAX, INT_MIN, INT_MAX + 1, INT_MIN - 1),
    }
    refused = 0
    for number in range(1000):
        name = draw.choice(list(limit.DEFAULTS))
        low, high = limit.RANGES[name]
        value = draw.choice(interesting.get(name, (low, high, low - 1, high + 1, 0, 1)))
        error = model.write(name, value)
        assert limit.write_errno(name, value) == error, (name, value, model.values)
        refused += error != 0
        assert limit.read_all() == model.values, (name, value)
        if number % 20 == 0 or name == "limit_async":
            assert len(limit.threads()) == model.wants_thread(), (name, value)
    assert 200 < refused < 800


@pytest.mark.long
@pytest.mark.limit(120)
def test_many_writers_at_once(pclimit):
    """Of all files; afterwards they agree with each other."""
    script = """
        draw=$1; end=$((SECONDS + 5))
        while ((SECONDS < end)); do
            draw=$(((draw * 1103515245 + 12345) & 0x7fffffff))
            case $((draw >> 8 & 3)) in
            0) echo $((90 + (draw >> 16) % 11)) >/proc/sys/vm/pagecache_limit_ratio ;;
            1) echo $((draw >> 16 & 1)) >/proc/sys/vm/pagecache_limit_async ;;
            2) echo $((((draw >> 16) & 1) << 40)) >/proc/sys/vm/pagecache_limit_bytes ;;
            3) echo 100 >/proc/sys/vm/pagecache_limit_reclaim_ratio ;;
            esac
        done 2>/dev/null"""
    writers = [subprocess.Popen(["bash", "-c", script, "bash", str(seed)]) for seed in range(6)]
    for writer in writers:
        writer.wait(60)
    values = limit.read_all()
    limited = values["limit_ratio"] > 0 or values["limit_bytes"] > 0
    assert not (values["limit_ratio"] and values["limit_bytes"])
    assert len(limit.threads()) == (limited and values["limit_async"] > 0)
    ratio = values["limit_ratio"]
    assert values["limit_reclaim_ratio"] in ((0,) if not ratio else (min(ratio + 2, 100), 100))


def test_sysctl_tool_and_configuration_file(pclimit, tmp_path):
    """sysctl(8) with the lines of a configuration file that was written for TencentOS."""
    file = tmp_path / "pagecache.conf"
    file.write_text("vm.pagecache_limit_ratio = 90\nvm.pagecache_limit_reclaim_ratio = 95\n"
                    "vm.pagecache_limit_ignore_dirty = 1\nvm.pagecache_limit_async = 1\n"
                    "vm.pagecache_limit_global = 1\nvm.pagecache_limit_retry_times = 10\n")
    subprocess.run(["sysctl", "-p", file], check=True, capture_output=True)
    done = subprocess.run(["sysctl", "vm.pagecache_limit_reclaim_ratio"], check=True,
                          capture_output=True, text=True)
    assert done.stdout == "vm.pagecache_limit_reclaim_ratio = 95\n"
    assert len(limit.threads()) == 1


def offline_blocks():
    """Blocks of memory, those first that are likely to be free."""
    blocks = [path for path in pathlib.Path("/sys/devices/system/memory").glob("memory[0-9]*")
              if (path / "state").read_text() == "online\n"]
    return sorted(blocks, key=lambda path: ("Movable" not in (path / "valid_zones").read_text(),
                                            -int(path.name[6:])))


@pytest.mark.limit(180)
def test_limit_follows_the_memory(pclimit):
    """A ratio is one of the memory that there is now; a number of bytes isn't."""
    limit.write("limit_ratio", 50)
    whole = limit.stats()["nr_limit"]
    for block in offline_blocks():
        state = block / "state"
        try:
            state.write_text("offline")
        except OSError:
            # Something in it can't be moved.
            continue
        break
    else:
        pytest.skip("no part of this machine's memory can be taken away")
    try:
        assert memory() * 2 < whole * 4 - 1000
        assert limit.stats()["nr_limit"] == pytest.approx(percent(50), abs=1)
        limit.write("limit_bytes", 1 << 30)
        assert limit.stats()["nr_limit"] == (1 << 30) // 4096
    finally:
        state.write_text("online")
    wait_until(lambda: state.read_text() == "online\n", "the memory's return")
    limit.write("limit_ratio", 50)
    assert limit.stats()["nr_limit"] == whole
