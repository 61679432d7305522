# SPDX-License-Identifier: GPL-2.0
"""A running guest: the QEMU process, what it sends, and when to give up on it."""

import collections
import ctypes
import fcntl
import os
import selectors
import signal
import socket
import subprocess
import time

CONSOLE, OUT, ERR, STATUS = "console", "tk.out", "tk.err", "tk.status"
PR_SET_PDEATHSIG = 1


class GuestError(Exception):
    """The guest will not tell us the script's exit status any more."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _console_pipe():
    """QEMU drops what the serial port sends when we are slow, so there is room for a lot.

    A socket would not do: each byte comes alone, and takes a whole buffer there.
    """
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    return os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)


class Tail:
    """The last lines of the console, and whether the kernel panicked."""

    def __init__(self):
        self._lines = collections.deque(maxlen=40)
        self._rest = b""
        self.panicked = False

    def write(self, data):
        *lines, self._rest = (self._rest + data.replace(b"\r", b"")).split(b"\n")
        self._lines.extend(lines)
        self.panicked |= any(b"Kernel panic" in line for line in lines)

    def text(self):
        return b"\n".join([*self._lines, self._rest]).decode(errors="replace")


class Stream:
    """One of the script's output streams, up to the mark that `init` puts at its end."""

    def __init__(self, end, sink):
        self._end = end
        self._sink = sink
        self._held = b""
        self.ended = False

    def write(self, data):
        if self.ended:
            return
        text, mark, _ = (self._held + data).partition(self._end)
        self.ended = bool(mark)
        # What may be the beginning of the mark waits for what follows.
        keep = 0 if mark else next((n for n in range(len(self._end) - 1, 0, -1)
                                    if text.endswith(self._end[:n])), 0)
        self._held = text[len(text) - keep:]
        self._sink(text[:len(text) - keep])


class Guest:
    """QEMU and what connects us to its console and virtio ports. Use as a context manager."""

    def __init__(self, command, files):
        self._selector = selectors.DefaultSelector()
        reader, writer = _console_pipe()
        self._selector.register(reader, selectors.EVENT_READ, CONSOLE)
        theirs = [writer]
        arguments = ["-chardev", f"file,id={CONSOLE},path=/proc/self/fd/{writer.fileno()}",
                     "-serial", f"chardev:{CONSOLE}", "-device", "virtio-serial-pci"]
        for name in (OUT, ERR, STATUS):
            ours, port = socket.socketpair()
            theirs.append(port)
            self._selector.register(ours, selectors.EVENT_READ, name)
            arguments += ["-chardev", f"socket,id={name},fd={port.fileno()}",
                          "-device", f"virtserialport,chardev={name},name={name}"]
        self._process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            pass_fds=[item.fileno() for item in [*theirs, *files]], preexec_fn=_die_with_parent)
        for item in theirs:
            item.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def _read(self, until):
        """Yields (name, data) of what arrives; returns when QEMU is gone."""
        while self._selector.get_map():
            ready = self._selector.select(max(0, until() - time.monotonic()))
            for key, _ in ready:
                try:
                    data = os.read(key.fd, 65536)
                except ConnectionResetError:
                    data = b""
                if not data:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
                yield key.data, data
            if not ready:
                yield None, b""

    def run(self, end, sinks, boot_timeout, timeout):
        """Runs the guest to the end of its script and returns the exit status.

        `sinks` maps CONSOLE, OUT and ERR to functions that take bytes. Until
        the script starts, the guest may be silent for `boot_timeout` seconds; the
        whole may take `timeout`. Raises GuestError with the reason.
        """
        tail = Tail()
        streams = {name: Stream(end, sinks[name]) for name in (OUT, ERR)}
        status = b""
        started = False
        start = silent_since = time.monotonic()

        def give_up_at():
            limit = start + timeout
            return limit if started else min(limit, silent_since + boot_timeout)

        for name, data in self._read(give_up_at):
            if name == CONSOLE:
                tail.write(data)
                sinks[CONSOLE](data)
                silent_since = time.monotonic()
            elif name == STATUS:
                status += data
                started |= status.startswith(b"hello\n")
            elif name:
                streams[name].write(data)
            if status.count(b"\n") == 2 and all(stream.ended for stream in streams.values()):
                return int(status.split()[2])
            if time.monotonic() >= give_up_at():
                silence = round(time.monotonic() - (start if started else silent_since))
                raise GuestError(f"no answer for {silence} s", tail.text())
        if self._process.wait() > 0:
            raise GuestError(f"QEMU ended with status {self._process.returncode}", tail.text())
        raise GuestError("guest panicked" if tail.panicked else "guest stopped before the script ended",
                         tail.text())
