// SPDX-License-Identifier: GPL-2.0

//! Read-only files in `/proc` whose text is made when they are read.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_result,
    ffi::{
        c_int,
        c_void, //
    },
    fmt,
    prelude::*,
    seq_file::SeqFile,
    str::CString,
    sync::Arc,
};

/// What has a file in `/proc`.
pub(crate) trait ProcFile: Send + Sync + 'static {
    /// The name of the file.
    const NAME: &'static CStr;

    /// Its mode.
    const MODE: u16 = 0o444;

    /// Prints the text. An error is what the read fails with.
    ///
    /// Called once for each reader that reads from the beginning to the end, and again if the text
    /// is longer than a page or the reader seeks. Several threads may be in it at once. May sleep.
    /// Unloading waits for it.
    fn show(&self, text: &SeqFile) -> Result;
}

/// Holds the file as long as it lives.
///
/// # Invariants
///
/// `entry` is in `/proc` and leads to `target`.
pub(crate) struct Registration<T: ProcFile> {
    entry: NonNull<bindings::proc_dir_entry>,
    target: Arc<T>,
}

// SAFETY: A file may be removed by another thread than the one that made it.
unsafe impl<T: ProcFile> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: ProcFile> Sync for Registration<T> {}

impl<T: ProcFile> Registration<T> {
    /// Makes the file; `EEXIST` if there is one of the same name.
    ///
    /// It may be read before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        // The kernel has a warning with a backtrace for a name that is taken.
        if exists(fmt!("/proc/{}", T::NAME)) {
            return Err(EEXIST);
        }
        // SAFETY: The name is a C string. The file is removed before `target` is dropped.
        let entry = unsafe {
            bindings::proc_create_single_data(
                T::NAME.as_char_ptr(),
                T::MODE,
                core::ptr::null_mut(),
                Some(show::<T>),
                Arc::as_ptr(&target).cast_mut().cast(),
            )
        };
        // INVARIANT: Made just now.
        Ok(Self {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            target,
        })
    }
}

impl<T: ProcFile> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: In `/proc`, by the type's invariant. Returns when nobody is in `show()` any more;
        // who has the file open gets `EIO` from now on. Registrations are dropped where one may
        // sleep: when a module is unloaded or fails to load.
        unsafe { bindings::proc_remove(self.entry.as_ptr()) };
    }
}

/// # Safety
///
/// Called by the kernel for the file of a [`Registration`], with the lock of `file` held.
unsafe extern "C" fn show<T: ProcFile>(file: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: The private data is what the file was made with. It isn't dropped before this
    // returns. Nobody uses `file` without its lock.
    let (target, text) = unsafe { (&*(*file).private.cast::<T>(), SeqFile::from_raw(file)) };
    from_result(|| target.show(text).map(|()| 0))
}

/// Whether there is a file at that path, for current. May sleep.
///
/// Somebody else may make one just after, and procfs may be mounted elsewhere. So it is for names
/// that nobody else should use, where the kernel answers a second use with more than an error.
pub(super) fn exists(path: fmt::Arguments<'_>) -> bool {
    CString::try_from_fmt(path).is_ok_and(|path| {
        // SAFETY: The path is a C string.
        unsafe { bindings::tk_helper_path_exists(path.as_char_ptr()) }
    })
}
