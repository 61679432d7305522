// SPDX-License-Identifier: GPL-2.0

//! The numbers of `/dev/ttools`, the same as in `include/uapi/ttools.h`.

use kernel::ioctl::{
    _IO,
    _IOWR, //
};

/// The device file.
pub(crate) const NAME: &kernel::str::CStr = c"ttools";

/// Its minor number; the major one is that of misc devices, 10.
pub(crate) const MINOR: u8 = 254;

/// Its mode: everyone may protect itself.
pub(crate) const MODE: u16 = 0o666;

const MAGIC: u32 = 0xee;

/// Protects the caller's process. The argument is ignored.
pub(crate) const PTRACE_PROTECT: u32 = _IO(MAGIC, 0x00);

/// Ends the protection of the caller's process. The argument is ignored.
pub(crate) const PTRACE_UNPROTECT: u32 = _IO(MAGIC, 0x01);

/// Counts references to a file descriptor: `struct ttools_fd_ref`, an int and a 64-bit long.
pub(crate) const GET_FD_REFS_CNT: u32 = _IOWR::<[u64; 2]>(MAGIC, 0x02);

/// The same for 32-bit programs: an int and a 32-bit long.
pub(crate) const GET_FD_REFS_CNT_32: u32 = _IOWR::<[u32; 2]>(MAGIC, 0x02);

/// Protects the caller's process and all processes that it will fork, and so on.
/// The argument is ignored.
pub(crate) const PTRACE_PROTECT_TREE: u32 = _IO(MAGIC, 0x03);

/// Lets the process of a pidfd, the argument, still access the caller's process.
pub(crate) const PTRACE_ALLOW: u32 = _IO(MAGIC, 0x04);

/// Takes that back.
pub(crate) const PTRACE_DISALLOW: u32 = _IO(MAGIC, 0x05);
