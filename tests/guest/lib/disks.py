# SPDX-License-Identifier: GPL-2.0
"""File systems on the guest's scratch disk, and disks that hold nothing (null_blk)."""

import contextlib
import pathlib
import subprocess

from module import modprobe
from target import SCALE, wait_until

PLACE = pathlib.Path("/scratch")
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}
CONFIGFS = pathlib.Path("/sys/kernel/config")


def run(*command, timeout=60):
    """A program that has to succeed; what it prints."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout * SCALE, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def scratch_disk():
    """The disk that the virtual machine has for this."""
    for serial in pathlib.Path("/sys/block").glob("*/serial"):
        if serial.read_text().strip() == "scratch":
            return pathlib.Path("/dev") / serial.parent.name
    raise AssertionError("no disk has the serial number 'scratch'")


def unmount(place):
    """Whoever used it may be just ending."""
    def gone():
        return subprocess.run(["umount", place], capture_output=True, check=False,
                              timeout=60 * SCALE).returncode == 0

    wait_until(gone, f"unmounting {place}", timeout=30)


@contextlib.contextmanager
def filesystem(kind, *options, disk=None):
    """A new file system, mounted, on the scratch disk unless another is named."""
    disk = disk or scratch_disk()
    run(*MAKE[kind], *options, disk)
    PLACE.mkdir(exist_ok=True)
    run("mount", "-t", kind, disk, PLACE)
    try:
        yield PLACE
    finally:
        unmount(PLACE)


def sparse(path, size):
    """A file of holes: reading it costs no disk. Its blocks come to the cache all the same."""
    with open(path, "xb") as file:
        file.truncate(size)
    return path


@contextlib.contextmanager
def null_disk(size_mib, **attributes):
    """A disk that keeps nothing and returns whatever is in memory, as fast as `attributes` say."""
    assert modprobe("null_blk", "nr_devices=0").returncode == 0
    if not (CONFIGFS / "nullb").exists():
        run("mount", "-t", "configfs", "configfs", CONFIGFS)
    folder = CONFIGFS / "nullb/nulltk"
    folder.mkdir()
    try:
        for name, value in {"size": size_mib, "blocksize": 4096, "memory_backed": 0,
                            **attributes}.items():
            (folder / name).write_text(str(value))
        (folder / "power").write_text("1")
        device = pathlib.Path("/dev/nulltk")
        wait_until(device.exists, "the device's appearance")
        yield device
    finally:
        (folder / "power").write_text("0")
        folder.rmdir()
