// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's [`LocalFile`] lacks.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use super::bindings;
use kernel::fs::file::LocalFile;

/// More methods for [`LocalFile`].
pub(crate) trait FileExt {
    /// References to the open file description: descriptors, and users such as the caller's own.
    fn references(&self) -> i64;

    /// References to the directory entry: opens and other users of the path. 0 if it has none.
    fn dentry_references(&self) -> i64;

    /// Whether the file has no inode of its own: eventfd, epoll, timerfd and their like.
    fn is_anonymous(&self) -> bool;
}

impl FileExt for LocalFile {
    fn references(&self) -> i64 {
        // SAFETY: The file is valid.
        unsafe { bindings::tk_helper_file_count(self.as_ptr()) as i64 }
    }

    fn dentry_references(&self) -> i64 {
        // SAFETY: The file is valid and keeps its directory entry.
        i64::from(unsafe { bindings::tk_helper_file_dentry_count(self.as_ptr()) })
    }

    fn is_anonymous(&self) -> bool {
        // SAFETY: The file is valid and keeps its inode.
        unsafe { bindings::tk_helper_file_is_anon(self.as_ptr()) }
    }
}
