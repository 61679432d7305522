# SPDX-License-Identifier: GPL-2.0
"""Mounts that containers don't see, by whatever way they look."""

import contextlib
import ctypes
import json
import os
import pathlib
import subprocess

import pytest
from boxes import Bare, Box, outcome
from disks import run
from target import SCALE
from writes import write

FILE = pathlib.Path("/proc/tkernel/shield_mounts")
NOBODY = 65534
PLACES = pathlib.Path("/run/tk-shields")

libc = ctypes.CDLL(None, use_errno=True)

# Run in containers: all mounts by listmount(2) and statmount(2), as "source path" lines.
LISTING = r"""if 1:
    import ctypes, json, struct, sys
    libc = ctypes.CDLL(None, use_errno=True)
    ROOT = 2**64 - 1

    def listmount(of, reverse=0, after=0):
        request = struct.pack("=IIQQQ", 32, 0, of, after, 0)
        ids = (ctypes.c_uint64 * 1000)()
        count = libc.syscall(ctypes.c_long(458), request, ids, ctypes.c_size_t(1000), reverse)
        return list(ids[:count]) if count >= 0 else -ctypes.get_errno()

    def statmount(mount):
        # Basics of the mount, its point, its source.
        request = struct.pack("=IIQQQ", 32, 0, mount, 0x2 | 0x10 | 0x200, 0)
        buffer = ctypes.create_string_buffer(8192)
        if libc.syscall(ctypes.c_long(457), request, buffer, ctypes.c_size_t(8192), 0):
            return -ctypes.get_errno()
        raw = buffer.raw
        mask, = struct.unpack_from("=Q", raw, 8)
        point, = struct.unpack_from("=I", raw, MNT_POINT)
        source, = struct.unpack_from("=I", raw, SB_SOURCE)
        def text(offset):
            start = 512 + offset
            return raw[start:raw.index(b"\0", start)].decode()
        return text(source) if mask & 0x200 else "", text(point)
"""


def listing(command):
    """LISTING with a command; what struct statmount has where."""
    # linux/mount.h: size, mnt_opts, mask, sb_dev…; strings begin behind 512 bytes.
    source = LISTING.replace("MNT_POINT", "108").replace("SB_SOURCE", "124")
    return ["python3", "-Ic", source + "    " + command]


@contextlib.contextmanager
def mounted(*pairs, where=PLACES):
    """A tmpfs for each (device, name of a directory); gives the paths."""
    paths = []
    try:
        for device, name in pairs:
            path = pathlib.Path(where) / name
            path.mkdir(parents=True, exist_ok=True)
            run("mount", "-t", "tmpfs", device, path)
            paths.append(path)
        yield paths
    finally:
        for path in reversed(paths):
            run("umount", path)


def command(verb, device, path):
    """A command for the file."""
    return f"{verb} {device} {path}\n".encode()


def do(verb, device, path):
    """Writes it, which has to work."""
    text = command(verb, device, path)
    assert write(FILE, text) == len(text)


# Each prints the paths of the mounts that it sees.
VIEWS = {
    "mounts": ["sh", "-c", "cut -d' ' -f2 /proc/mounts"],
    "self/mounts": ["sh", "-c", "cut -d' ' -f2 /proc/self/mounts"],
    "thread": ["sh", "-c", "cut -d' ' -f2 /proc/thread-self/mounts"],
    "mountinfo": ["sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo"],
    "init's mountinfo": ["sh", "-c", "cut -d' ' -f5 /proc/1/mountinfo"],
    "mountstats": ["sh", "-c", "sed 's/.* mounted on \\(.*\\) with fstype.*/\\1/' /proc/self/mountstats"],
    "findmnt": ["findmnt", "--raw", "--noheadings", "--output=target"],
    "findmnt by listmount": ["findmnt", "--kernel=listmount", "--raw", "--noheadings", "--output=target"],
    "mount": ["sh", "-c", "mount | sed 's/.* on \\(.*\\) type .*/\\1/'"],
    "df": ["df", "--all", "--output=target"],
    "statmount": listing("print(*(statmount(i)[1] for i in listmount(ROOT)), sep=chr(10))"),
    "reverse": listing("print(*(statmount(i)[1] for i in listmount(ROOT, 1)), sep=chr(10))"),
}


def view(name, run_in):
    """The set of what it prints."""
    return set(run_in(*VIEWS[name]).splitlines())


@pytest.fixture(params=VIEWS)
def name(request):
    """A way to look."""
    if "by listmount" in request.param and "listmount" not in run("findmnt", "--help"):
        pytest.skip("this findmnt has no --kernel=listmount")
    return request.param


def test_hidden_mount_is_in_no_list(shield_mounts, name):
    """Of a container's. It is still there, and others beside it stay."""
    with mounted(("secret", "a"), ("plain", "b"), ("secret", "c")) as (a, b, c), Bare() as box:
        paths = {str(a), str(b), str(c)}
        assert view(name, box.run) >= paths
        before = view(name, box.run)
        do("set", "secret", a)
        assert view(name, box.run) == before - {str(a)}
        assert view(name, run) >= paths, "hidden from the host"
        # All of it works.
        box.run("sh", "-c", f"echo text >{a}/file && cat {a}/file && stat -f {a}")
        do("clear", "secret", a)
        assert view(name, box.run) == before
        do("set", "secret", a)
        shield_mounts.unload()
        assert view(name, box.run) == before


@pytest.mark.limit(120)
def test_podman_container_doesnt_see_it(shield_mounts):
    """A volume that is given to it; df and findmnt by its path know nothing but what it is below."""
    with mounted(("nas:/export", "share")) as (share,):
        volume = f"--volume={share}:/data"
        # The filter of system calls that is there by default knows no listmount(2).
        with Box("shield", volume, "--security-opt=seccomp=unconfined") as box:
            for look in VIEWS:
                if "listmount" not in look:
                    assert "/data" in view(look, box.run), look
            do("set", "nas:/export", "/data")
            assert FILE.read_text() == "nas:/export on /data\n"
            for look in VIEWS:
                if "listmount" not in look:
                    assert "/data" not in view(look, box.run), look
            assert "nas:/export" not in box.read("/proc/self/mountinfo")
            status, output = outcome(box, "findmnt", "/data")
            assert status and not output
            # On the host it has another path, but there nothing is hidden anyway.
            assert str(share) in view("mounts", run)
            # Neither may it change anything.
            status, output = outcome(box, "sh", "-c", f"echo 'clear nas:/export /data' | tee {FILE}")
            assert status and "not permitted" in output
            assert box.read(FILE) == "nas:/export on /data\n"


def test_both_names_have_to_match(shield_mounts):
    """The whole of each, and nothing that only begins so."""
    with mounted(("dev", "x"), ("dev2", "xy")) as (x, xy), Bare() as box:
        for device, path in (("dev", f"{x}/"), ("de", x), ("dev2", x), ("dev", xy), ("dev", ""), ("dev", "/"),
                             ("DEV", x), ("dev", str(x)[:-1])):
            do("set", device, path)
        assert view("mounts", box.run) >= {str(x), str(xy)}
        do("set", "dev2", xy)
        assert str(xy) not in view("mounts", box.run)
        assert str(x) in view("mounts", box.run)


def test_path_is_the_one_in_the_container(shield_mounts):
    """As its root directory makes it, not the host's."""
    with mounted(("dev", "root")) as (root,), mounted(("inner", "root/place")) as (place,), Bare() as box:
        do("set", "inner", place)
        assert str(place) not in view("mounts", box.run)
        do("clear", "inner", place)
        # In a chroot the same mount has a shorter path; /proc is bound into it to look.
        (root / "proc").mkdir()
        script = (f"mount --bind /proc {root}/proc && exec python3 -Ic "
                  f"'import os; os.chroot(\"{root}\"); print(open(\"/proc/self/mountinfo\").read())'")
        look = ["unshare", "--mount", "sh", "-c", script]
        assert " /place " in box.run(*look)
        do("set", "inner", "/place")
        assert " /place " not in box.run(*look)
        assert str(place) in view("mounts", box.run)


def test_hidden_mount_doesnt_exist_for_statmount(shield_mounts):
    """ENOENT by its number, as its children's list; those below it are listed with the others."""
    with mounted(("dev", "a"), ("dev", "a/below")) as (a, below), Bare() as box:
        ids = json.loads(box.run(*listing(
            "print(json.dumps({statmount(i)[1]: i for i in listmount(ROOT)}))")))
        look = f"print(json.dumps([statmount({ids[str(a)]}), listmount({ids[str(a)]}), listmount(ROOT)]))"
        assert json.loads(box.run(*listing(look)))[1] == [ids[str(below)]]
        do("set", "dev", a)
        stat, children, everything = json.loads(box.run(*listing(look)))
        assert (stat, children) == (-2, -2)
        assert ids[str(a)] not in everything and ids[str(below)] in everything
        # The host's own numbers are its own business.
        found = json.loads(run(*listing("print(json.dumps([statmount(i)[1] for i in listmount(ROOT)]))")))
        assert str(a) in found


def test_listmount_goes_on_behind_a_hidden_one(shield_mounts):
    """Read one at a time, forwards and backwards."""
    with mounted(*((f"dev{number}", f"d{number}") for number in range(6))) as paths, Bare() as box:
        for number in (0, 2, 3, 5):
            do("set", f"dev{number}", paths[number])
        loop = """
    def walk(reverse):
        after, found = 0, []
        while True:
            request = struct.pack("=IIQQQ", 32, 0, ROOT, after, 0)
            ids = (ctypes.c_uint64 * 1)()
            if libc.syscall(ctypes.c_long(458), request, ids, ctypes.c_size_t(1), reverse) <= 0:
                return found
            after = ids[0]
            found.append(statmount(after)[1])
    print(json.dumps([walk(0), walk(1)]))"""
        forwards, backwards = json.loads(box.run(*listing(loop.strip())))
        assert forwards == backwards[::-1]
        shown = {path for path in forwards if path.startswith(str(PLACES))}
        assert shown == {str(paths[1]), str(paths[4])}


def test_nested_containers_are_containers(shield_mounts):
    """At any depth."""
    with mounted(("dev", "deep")) as (deep,), Bare() as box:
        do("set", "dev", deep)
        output = box.run("unshare", "--pid", "--fork", "--mount", "--mount-proc", "cat", "/proc/mounts")
        assert str(deep) not in output


def test_reader_counts_not_who_opened(shield_mounts):
    """The host may look into a container's list, and sees all of it."""
    with mounted(("dev", "seen")) as (seen,), Bare() as box:
        do("set", "dev", seen)
        assert str(seen) in pathlib.Path(f"/proc/{box.pid}/mountinfo").read_text()
        assert str(seen) not in box.read("/proc/1/mountinfo")


NAMES = ["with blank", "tab\tin it", "new\nline", "back\\slash", "\\040", "ä", "#hash"]


@pytest.mark.parametrize("odd", NAMES)
def test_escapes_stand_for_odd_names(shield_mounts, odd):
    """As /proc/mounts writes them, for the device and the path: a line of it can be copied."""
    with mounted((f"dev {odd}" if "\n" not in odd else "dev", odd)) as (path,), Bare() as box:
        [line] = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines()
                  if line.split()[1].startswith(f"{PLACES}/")]
        device, escaped = line.split()[:2]
        do("set", device, escaped)
        assert len(FILE.read_text().splitlines()) == 1
        assert str(PLACES) not in box.read("/proc/mounts")
        assert write(FILE, command("set", device, escaped)) == -17
        do("clear", device, escaped)
        assert FILE.read_text() == ""
        assert str(PLACES) in box.read("/proc/mounts")
        assert path.exists()


def test_mount_of_nothing_is_called_none(shield_mounts):
    """fsopen(2) without a source."""
    path = PLACES / "none"
    path.mkdir(parents=True, exist_ok=True)
    libc.syscall.restype = ctypes.c_long
    fs = libc.syscall(ctypes.c_long(430), b"tmpfs", 0)
    assert fs >= 0
    assert libc.syscall(ctypes.c_long(431), fs, 6, None, None, 0) == 0
    mount = libc.syscall(ctypes.c_long(432), fs, 0, 0)
    assert libc.syscall(ctypes.c_long(429), mount, b"", -100, bytes(path), 4) == 0
    os.close(fs)
    os.close(mount)
    try:
        with Bare() as box:
            assert str(path) in view("mounts", box.run)
            do("set", "none", path)
            assert str(path) not in view("mounts", box.run)
    finally:
        run("umount", path)


def test_writing_needs_the_administrator(shield_mounts):
    """CAP_SYS_ADMIN on the host: neither nobody, nor root without it, nor root of a user namespace."""
    text = "set a /b"
    for words, user in ((["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"], None),
                        (["unshare", "-Urm"], None), ([], NOBODY)):
        done = subprocess.run([*words, "sh", "-c", f"echo '{text}' >{FILE}"], capture_output=True, text=True,
                              user=user, timeout=30 * SCALE, check=False)
        assert done.returncode, (words, user)
    assert FILE.read_text() == ""
