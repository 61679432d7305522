# SPDX-License-Identifier: GPL-2.0
"""The guest asleep, and awake again.

The ports that a test's output leaves by don't come back from suspend to RAM: as the driver of
7.3 asks the host whether they are open it can't take the answer yet. So the driver is taken off
them before, and put on again afterwards.
"""

import array
import contextlib
import fcntl
import os
import pathlib
import subprocess
import termios
import time

from target import SCALE, wait_until

STATES = pathlib.Path("/sys/power/mem_sleep")
CLOCK = pathlib.Path("/dev/rtc0")
TIMERS = pathlib.Path("/sys/devices/system/clocksource/clocksource0/available_clocksource")
PORTS = pathlib.Path("/sys/class/virtio-ports")
DRIVER = pathlib.Path("/sys/bus/virtio/drivers/virtio_console")

SYS_READ = "0"


def why_not():
    """Why this guest can't be suspended and woken, or nothing."""
    if not STATES.exists() or "deep" not in STATES.read_text():
        return "this kernel has no suspend to RAM"
    if not CLOCK.exists():
        return "this kernel has no clock to be woken by"
    # What QEMU's HPET is told before its wake-up is lost, and nothing ticks any more.
    if "hpet" in TIMERS.read_text():
        return "this machine has an HPET"
    return None


def ports():
    """The devices by the names that the host gave them."""
    found = {}
    for port in PORTS.iterdir():
        with contextlib.suppress(OSError):
            found[(port / "name").read_text().strip()] = f"/dev/{port.name}"
    return found


class Relay:
    """The process that takes an output stream of the script to a port."""

    def __init__(self, pid, name):
        self.pid = pid
        self.name = name
        self.stream = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.stream, True)

    def idles(self):
        """Whether all that was written has left."""
        held = array.array("i", [0])
        fcntl.ioctl(self.stream, termios.FIONREAD, held)
        waits_in = pathlib.Path(f"/proc/{self.pid}/syscall").read_text().split()[0]
        return not held[0] and waits_in == SYS_READ

    def end(self):
        """Lets go of the port."""
        wait_until(self.idles, "all output to leave")
        os.kill(self.pid, 9)
        wait_until(lambda: not os.path.exists(f"/proc/{self.pid}/fd/1"), "the relay's end")

    def start(self):
        """Another one."""
        with open(ports()[self.name], "wb", 0) as port:
            # pylint: disable=consider-using-with
            subprocess.Popen(["cat"], stdin=self.stream, stdout=port, start_new_session=True)
        os.close(self.stream)


def relays():
    """Those that run."""
    names = {device: name for name, device in ports().items()}
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = names.get(os.readlink(process / "fd/1"))
            if name:
                found.append(Relay(int(process.name), name))
    return found


@contextlib.contextmanager
def no_ports():
    """Without the driver of the ports."""
    names = ports()
    ended = relays()
    for relay in ended:
        relay.end()
    device = next(DRIVER.glob("virtio*")).name
    (DRIVER / "unbind").write_text(device)
    try:
        yield
    finally:
        (DRIVER / "bind").write_text(device)
        wait_until(lambda: ports() == names, "the ports")
        for relay in ended:
            relay.start()


def suspend_to_ram(seconds):
    """Sleeps; woken by the clock. Returns how much longer than the machine it was awake."""
    awake, passed = time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME)
    with no_ports():
        subprocess.run(["rtcwake", "-m", "mem", "-s", str(seconds)], check=True, stdout=subprocess.DEVNULL,
                       timeout=120 * SCALE)
    awake = time.clock_gettime(time.CLOCK_MONOTONIC) - awake
    return time.clock_gettime(time.CLOCK_BOOTTIME) - passed - awake
