# SPDX-License-Identifier: GPL-2.0
"""The release that containers see, the same everywhere."""

import errno
import pathlib
import stat
import subprocess

import pytest
from boxes import Bare, Box, outcome
from disks import run
from target import SCALE
from writes import mutated, storm, write

FILE = pathlib.Path("/proc/tkernel/release_suffix")
OSRELEASE = "/proc/sys/kernel/osrelease"
SUFFIX = "_docker_guest"
NOBODY = 65534


def marked(release):
    """With the suffix before the third dash, or at the end, if it fits."""
    parts = release.split("-", 3)
    with_it = "-".join(parts[:3]) + SUFFIX + "".join(f"-{part}" for part in parts[3:])
    return with_it if len(with_it) <= 64 else release


def releases(run_in):
    """All that tells the release, as somebody sees it."""
    version = run_in("cat", "/proc/version")
    assert version.startswith("Linux version ")
    return {
        "uname -r": run_in("uname", "-r").strip(),
        "uname -a": run_in("uname", "-a").split()[2],
        "osrelease": run_in("cat", OSRELEASE).strip(),
        "sysctl": run_in("sysctl", "-n", "kernel.osrelease").strip(),
        "version": version.split()[2],
        "python": run_in("python3", "-Ic", "import os; print(os.uname().release)").strip(),
    }


HOST = run("uname", "-r").strip()


def same(release):
    """The same everywhere."""
    return dict.fromkeys(["uname -r", "uname -a", "osrelease", "sysctl", "version", "python"], release)


def switch(on):
    """As an administrator does."""
    FILE.write_text(f"{on:d}\n")


@pytest.fixture(params=["podman", "unshare", "shares uts"])
def box(request):
    """A container; the last has the host's UTS namespace."""
    if request.param == "podman":
        made = Box("release")
    elif request.param == "unshare":
        made = Bare()
    else:
        made = Bare("--pid", "--fork", "--mount", "--mount-proc")
    with made as container:
        yield container


@pytest.mark.limit(120)
def test_containers_see_the_suffix_everywhere(release_suffix, box):
    """While it is on, and only they."""
    assert marked(HOST) != HOST
    assert FILE.read_text() == "0\n"
    assert releases(box.run) == same(HOST)
    switch(True)
    assert FILE.read_text() == "1\n"
    assert releases(box.run) == same(marked(HOST))
    assert releases(run) == same(HOST)
    # Nothing else is another.
    for option in ("-s", "-n", "-v", "-m"):
        assert box.run("uname", option), option
    assert box.run("uname", "-v") == run("uname", "-v")
    assert box.read("/proc/version").replace(marked(HOST), HOST) == run("cat", "/proc/version")
    switch(False)
    assert releases(box.run) == same(HOST)
    switch(True)
    release_suffix.unload()
    assert releases(box.run) == same(HOST)


def test_uts_namespace_alone_is_no_container(release_suffix):
    """Nor is any other but one of processes."""
    switch(True)
    for options in (["--uts"], ["--mount"], ["--net"], ["--user", "--map-root-user"]):
        assert run("unshare", *options, "uname", "-r").strip() == HOST, options


def test_hostname_is_the_uts_namespaces(release_suffix):
    """What a container sets stays as it set it."""
    switch(True)
    with Bare() as box:
        box.run("hostname", "somewhere")
        words = box.run("uname", "-a").split()
        assert words[:3] == ["Linux", "somewhere", marked(HOST)]
    assert run("uname", "-n").strip() != "somewhere"


def test_container_in_a_container_sees_it_once(release_suffix):
    """Each release is made from the kernel's own."""
    switch(True)
    with Bare() as box:
        inner = box.run("unshare", "--pid", "--fork", "--mount", "--mount-proc", "--uts", "uname", "-r")
        assert inner.strip() == marked(HOST)


def test_personality_of_old_kernels_wins(release_suffix):
    """Who asks for 2.6 gets that from uname(2), for programs that can't read more."""
    switch(True)
    with Bare() as box:
        plain = run("setarch", "--uname-2.6", "uname", "-r")
        assert plain.startswith("2.6.")
        assert box.run("setarch", "--uname-2.6", "uname", "-r") == plain


def test_short_reads_see_one_text(release_suffix):
    """A byte at a time, of both files."""
    switch(True)
    with Bare() as box:
        for path in (OSRELEASE, "/proc/version"):
            assert box.run("dd", f"if={path}", "bs=1", "status=none") == box.read(path)


def test_containers_default_root_cant_switch(release_suffix):
    """It has no CAP_SYS_ADMIN; it may read."""
    with Box("release-root") as box:
        status, output = outcome(box, "sh", "-c", f"echo 1 | tee {FILE}")
        assert status and "not permitted" in output
        assert box.read(FILE) == "0\n"
    done = subprocess.run(["unshare", "-Urp", "--fork", "--mount-proc", "sh", "-c", f"echo 1 >{FILE}"],
                          capture_output=True, text=True, timeout=30 * SCALE, check=False)
    assert done.returncode
    assert FILE.read_text() == "0\n"


def test_user_can_read_but_not_write(release_suffix):
    """As the mode says."""
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o644
    done = subprocess.run(["sh", "-c", f"cat {FILE}; echo 1 >{FILE}"], user=NOBODY, text=True,
                          capture_output=True, timeout=30 * SCALE, check=False)
    assert done.stdout == "0\n" and "ermission denied" in done.stderr


@pytest.mark.parametrize("text", [b"1\n", b"1 ", b"1x", b"1\0", b"11", b"0\n"])
def test_two_bytes_are_taken(release_suffix, text):
    """The second doesn't matter, nor does the offset."""
    switch(text[0] == ord("0"))
    assert write(FILE, text, 77) == 2
    assert FILE.read_bytes() == text[:1] + b"\n"


@pytest.mark.parametrize("text", [b"", b"1", b"0", b"1\r\n", b"2\n", b"-1", b" 1", b"\n1", b"on", b"1" * 9000])
def test_all_else_is_refused(release_suffix, text):
    """EINVAL, and nothing is switched."""
    for on in (False, True):
        switch(on)
        assert write(FILE, text) == -errno.EINVAL
        assert FILE.read_text() == f"{on:d}\n"


def make(generator):
    """Nearly a command."""
    return mutated(generator, generator.choice((b"0\n", b"1\n", b"1", b"2\n")))


def model(state, data):
    """The rule, again."""
    if len(data) == 2 and data[:1] in (b"0", b"1"):
        return 2, data[:1]
    return -errno.EINVAL, state


@pytest.mark.limit(300)
def test_10000_random_writes(release_suffix):
    """Each has the result that the rule says."""
    results = storm(FILE, make, model, b"0", lambda state: state + b"\n")
    assert results["done"] > 1000 and results[errno.EINVAL] > 1000


@pytest.mark.limit(180)
def test_readers_see_the_one_or_the_other(release_suffix):
    """While it is switched on and off and the module comes and goes."""
    program = """if 1:
        import os, select
        seen = set()
        # Each by one read(2): between two of them the text may change.
        files = [os.open("/proc/sys/kernel/osrelease", 0), os.open("/proc/version", 0)]
        while not select.select([0], [], [], 0)[0]:
            seen |= {os.uname().release, os.pread(files[0], 300, 0).decode().strip(),
                     os.pread(files[1], 300, 0).decode().split()[2]}
        print(*seen)"""
    with Bare() as box:
        reader = box.start("python3", "-Ic", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        on = True
        for _ in range(8):
            release_suffix.clean_up()
            release_suffix.load()
            for _ in range(200):
                switch(on)
                on = not on
        seen, _ = reader.communicate()
        assert set(seen.split()) == {HOST, marked(HOST)}
