# SPDX-License-Identifier: GPL-2.0
"""What modules leave in /proc."""

import os
import pathlib

from module import path

FEATURES = ["nonpriv_netbind", "shield_mounts", "release_suffix", "hostinfo", "fatal_signals",
            "epoll_min_wait", "tcp_tuning", "irq_force_manage"]
# Without hooks.patch there is no hook for it.
if not path("tkhooks"):
    FEATURES.append("max_map_count")

# Where the features have files.
FILES = {
    "nonpriv_netbind": ["/proc/tkernel/nonpriv_netbind"],
    "shield_mounts": ["/proc/tkernel/shield_mounts", "/proc/sys/kernel/shield_mounts_max"],
    "release_suffix": ["/proc/tkernel/release_suffix"],
    "hostinfo": ["/proc/sys/kernel/watch_host_pid", "/proc/self/hostinfo",
                 "/proc/self/task/{}/hostinfo", "/proc/1/hostinfo"],
    "fatal_signals": ["/proc/sys/kernel/print-fatal-signals-src-dst"],
    "epoll_min_wait": ["/proc/sys/kernel/min_epoll_wait_time"],
    "max_map_count": ["/proc/sys/kernel/isolate_max_map_count"],
    "irq_force_manage": [],
    "tcp_tuning": [f"/proc/sys/net/ipv4/tcp_{name}"
                   for name in ("init_cwnd", "loss_init_cwnd", "no_delay_ack", "rto_min", "rto_max")],
}


def all_names():
    """The names in the directories where features have files."""
    names = set()
    for directory in ("/proc/sys/kernel", "/proc/sys/net/ipv4", "/proc/tkernel", "/proc/self",
                      f"/proc/self/task/{os.getpid()}"):
        path = pathlib.Path(directory)
        if path.exists():
            names |= {f"{directory.replace(str(os.getpid()), 'PID')}/{name}" for name in os.listdir(path)}
    names |= {f"/proc/{name}" for name in os.listdir("/proc") if not name.isdigit()}
    return names


def files(feature):
    """The paths of a feature's files."""
    return [pathlib.Path(path.format(os.getpid())) for path in FILES[feature]]
