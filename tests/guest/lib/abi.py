# SPDX-License-Identifier: GPL-2.0
"""The numbers of /dev/ttools, read from the C header that users have."""

import os
import pathlib
import re

DEVICE = "/dev/ttools"
SYSFS = pathlib.Path("/sys/class/misc/ttools")

_GUEST = pathlib.Path(__file__).resolve().parent.parent


def _header():
    for path in (
        _GUEST / "include/ttools.h",
        _GUEST / "include/uapi/ttools.h",
        _GUEST.parent.parent / "include/uapi/ttools.h",
    ):
        if path.exists():
            return path.read_text()
    raise FileNotFoundError(f"ttools.h is in none of the places below {_GUEST}")


def _commands(long_size):
    text = _header()
    magic = int(re.search(r"#define\s+TTOOLS_IO\s+(\w+)", text).group(1), 0)
    found = {}
    for name, macro, number in re.findall(
        r"#define\s+TTOOLS_(\w+)\s+(_IO|_IOWR)\(TTOOLS_IO,\s*(\w+)", text
    ):
        value = magic << 8 | int(number, 0)
        if macro == "_IOWR":
            # An int, and a long in its natural place.
            value |= 3 << 30 | 2 * long_size << 16
        found[name] = value
    return found


COMMANDS = _commands(8)
COMMANDS_32 = _commands(4)

PROTECT = COMMANDS["PTRACE_PROTECT"]
UNPROTECT = COMMANDS["PTRACE_UNPROTECT"]
PROTECT_TREE = COMMANDS["PTRACE_PROTECT_TREE"]
ALLOW = COMMANDS["PTRACE_ALLOW"]
DISALLOW = COMMANDS["PTRACE_DISALLOW"]
FD_REFS = COMMANDS["GET_FD_REFS_CNT"]
FD_REFS_32 = COMMANDS_32["GET_FD_REFS_CNT"]
UNKNOWN = 0xEE77


def protected():
    """How many processes are protected."""
    return int((SYSFS / "protected").read_text())


def refused():
    """How many attempts were refused."""
    return int((SYSFS / "refused").read_text())


def exists():
    """Whether there is anything of the device."""
    return os.path.exists(DEVICE) or SYSFS.exists()
