# SPDX-License-Identifier: GPL-2.0
"""Memory whose first touch waits until a test lets it go on: userfaultfd(2).

A system call that copies from or to it is stopped in the middle.
"""

import ctypes
import fcntl
import mmap
import os
import select
import struct
import threading

import linux
from target import SCALE

UFFDIO_API = 0xC018AA3F
UFFDIO_REGISTER = 0xC020AA00
UFFDIO_COPY = 0xC028AA03
PAGE = 4096


class Fault:
    """The first touch of a page at `address` of the process that made the userfaultfd."""

    def __init__(self, userfaultfd, address):
        self._fd = userfaultfd
        self._address = address
        fcntl.ioctl(self._fd, UFFDIO_API, bytearray(struct.pack("QQQ", 0xAA, 0, 0)))
        fcntl.ioctl(self._fd, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, PAGE, 1, 0)))

    def wait(self):
        """Until somebody has touched it, and stalls."""
        assert select.select([self._fd], [], [], 20 * SCALE)[0], "nobody touched the memory"
        os.read(self._fd, 32)

    def resolve(self, content=b""):
        """Lets it go on, with `content` at the page's beginning."""
        page = ctypes.create_string_buffer(content, PAGE)
        fcntl.ioctl(self._fd, UFFDIO_COPY, bytearray(
            struct.pack("QQQQq", self._address, ctypes.addressof(page), PAGE, 0, 0)))

    def close(self):
        """Whoever touches it from now on isn't stalled."""
        os.close(self._fd)


class Stall:
    """`pages` pages, of which the first stalls whoever touches it."""

    def __init__(self, pages):
        self._memory = mmap.mmap(-1, pages * PAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        # All but the first are there.
        ctypes.memset(self.address + PAGE, 0, (pages - 1) * PAGE)
        self._fault = Fault(linux.syscall(linux.SYS_USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK), self.address)
        self._thread = None
        self._result = None

    def start(self, call):
        """Runs `call`, which touches the memory, and returns when it stalls."""

        def run():
            try:
                self._result = call()
            except OSError as error:
                self._result = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        self._fault.wait()

    def finish(self, content=b""):
        """Lets it go on, with `content` at the page's beginning; what the call returned."""
        self._fault.resolve(content)
        self._thread.join(20 * SCALE)
        assert not self._thread.is_alive(), "the call doesn't go on"
        self._fault.close()
        return self._result

    def content(self):
        """What is in the memory now."""
        return self._memory[:]
