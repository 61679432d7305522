// SPDX-License-Identifier: GPL-2.0

//! Disks.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::bindings;
use kernel::types::Opaque;

/// A whole disk.
#[repr(transparent)]
pub(crate) struct Disk(Opaque<bindings::gendisk>);

impl Disk {
    /// # Safety
    ///
    /// `ptr` is a disk that stays valid for the lifetime of the reference.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::gendisk) -> &'a Self {
        // SAFETY: The caller's promise; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::gendisk {
        self.0.get()
    }

    /// Its major and minor number.
    pub(crate) fn number(&self) -> (u32, u32) {
        // SAFETY: The disk is valid; the numbers don't change while it is registered.
        unsafe {
            (
                (*self.as_ptr()).major as u32,
                (*self.as_ptr()).first_minor as u32,
            )
        }
    }

    /// Its name, such as `vda`.
    pub(crate) fn name(&self) -> &[u8] {
        // SAFETY: The disk is valid; its name doesn't change while it is registered.
        let name = unsafe { &(*self.as_ptr()).disk_name };
        let len = name.iter().position(|&byte| byte == 0);
        &name[..len.unwrap_or(name.len())]
    }
}
