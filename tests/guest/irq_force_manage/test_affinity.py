# SPDX-License-Identifier: GPL-2.0
"""Whose the affinity of a disk's interrupts is."""

import errno
import os
import pathlib
import subprocess

import pytest
from disks import run, scratch_disk
from target import SCALE, wait_until
from writes import write

IRQS = pathlib.Path("/proc/irq")
DRIVER = pathlib.Path("/sys/bus/virtio/drivers/virtio_blk")
REFUSED = -errno.EPERM


@pytest.fixture(name="module")
def module_fixture(irq_force_manage):
    """The module; in the end the disk is probed again without it."""
    yield irq_force_manage
    irq_force_manage.clean_up()
    probe_again()


def device():
    """The name of the scratch disk's virtio device."""
    return (pathlib.Path("/sys/block") / scratch_disk().name / "device").resolve().name


def probe_again():
    """Takes the disk from its driver, and gives it back."""
    name = device()
    (DRIVER / "unbind").write_text(name)
    (DRIVER / "bind").write_text(name)
    wait_until(lambda: disk_is_there(name), "the disk")


def disk_is_there(name):
    """Whether udev, or who does its work, has made its node."""
    try:
        return device() == name and scratch_disk().is_block_device()
    except AssertionError:
        return False


def queues():
    """The numbers of the disk's interrupts for requests."""
    prefix = device()
    found = []
    for line in pathlib.Path("/proc/interrupts").read_text().splitlines():
        words = line.split()
        if words and words[-1].startswith(f"{prefix}-req"):
            found.append(int(words[0].rstrip(":")))
    assert found
    return found


def set_affinity(irq, cpus):
    """Result of writing a list of CPUs."""
    return write(IRQS / str(irq) / "smp_affinity_list", cpus.encode())


def affinity(irq):
    """The list of CPUs."""
    return (IRQS / str(irq) / "smp_affinity_list").read_text().strip()


def served(irq):
    """How many interrupts each CPU has served."""
    for line in pathlib.Path("/proc/interrupts").read_text().splitlines():
        if line.split()[:1] == [f"{irq}:"]:
            return [int(word) for word in line.split()[1:1 + os.cpu_count()]]
    raise AssertionError(irq)


def read_disk():
    """Something that needs interrupts."""
    run("dd", f"if={scratch_disk()}", "of=/dev/null", "bs=4k", "count=200", "iflag=direct")


@pytest.fixture(autouse=True)
def several_cpus():
    """Else there is no affinity to choose."""
    if os.cpu_count() < 2:
        pytest.skip("one CPU")


def test_managed_without_it():
    """As the kernel has it."""
    for irq in queues():
        assert set_affinity(irq, "0") == REFUSED


def test_interrupts_from_before_stay_managed(module):
    """Nothing can be done about them: they are in the kernel's reserve of vectors."""
    before = [affinity(irq) for irq in queues()]
    for irq in queues():
        assert set_affinity(irq, "0") == REFUSED
    assert [affinity(irq) for irq in queues()] == before


def test_probed_later_the_administrator_decides(module):
    """The driver's spread is where they begin; a move takes effect."""
    spread = sorted(affinity(irq) for irq in queues())
    probe_again()
    assert sorted(affinity(irq) for irq in queues()) == spread
    for cpu in (1, 0, 1):
        for irq in queues():
            assert set_affinity(irq, str(cpu)) > 0
            assert affinity(irq) == str(cpu)
        read_disk()
        before = [served(irq) for irq in queues()]
        read_disk()
        gained = [sum(now[at] - old[at] for now, old in zip([served(irq) for irq in queues()], before))
                  for at in range(os.cpu_count())]
        assert gained[cpu] > 100
        assert sum(gained) - gained[cpu] < 10
    for irq in queues():
        assert set_affinity(irq, "4095") < 0


def test_what_was_probed_stays_writable_without_it(module):
    """Until it is probed again."""
    probe_again()
    module.unload()
    irq = queues()[0]
    assert set_affinity(irq, "1") > 0
    assert affinity(irq) == "1"
    probe_again()
    assert set_affinity(queues()[0], "1") == REFUSED


def test_cpu_goes_away(module):
    """Its interrupts move to another one, and the disk goes on."""
    online = pathlib.Path("/sys/devices/system/cpu/cpu1/online")
    if not online.exists():
        pytest.skip("CPU 1 can't be taken away")
    probe_again()
    for irq in queues():
        assert set_affinity(irq, "1") > 0
    online.write_text("0")
    try:
        read_disk()
    finally:
        online.write_text("1")
    read_disk()


@pytest.mark.storm
@pytest.mark.limit(120)
def test_comes_and_goes_while_disks_do(module):
    """Each disk gets what holds at that moment."""
    script = "for i in $(seq 30); do modprobe -r irq_force_manage; modprobe irq_force_manage; done"
    with subprocess.Popen(["sh", "-c", script]) as loader:
        while loader.poll() is None:
            probe_again()
            read_disk()
    assert loader.returncode == 0
    wait_until(lambda: pathlib.Path("/sys/module/irq_force_manage").exists(), "the module", timeout=30 * SCALE)
