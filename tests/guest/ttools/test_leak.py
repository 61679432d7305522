# SPDX-License-Identifier: GPL-2.0
"""Who may not look into a process anyway doesn't learn whether it is protected."""

import os

import abi
import linux
import pytest
import target as targets

REQUESTS = sorted(set(linux.PTRACE) - {"TRACEME"})

ATTEMPTS = {
    **{f"ptrace {name}": lambda a, t, name=name: a.ptrace(name, t.pid) for name in REQUESTS},
    "process_vm_readv": lambda a, t: a.vm_read_errno(t.pid, t.place),
    "process_vm_writev": lambda a, t: a.errno("vmwrite", t.pid, t.place, "00"),
    "pidfd_getfd": lambda a, t: a.errno("syscall", linux.SYS_PIDFD_GETFD, a.pidfd(t.pid), 0, 0),
    "kcmp": lambda a, t: a.errno("syscall", linux.SYS_KCMP, a.pid, t.pid, 1, 0, 0),
    "get_robust_list": lambda a, t: a.errno(
        "syscall", linux.SYS_GET_ROBUST_LIST, t.pid, a.alloc(8), a.alloc(8)),
    **{
        f"open {name}": lambda a, t, name=name: a.open_errno(f"/proc/{t.pid}/{name}")
        for name in ("mem", "environ", "maps", "smaps", "auxv", "syscall", "stack", "pagemap",
                     "fd", "fd/0", "fdinfo/0", "map_files", "io", "stat", "status", "ns/mnt",
                     "timers", "task", "cwd", "exe")
    },
}


@pytest.mark.parametrize("victim_uid", [0, 1000], ids=["root's", "a user's"])
@pytest.mark.parametrize("attempt", sorted(ATTEMPTS))
def test_other_user_sees_no_difference(ttools, spawn, attempt, victim_uid):
    """Every attempt ends alike, and isn't recorded."""
    call = ATTEMPTS[attempt]
    stranger = spawn(uid=65534)
    target = spawn(uid=victim_uid)
    target.place = target.secret()

    before = call(stranger, target)
    target.protect()
    assert targets.name(call(stranger, target)) == targets.name(before)
    assert abi.refused() == 0
    assert (abi.SYSFS / "refused_looks").read_text() == "0\n"


def test_what_can_be_read_is_the_same(ttools, spawn):
    """Of the files that everybody may read, with their zeroes for what is hidden."""
    stranger, target = spawn(uid=65534), spawn()

    def look(name):
        fd = stranger.open(f"/proc/{target.pid}/{name}")
        text = stranger.bytes("read", fd, 4000)
        stranger.number("close", fd)
        return text

    def fields():
        # Without what changes by itself: whether it runs, times, faults and the memory in use.
        stat = look("stat").split()
        same = stat[:2] + stat[3:9] + stat[17:20] + stat[25:30]
        return same, look("cmdline"), look("statm").split()[0]

    before = fields()
    target.protect()
    assert fields() == before


def test_number_of_protected_processes_is_all_that_sysfs_tells(ttools, spawn):
    """Nothing in sysfs names a process."""
    target = spawn()
    target.protect()
    numbers = {name: (abi.SYSFS / name).read_text() for name in ("protected", "refused")}
    assert numbers == {"protected": "1\n", "refused": "0\n"}
    assert not [name for name in os.listdir(abi.SYSFS) if name.isdigit()]
