# SPDX-License-Identifier: GPL-2.0
"""The QEMU command of a guest, and whether KVM is any use on this machine."""

import hashlib
import os
import pathlib
import subprocess

import disk
import initrd
from guest import CONSOLE, ERR, OUT, Guest, GuestError

KVM = ["-accel", "kvm", "-cpu", "host"]
# Without the fast string instructions, which QEMU emulates a byte at a time:
# copying and clearing memory takes a tenth of the time. With page tables of five
# levels KASAN reports an interrupt that comes while the kernel is looking at its CPU,
# as on a busy machine, and then, as with any first report, nothing any more.
CPU = "max,-erms,-fsrm,-fsrs,-fzrm,-la57"
# Each virtual CPU on a thread of its own.
TCG = ["-accel", "tcg,thread=multi", "-cpu", CPU]
# One thread for all of them, in turns. With more, QEMU may translate code while
# another CPU's kernel is patching it, and run the outdated translation later: a
# guest that switches static keys all the time then dies of "Oops: int3" (known
# since QEMU 8.0, seen with 10.0). Real CPUs and KVM don't do that.
TCG_ONE_THREAD = ["-accel", "tcg,thread=single", "-cpu", CPU]
# One nanosecond is one instruction (with fast string instructions a copy would
# count per byte). HPET reads would lengthen the emulator's turns.
ICOUNT = ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", CPU, "-machine", "hpet=off"]
# While all CPUs idle, time goes by as ours does, where otherwise it jumps to the
# next timer: what a disk takes is no instructions, and jumps seem to take hours.
ICOUNT_WAIT = [word.replace("sleep=off", "sleep=on") for word in ICOUNT]

# The disk with `init` has to be mounted by something that is not on it.
KERNEL_ARGUMENTS = ("console=ttyS0 loglevel=6 printk.time=1 panic=-1 root=/dev/vda rootfstype=ext4 rw {} "
                    'init=/bin/sh -- -c "mount -t devtmpfs dev /dev; mount /dev/vdb /tk; exec /tk/init"')


# pylint: disable=too-many-arguments
def command(accelerator, kernel, ramdisk, disks, cpus, mem, scratch=None, append="", extra=()):
    """`disks` are (path, keep): what the guest writes to a disk is lost unless `keep`.

    `scratch` is the path of an empty disk, which the guest knows by its serial number.
    """
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-machine", "pc", *accelerator, "-smp", str(cpus), "-m", str(mem),
             "-kernel", str(kernel / "bzImage"), "-append", KERNEL_ARGUMENTS.format(append),
             "-device", "virtio-rng-pci"]
    if ramdisk:
        words += ["-initrd", str(ramdisk)]
    # As devices of their own, or the scratch disk would be the first.
    for number, (path, keep) in enumerate(disks):
        words += ["-drive", f"file={path},format=raw,if=none,id=disk{number},"
                            f"snapshot={'off' if keep else 'on'}",
                  "-device", f"virtio-blk-pci,drive=disk{number}"]
    if scratch:
        # Nobody needs it after the guest's end, so never wait for our own disk.
        words += ["-drive", f"file={scratch},format=raw,if=none,id=scratch,cache=unsafe,discard=unmap",
                  "-device", "virtio-blk-pci,drive=scratch,serial=scratch"]
    return [*words, *extra]


def _kvm_boots(kernel, image):
    """Boots a guest whose script is `true`: a /dev/kvm alone promises nothing."""
    end = "end of the probe"
    with (disk.make(kernel, [], None, pathlib.Path("/bin/true"), [], end, "") as job,
          initrd.of(kernel, image) as ramdisk):
        words = command(KVM, kernel, ramdisk, [(image, False), (disk.path_of(job), False)], 1, 512)
        with Guest(words, [job]) as guest:
            try:
                sinks = dict.fromkeys((CONSOLE, OUT, ERR), lambda data: None)
                return guest.run(end.encode(), sinks, boot_timeout=10, timeout=10) == 0
            except GuestError:
                return False


def accelerator(kernel, image, icount=None, one_thread=False):
    """What to run the guest with. KVM is tried once per boot of this machine."""
    if icount:
        return {"jump": ICOUNT, "wait": ICOUNT_WAIT}[icount]
    tcg = TCG_ONE_THREAD if one_thread else TCG
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return tcg
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, check=True).stdout
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_bytes()
    key = hashlib.sha256(boot + version).hexdigest()[:12]
    answer = pathlib.Path(os.environ["TKERNEL_CACHE"]) / f"kvm-{key}"
    if not answer.exists():
        answer.write_text("works" if _kvm_boots(kernel, image) else "does not work")
    return KVM if answer.read_text() == "works" else tcg
