# SPDX-License-Identifier: GPL-2.0
"""A process that does what a test tells it: src/target.c."""

import errno
import os
import pathlib
import select
import subprocess
import time

import abi
from linux import PTRACE

_GUEST = pathlib.Path(__file__).resolve().parent.parent
HELPERS = pathlib.Path(os.environ.get("TK_HELPERS", _GUEST))
SCALE = float(os.environ.get("TK_TIME_SCALE", "1"))

SECRET = b"the secret of a protected process"


def helper(name, bits=64):
    """Path of a compiled helper."""
    path = HELPERS / ("bin" if bits == 64 else "bin32") / name
    assert path.exists(), f"{path} isn't built: make -C tests/guest/src OUT={HELPERS}"
    return str(path)


class Refused(OSError):
    """A command of a target failed."""


class Commands:
    """What a target can be told; see the list in run() of src/target.c."""

    bits = 64

    def ask(self, *words):
        """One command, and its answer as text."""
        raise NotImplementedError

    def number(self, *words):
        """A command's answer as a number; a negative one raises an OSError."""
        answer = self.ask(*words)
        try:
            value = int(answer)
        except ValueError:
            raise AssertionError(f"{words} was answered with {answer!r}") from None
        if -4096 < value < 0:
            raise Refused(-value, f"{os.strerror(-value)} from {words}")
        assert value > -4096, f"{words}: /dev/ttools can't be opened: errno {-value - 1000}"
        return value

    def bytes(self, *words):
        """A command's answer as bytes."""
        answer = self.ask(*words)
        if not answer.startswith("="):
            value = -int(answer)
            raise Refused(value, f"{os.strerror(value)} from {words}")
        return bytes.fromhex(answer[1:])

    def errno(self, *words):
        """The errno of a command, 0 if it works."""
        try:
            self.number(*words)
        except Refused as error:
            return error.errno
        return 0

    # Protection

    def ioctl(self, command, arg=0):
        """An ioctl of /dev/ttools; its errno, 0 if it works."""
        return self.errno("ioctl", command, arg)

    def protect(self):
        """Must work."""
        assert self.ioctl(abi.PROTECT) == 0

    def protect_tree(self):
        """Must work."""
        assert self.ioctl(abi.PROTECT_TREE) == 0

    def unprotect(self):
        """Must work."""
        assert self.ioctl(abi.UNPROTECT) == 0

    def pidfd(self, pid, flags=0):
        """A pidfd, a descriptor of the target."""
        return self.number("syscall", 434, pid, flags)

    def allow(self, pid):
        """Names an exception; its errno."""
        fd = self.pidfd(pid)
        try:
            return self.ioctl(abi.ALLOW, fd)
        finally:
            self.number("close", fd)

    def disallow(self, pid):
        """Takes it back; its errno."""
        fd = self.pidfd(pid)
        try:
            return self.ioctl(abi.DISALLOW, fd)
        finally:
            self.number("close", fd)

    # Looking into others

    def ptrace(self, request, pid, addr=0, data=0):
        """A ptrace(2) request; its errno, 0 if it works."""
        return self.errno("ptrace", PTRACE.get(request, request), pid, addr, data)

    def attach(self, pid):
        """Attaches, and waits until the tracee has stopped; its errno."""
        error = self.ptrace("ATTACH", pid)
        if not error:
            self.wait(pid)
        return error

    def wait(self, pid, options=0):
        """waitpid(2): the pid and the status."""
        answer = self.ask("wait", pid, options).split()
        if len(answer) == 1:
            raise Refused(-int(answer[0]), f"wait for {pid}")
        return int(answer[0]), int(answer[1])

    def vm_read(self, pid, address, length):
        """process_vm_readv(2)."""
        return self.bytes("vmread", pid, address, length)

    def vm_read_errno(self, pid, address, length=16):
        """The errno of it."""
        try:
            self.vm_read(pid, address, length)
        except Refused as error:
            return error.errno
        return 0

    def open(self, path, flags=os.O_RDONLY):
        """A descriptor of the target."""
        return self.number("open", path, flags)

    def open_errno(self, path, flags=os.O_RDONLY):
        """The errno of open(2); the descriptor is closed again."""
        try:
            self.number("close", self.open(path, flags))
        except Refused as error:
            return error.errno
        return 0

    # Memory of its own

    def alloc(self, size, prot=3):
        """Memory that ends where a page without access begins."""
        return int(self.ask("alloc", size, prot)) & (1 << self.bits) - 1

    def peek(self, address, length):
        """Reads its own memory."""
        return self.bytes("peek", address, length)

    def poke(self, address, data):
        """Writes its own memory."""
        assert self.number("poke", address, data.hex()) == len(data)

    def secret(self):
        """Address of something nobody should read: SECRET."""
        return int(self.ask("secret"))

    def fork(self, pid=0):
        """A child that is told the same way, with a chosen pid if not 0."""
        return Child(self, self.number("fork", pid))


class Target(Commands):
    """A target that runs as a child of this process."""

    def __init__(self, bits=64, uid=0, program=None, timeout=30):
        self.bits = bits
        self._timeout = timeout * SCALE
        self._buffer = b""
        self.children = 0
        self.process = subprocess.Popen(
            [program or helper("target", bits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.pid = self.process.pid
        # Answers once it runs its own program.
        self.ask("pid")
        if uid:
            self.become(uid)

    def become(self, uid):
        """Takes on a user, and stays open to that user as other programs are."""
        assert self.errno("setuid", uid) == 0
        # prctl(PR_SET_DUMPABLE, 1), which changing the user cleared.
        assert self.errno("syscall", 157 if self.bits == 64 else 172, 4, 1) == 0

    def tell(self, *words):
        """A command, without waiting for the answer."""
        line = " ".join(str(word) for word in words)
        self.process.stdin.write(line.encode() + b"\n")

    def answer(self, timeout=None):
        """The next answer."""
        timeout = self._timeout if timeout is None else timeout * SCALE
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError(f"target {self.pid} doesn't answer")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise AssertionError(f"target {self.pid} is gone: {self.process.wait(10)}")
            self._buffer += got
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()

    def answers_within(self, seconds):
        """Whether there is an answer to read."""
        return b"\n" in self._buffer or bool(
            select.select([self.process.stdout], [], [], seconds * SCALE)[0]
        )

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def exec(self, *command, by_thread=False):
        """Executes another program, by default itself, which takes commands again."""
        command = command or ("/proc/self/exe", "--again")
        assert self.ask("exec_by_thread" if by_thread else "exec", *command) == "0"

    def kill(self):
        """Ends it, and waits until it is gone."""
        self.process.kill()
        self.process.wait(timeout=30 * SCALE)

    def exit(self, status=0):
        """Lets it end by itself, and waits for it."""
        self.tell("exit", status)
        return self.process.wait(timeout=30 * SCALE)

    def send_kill(self):
        """Lets it die, without waiting."""
        self.process.kill()

    def close(self):
        """Kills it if it still runs."""
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


class Child(Commands):
    """A child of a target, told through it."""

    def __init__(self, parent, pid):
        self.parent = parent
        self.bits = parent.bits
        self.pid = pid
        self.index = parent.children
        self.children = 0
        parent.children += 1

    def ask(self, *words):
        answer = self.parent.ask("child", self.index, *words)
        assert answer != "gone", f"child {self.pid} is gone"
        return answer

    def exec(self):
        """Executes itself, and takes commands again."""
        assert self.ask("exec", "/proc/self/exe", "--again") == "0"

    def exit(self):
        """Lets it end; its parent takes the status."""
        self.parent.number("child_exit", self.index)
        assert self.parent.wait(self.pid) == (self.pid, 0)


def status(pid):
    """The lines of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def tracer(pid):
    """Who traces a process, 0 if nobody does."""
    return int(status(pid)["TracerPid"])


def wait_until(condition, what, timeout=20):
    """For what has no event to wait for."""
    deadline = time.monotonic() + timeout * SCALE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout * SCALE} s"
        time.sleep(0.01)


def name(number):
    """An errno for people."""
    return errno.errorcode.get(number, str(number)) if number else "works"
