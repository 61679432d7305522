# SPDX-License-Identifier: GPL-2.0
"""System calls that Python has no functions for.

All raise OSError with the errno of the call.
"""

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

# x86-64; generic where there is no other.
SYS_PTRACE = 101
SYS_PERF_EVENT_OPEN = 298
SYS_PROCESS_VM_READV = 310
SYS_PROCESS_VM_WRITEV = 311
SYS_KCMP = 312
SYS_FINIT_MODULE = 313
SYS_DELETE_MODULE = 176
SYS_USERFAULTFD = 323
SYS_GET_ROBUST_LIST = 274
SYS_MOVE_PAGES = 279
SYS_PIDFD_OPEN = 434
SYS_PIDFD_GETFD = 438
SYS_PROCESS_MADVISE = 440
SYS_STATMOUNT = 457
SYS_LISTMOUNT = 458

PIDFD_THREAD = os.O_EXCL

KCMP_FILE = 0
KCMP_VM = 1

MADV_COLD = 20

# ptrace(2) requests; those that x86 has and that need no more than the number.
PTRACE = {
    "TRACEME": 0,
    "PEEKTEXT": 1,
    "PEEKDATA": 2,
    "PEEKUSR": 3,
    "POKETEXT": 4,
    "POKEDATA": 5,
    "POKEUSR": 6,
    "CONT": 7,
    "KILL": 8,
    "SINGLESTEP": 9,
    "GETREGS": 12,
    "SETREGS": 13,
    "GETFPREGS": 14,
    "SETFPREGS": 15,
    "ATTACH": 16,
    "DETACH": 17,
    "SYSCALL": 24,
    "SYSEMU": 31,
    "SINGLEBLOCK": 33,
    "SETOPTIONS": 0x4200,
    "GETEVENTMSG": 0x4201,
    "GETSIGINFO": 0x4202,
    "SETSIGINFO": 0x4203,
    "GETREGSET": 0x4204,
    "SETREGSET": 0x4205,
    "SEIZE": 0x4206,
    "INTERRUPT": 0x4207,
    "LISTEN": 0x4208,
    "PEEKSIGINFO": 0x4209,
    "GETSIGMASK": 0x420A,
    "SETSIGMASK": 0x420B,
    "GET_SYSCALL_INFO": 0x420E,
    "GET_RSEQ_CONFIGURATION": 0x420F,
    "unknown": 0x7777,
}

PTRACE_O_TRACEFORK = 2
PTRACE_O_TRACEVFORK = 4
PTRACE_O_TRACECLONE = 8

WNOHANG = os.WNOHANG


def syscall(number, *args):
    """A raw system call."""
    ret = _libc.syscall(
        ctypes.c_long(number),
        *[a if isinstance(a, ctypes._SimpleCData) else
          ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    )
    if ret == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return ret


def errno_of(call, *args, **kwargs):
    """The errno that `call` fails with, 0 if it works."""
    try:
        call(*args, **kwargs)
    except OSError as error:
        return error.errno
    return 0


def ptrace(request, pid, addr=0, data=0):
    """ptrace(2), the raw system call; `request` is a name of PTRACE or a number."""
    return syscall(SYS_PTRACE, PTRACE.get(request, request), pid, addr, data)


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def _iovecs(pieces):
    return (_Iovec * len(pieces))(*pieces)


def process_vm_readv(pid, address, length):
    """Bytes of another process."""
    buffer = ctypes.create_string_buffer(length)
    done = process_vm_readv_raw(pid, [(ctypes.addressof(buffer), length)], [(address, length)])
    return buffer.raw[:done]


def process_vm_readv_raw(pid, local, remote):
    """process_vm_readv(2) with lists of (address, length); the number of bytes."""
    return syscall(SYS_PROCESS_VM_READV, pid, _iovecs(local), len(local),
                   _iovecs(remote), len(remote), 0)


def process_vm_writev(pid, address, data):
    """Writes bytes into another process."""
    buffer = ctypes.create_string_buffer(data, len(data))
    return syscall(SYS_PROCESS_VM_WRITEV, pid,
                   _iovecs([(ctypes.addressof(buffer), len(data))]), 1,
                   _iovecs([(address, len(data))]), 1, 0)


def pidfd_open(pid, flags=0):
    """A pidfd."""
    return syscall(SYS_PIDFD_OPEN, pid, flags)


def pidfd_getfd(pidfd, fd):
    """A duplicate of a descriptor of another process."""
    return syscall(SYS_PIDFD_GETFD, pidfd, fd, 0)


def kcmp(pid1, pid2, kind=KCMP_VM, index1=0, index2=0):
    """Compares what two processes have."""
    return syscall(SYS_KCMP, pid1, pid2, kind, index1, index2)


def process_madvise(pidfd, address, length, advice=MADV_COLD):
    """Advises about another process's memory."""
    return syscall(SYS_PROCESS_MADVISE, pidfd, _iovecs([(address, length)]), 1, advice, 0)


def get_robust_list(pid):
    """Address of another process's list of robust futexes."""
    head = ctypes.c_void_p()
    length = ctypes.c_size_t()
    syscall(SYS_GET_ROBUST_LIST, pid, ctypes.byref(head), ctypes.byref(length))
    return head.value


def move_pages(pid, address):
    """Asks on which node a page of another process is."""
    pages = (ctypes.c_void_p * 1)(address & ~4095)
    status = (ctypes.c_int * 1)()
    syscall(SYS_MOVE_PAGES, pid, ctypes.c_ulong(1), pages, ctypes.c_void_p(0), status, 0)
    return status[0]


def perf_event_open(pid, exclude_kernel=True):
    """A software counter of another process."""
    size = 64
    # type SOFTWARE, size, config TASK_CLOCK; the flags are bits of the 6th word.
    flags = (1 << 5) if exclude_kernel else 0
    attr = struct.pack("=IIQQQQQ", 1, size, 1, 0, 0, 0, flags).ljust(size, b"\0")
    buffer = ctypes.create_string_buffer(attr, size)
    return syscall(SYS_PERF_EVENT_OPEN, buffer, pid, -1, -1, ctypes.c_ulong(0))


def listmount(of=2**64 - 1, after=0):
    """Numbers of the mounts below one, of all if none is given, behind that one."""
    ids = (ctypes.c_uint64 * 1000)()
    count = syscall(SYS_LISTMOUNT, struct.pack("=IIQQQ", 32, 0, of, after, 0), ids, len(ids), 0)
    return list(ids[:count])


def statmount(mount):
    """Asks for a mount's basics; 0."""
    request = struct.pack("=IIQQQ", 32, 0, mount, 0x2, 0)
    return syscall(SYS_STATMOUNT, request, ctypes.create_string_buffer(4096), 4096, 0)


def finit_module(fd, parameters=""):
    """Loads a module."""
    return syscall(SYS_FINIT_MODULE, fd, ctypes.c_char_p(parameters.encode()), 0)


def delete_module(name):
    """Unloads a module, without waiting for it to become unused."""
    return syscall(SYS_DELETE_MODULE, ctypes.c_char_p(name.encode()), os.O_NONBLOCK)
