# SPDX-License-Identifier: GPL-2.0
"""Programs that people use, filling the page cache."""

import disks
from pagecache import MIB

FIO = ["fio", "--name=stream", "--bs=128k", "--invalidate=0", "--fadvise_hint=0", "--thread",
       "--output-format=terse"]


def holes(place, size_mib, name="holes"):
    """A sparse file."""
    return disks.sparse(place / name, size_mib * MIB)


def dd_reads(place, size_mib):
    """dd(1), in blocks of 128 KiB."""
    disks.run("dd", f"if={holes(place, size_mib)}", "of=/dev/null", "bs=128k")


def tar_reads(place, size_mib):
    """tar(1), of eight files. For /dev/null it wouldn't read them."""
    for number in range(8):
        holes(place, size_mib // 8, f"file{number}")
    disks.run("tar", "-b", "512", "-C", place, "-cf", "/dev/zero", ".")


def fio_8_reads(place, size_mib):
    """Eight readers at once, each of its own file."""
    for number in range(8):
        holes(place, size_mib // 8, f"file{number}")
    disks.run(*FIO, "--rw=read", "--ioengine=psync", "--numjobs=8", f"--size={size_mib // 8}m",
              f"--directory={place}", "--filename_format=file$jobnum")


def fio_mmap_reads(place, size_mib):
    """Page faults of a mapping that is larger than the limit."""
    disks.run(*FIO, "--rw=read", "--ioengine=mmap", f"--size={size_mib}m",
              f"--filename={holes(place, size_mib)}")


def fio_random_reads(place, size_mib):
    """Of pieces that read-ahead doesn't find, so of small folios."""
    disks.run(*FIO, "--rw=randread", "--bs=16k", "--ioengine=psync", f"--size={size_mib}m",
              f"--io_size={size_mib // 2}m", f"--filename={holes(place, size_mib)}")


def dd_writes(place, size_mib):
    """dd(1)."""
    disks.run("dd", "if=/dev/zero", f"of={place / 'data'}", "bs=128k", f"count={size_mib * 8}")


def fio_writes(place, size_mib):
    """Four writers at once."""
    disks.run(*FIO, "--rw=write", "--ioengine=psync", "--numjobs=4", f"--size={size_mib // 4}m",
              f"--directory={place}", "--filename_format=data$jobnum")


READS = {"dd": dd_reads, "tar": tar_reads, "8 readers": fio_8_reads, "mmap": fio_mmap_reads,
         "random": fio_random_reads}
WRITES = {"dd writes": dd_writes, "4 writers": fio_writes}
