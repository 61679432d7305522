// SPDX-License-Identifier: GPL-2.0

//! `TTOOLS_GET_FD_REFS_CNT`: how many references there are to an open file.
//!
//! For a file without a place in a file system (eventfd, epoll, timerfd and their like) that is
//! the number of references to the open file description, so of descriptors made by dup(2),
//! fork(2) and passing. For others it is the number of references to the directory entry, so of
//! opens, by whoever.

use super::tk::file::FileExt as _;
use kernel::{
    fs::file::LocalFile,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// The number for the caller's descriptor `fd`.
fn count(fd: i32) -> Result<i64> {
    let file = LocalFile::fget(u32::try_from(fd).map_err(|_| EBADF)?)?;
    let by_entry = file.dentry_references();
    if by_entry == 0 || file.is_anonymous() {
        // Less the reference that `file` is.
        return Ok(file.references() - 1);
    }
    Ok(by_entry)
}

/// `struct ttools_fd_ref` of 64-bit programs: the descriptor at 0, padding, the count at 8.
pub(crate) fn count_64(arg: usize) -> Result {
    answer::<16>(arg, |structure, count| {
        *field(structure, 8)? = count.to_ne_bytes();
        Ok(())
    })
}

/// `struct ttools_fd_ref` of 32-bit programs: the descriptor at 0, the count at 4.
pub(crate) fn count_32(arg: usize) -> Result {
    answer::<8>(arg, |structure, count| {
        let count = i32::try_from(count).map_err(|_| EOVERFLOW)?;
        *field(structure, 4)? = count.to_ne_bytes();
        Ok(())
    })
}

/// Reads the structure, lets `store` put the count into it and writes it back.
///
/// Nothing is written unless all went well.
fn answer<const SIZE: usize>(arg: usize, store: impl FnOnce(&mut [u8], i64) -> Result) -> Result {
    let (mut reader, mut writer) = UserSlice::new(UserPtr::from_addr(arg), SIZE).reader_writer();
    let mut structure = [0; SIZE];
    reader.read_slice(&mut structure)?;

    let fd = i32::from_ne_bytes(*field(&mut structure, 0)?);
    store(&mut structure, count(fd)?)?;

    writer.write_slice(&structure)
}

/// `N` bytes of a structure.
fn field<const N: usize>(structure: &mut [u8], offset: usize) -> Result<&mut [u8; N]> {
    structure
        .get_mut(offset..)
        .and_then(|tail| tail.first_chunk_mut())
        .ok_or(EINVAL)
}
