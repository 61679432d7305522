#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boots a kernel in QEMU, runs a script there as root, and exits with its status.

The script's output appears here unchanged, as it is written: stdout on stdout,
stderr on stderr, and nothing else. A script ended by a signal counts as
128 + the signal's number. If the guest dies or gives no answer in time, one line
says so, the end of its console follows, and the status is 125.
"""

import argparse
import os
import pathlib
import secrets
import shlex
import signal
import sys
import tarfile

import disk
import initrd
import qemu
from guest import CONSOLE, ERR, OUT, Guest, GuestError

RESULTS_SIZE = 1 << 30
SCRATCH_SIZE = 8 << 30
# A kernel with checkers takes a minute where others have much to do.
BOOT_TIMEOUT = 240
# In deterministic time the CPUs run one after the other: for each of them.
BOOT_TIMEOUT_PER_CPU = 15
GUEST_DIED = 125


def directory(text):
    path = pathlib.Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a directory")
    return path


def file(text):
    path = pathlib.Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", type=directory, required=True, help="what kernel.sh or stock.sh printed")
    parser.add_argument("--image", type=file, required=True, help="what image.sh printed")
    parser.add_argument("--modules", type=directory, action="append", default=[], metavar="DIR",
                        help="install the .ko files found below DIR; may be repeated")
    parser.add_argument("--files", type=directory, metavar="DIR",
                        help="the guest finds these in /usr/share/tkernel-rs")
    parser.add_argument("--cpus", type=int, help="default: 2, with --icount 1")
    parser.add_argument("--mem", type=int, default=1024, metavar="MIB")
    parser.add_argument("--icount", choices=("jump", "wait"),
                        help="a nanosecond is an instruction; idle time jumps to the next timer, "
                             "or waits for it, which disks need")
    parser.add_argument("--one-thread", action="store_true",
                        help="emulate all CPUs in one thread: for guests that patch their code a lot")
    parser.add_argument("--timeout", type=int, default=600, metavar="SECONDS", help="for all of it")
    parser.add_argument("--append", default="", help="further kernel parameters")
    parser.add_argument("--qemu-args", type=shlex.split, default=[], help="further arguments of QEMU")
    parser.add_argument("--results", type=pathlib.Path, metavar="DIR",
                        help="copy the guest's /results here when the script has ended")
    parser.add_argument("--console", type=pathlib.Path, metavar="FILE", help="keep the console here")
    parser.add_argument("--verbose", action="store_true", help="show the console on stderr")
    parser.add_argument("script", type=file)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def writer(stream):
    def write(data):
        stream.write(data)
        stream.flush()
    return write


def run(args, console):
    """Returns the script's exit status."""
    # Begins with a character that hardly any output has, lest that be held back.
    end = "\x1d" + secrets.token_hex()

    def see_console(data):
        console(data)
        if args.verbose:
            writer(sys.stderr.buffer)(data)

    sinks = {CONSOLE: see_console, OUT: writer(sys.stdout.buffer), ERR: writer(sys.stderr.buffer)}
    with (disk.make(args.kernel, args.modules, args.files, args.script, args.arguments, end,
                    "/dev/vdc" if args.results else "") as job,
          initrd.of(args.kernel, args.image) as ramdisk,
          disk.nameless_file() as results, disk.nameless_file() as scratch):
        disks = [(args.image, False), (disk.path_of(job), False)]
        if args.results:
            results.truncate(RESULTS_SIZE)
            disks.append((disk.path_of(results), True))
        append = f"{args.append} tk.icount=1" if args.icount else args.append
        cpus = args.cpus or (1 if args.icount else 2)
        boot_timeout = BOOT_TIMEOUT + (cpus * BOOT_TIMEOUT_PER_CPU if args.icount else 0)
        # Sparse: it takes the room that the guest writes to.
        scratch.truncate(SCRATCH_SIZE)
        words = qemu.command(qemu.accelerator(args.kernel, args.image, args.icount, args.one_thread),
                             args.kernel, ramdisk, disks, cpus, args.mem,
                             disk.path_of(scratch), append, args.qemu_args)
        with Guest(words, [job, results, scratch]) as guest:
            status = guest.run(end.encode(), sinks, boot_timeout, args.timeout)
        if args.results:
            with tarfile.open(fileobj=results) as tar:
                tar.extractall(args.results, filter="data")
    return status


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # A reader that has enough of our output ends us, as it ends any filter.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with open(args.console or os.devnull, "wb") as console:
            return run(args, writer(console))
    except GuestError as error:
        reason, tail = error.args
        print(f"vm: {reason}; the end of its console:\n{tail}", file=sys.stderr)
        return GUEST_DIED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


sys.exit(main())
