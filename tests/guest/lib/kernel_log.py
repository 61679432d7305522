# SPDX-License-Identifier: GPL-2.0
"""What the kernel has logged since some moment."""

import errno
import os
import re

TROUBLE = re.compile(
    r"WARNING|\bBUG\b|Oops|KASAN|KCSAN|UBSAN|general protection|kernel panic|Call Trace"
    r"|unable to handle|possible recursive locking|possible circular locking"
    r"|inconsistent lock state|lock held when returning|bad unlock balance"
    r"|possible irq lock inversion|suspicious RCU|RCU used illegally"
    r"|sleeping function called|scheduling while atomic|INFO: task .* blocked"
    r"|rcu.*(stall|detected)|soft lockup|hard LOCKUP|ODEBUG|unregister_netdevice"
    r"|list_(add|del) corruption|refcount_t|Bad page|bad pte|corrupted stack"
    r"|kmemleak: \d+ new|rust_kernel: panicked|ORC unwind|unpatched return thunk",
    re.IGNORECASE,
)
# A function in a backtrace: some of the checkers have names like those above.
FRAME = re.compile(r"^ (\? )?[\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+( \[\w+\])?$")


class KernelLog:
    """Reads the kernel's log from where it ends now, or from the start."""

    def __init__(self, whole=False):
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not whole:
            os.lseek(self._fd, 0, os.SEEK_END)
        self.lines = []
        self.lost = False
        # For tests that make allocations fail: the kernel prints where from.
        self.allow_call_traces = False
        # What the kernel itself warns of when that happens: a pattern.
        self.expected = None

    def read(self):
        """All lines so far; only what the kernel itself wrote."""
        while True:
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return self.lines
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                self.lost = True
                continue
            prefix, _, text = record.partition(";")
            if int(prefix.split(",")[0]) >> 3 == 0:
                # The first line is the message, the others are properties.
                self.lines.append(text.split("\n")[0])

    def matching(self, pattern):
        """The lines that match."""
        return [line for line in self.read() if re.search(pattern, line)]

    def trouble(self):
        """The lines that no test may leave, with what follows the first."""
        lines = self.read()
        for number, line in enumerate(lines):
            if self.allow_call_traces:
                line = FRAME.sub("", line.replace("Call Trace", ""))
            if self.expected and re.search(self.expected, line):
                continue
            if TROUBLE.search(line):
                return lines[max(0, number - 3):number + 60]
        return []

    def close(self):
        """Stops reading."""
        os.close(self._fd)
