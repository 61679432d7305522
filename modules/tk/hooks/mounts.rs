// SPDX-License-Identifier: GPL-2.0

//! The hook where mounts are listed.
//!
//! C header: `include/linux/tkernel/mounts.h`

use super::{
    super::bindings,
    RawHook, //
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
};

/// Decides who is told of which mounts.
pub(crate) trait MountsHook: Send + Sync {
    /// Whether current, who lists mounts, isn't to be told of this one.
    ///
    /// Context: current's, may sleep. The kernel's lock of all mounts is held for reading.
    fn hides(&self, mount: &Mount) -> bool;
}

/// A mount that current is about to be told of.
#[repr(transparent)]
pub(crate) struct Mount(bindings::tkernel_mount);

impl Mount {
    /// What was mounted, as mount(2) was given it; `none` if nothing was.
    pub(crate) fn device(&self) -> &[u8] {
        // SAFETY: A string that lives as long as the mount, which the hook's caller holds.
        unsafe { CStr::from_char_ptr(self.0.devname) }.to_bytes()
    }

    /// Whether the file system says what is mounted. May be wrongly yes.
    pub(crate) fn has_source(&self) -> bool {
        // SAFETY: In an op, which is the only place with a `Mount`. Writes nothing.
        let result = unsafe { bindings::tkernel_mount_source(&self.0, core::ptr::null_mut(), 0) };
        result != ENODATA.to_errno()
    }

    /// What the file system says is mounted, in `buffer`. [`None`] if it says nothing, or can't:
    /// then users are told of [`Mount::device`].
    pub(crate) fn source<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        // SAFETY: As above. Writes a string to the buffer if it returns 0.
        to_result(unsafe {
            bindings::tkernel_mount_source(&self.0, buffer.as_mut_ptr().cast(), buffer.len())
        })
        .ok()?;
        let end = buffer.iter().position(|&byte| byte == 0)?;
        Some(&buffer[..end])
    }

    /// Where it is mounted, as seen from the root directory of the process whose mounts are listed,
    /// in `buffer`. `ENOENT` if that sees it nowhere.
    pub(crate) fn path<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        // SAFETY: As above. Returns a string in the buffer, or an error.
        unsafe {
            let path =
                bindings::tkernel_mount_path(&self.0, buffer.as_mut_ptr().cast(), buffer.len());
            Ok(CStr::from_char_ptr(from_err_ptr(path.cast_mut())?).to_bytes())
        }
    }
}

/// Holds the mounts hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The mounts hook.
pub(crate) struct Hook;

// SAFETY: `hides()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: MountsHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_mounts_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            hides: Some(hides::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_mounts_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_mounts_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `mount` is complete.
unsafe extern "C" fn hides<T: MountsHook>(
    mount: *const bindings::tkernel_mount,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call; `Mount` is transparent.
    let (this, mount) = unsafe { (&*data.cast::<T>(), &*mount.cast::<Mount>()) };
    this.hides(mount)
}
