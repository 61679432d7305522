// SPDX-License-Identifier: GPL-2.0

//! The system calls that the standard library lacks: all that is unsafe here.

#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// An ioctl of `include/uapi/ttools.h` that ignores its argument.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Protect {
    /// `TTOOLS_PTRACE_PROTECT`
    Process = 0xEE00,
    /// `TTOOLS_PTRACE_PROTECT_TREE`
    Tree = 0xEE03,
}

/// Asks the device for protection of this process.
pub fn protect(device: BorrowedFd<'_>, request: Protect) -> io::Result<()> {
    // SAFETY: The descriptor is open as long as it is borrowed, and neither request reads or writes
    // memory of ours: `ttools.h` says that the argument is ignored. A device that isn't ttools takes
    // no request of this type, or takes no argument either (_IO).
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::c_ulong::from(request as u32), 0) };
    checked(result.into())
}

/// Makes `policy` the scheduling policy of a thread, 0 being the caller, with priority 0.
pub fn set_policy(thread: libc::pid_t, policy: libc::c_int) -> io::Result<()> {
    // SAFETY: All zero is a value of every integer, and that is all there is in it.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // Not the C library's function: musl's always fails.
    // SAFETY: The kernel reads `parameters` during the call and keeps nothing.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, thread, policy, &parameters) };
    checked(result)
}

/// Bytes in a page.
pub fn page_size() -> u64 {
    // SAFETY: It takes a number and returns one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
