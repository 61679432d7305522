// SPDX-License-Identifier: GPL-2.0

//! The hook that adds a file to each process and thread in `/proc`.
//!
//! C header: `include/linux/tkernel/pidfile.h`

use super::{
    super::{
        bindings,
        task, //
    },
    to_errno,
    RawHook, //
};
use kernel::{
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile,
    task::Task,
};

/// What has a file in `/proc/PID` and `/proc/PID/task/TID`. All who see these may read it.
///
/// While nobody holds the hook the file can't be found; reads of one that is still open fail with
/// `EIO`.
pub(crate) trait PidFile: Send + Sync {
    /// The name of the file, 31 bytes at most.
    const NAME: &'static CStr;

    /// Current reads the file of `task`, a thread or, in `/proc/PID`, the first of a process.
    ///
    /// Called once for a reader that reads from the beginning to the end, and again if the text is
    /// longer than a page. Context: current's, may sleep.
    fn show(&self, file: &SeqFile, task: &Task) -> Result;
}

/// Writes the name of a thread, as in `/proc/PID/status`.
pub(crate) fn put_comm(file: &SeqFile, task: &Task) {
    // SAFETY: A `SeqFile` is a `struct seq_file`, which only this thread uses; the task is valid.
    unsafe {
        bindings::tkernel_pidfile_put_comm(
            core::ptr::from_ref(file).cast_mut().cast(),
            task.as_ptr(),
        );
    }
}

/// Holds the pidfile hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The pidfile hook.
pub(crate) struct Hook;

// SAFETY: `show()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: PidFile> RawHook<T> for Hook {
    type Ops = bindings::tkernel_pidfile_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        let mut name: [c_char; bindings::TKERNEL_PIDFILE_NAME_SIZE as usize] = pin_init::zeroed();
        let last = name.len() - 1;
        for (to, from) in name[..last].iter_mut().zip(T::NAME.to_bytes()) {
            *to = *from as c_char;
        }
        Self::Ops {
            data,
            name,
            show: Some(show::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_pidfile_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_pidfile_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `file` is locked, `task` is valid.
unsafe extern "C" fn show<T: PidFile>(
    file: *mut bindings::seq_file,
    task: *mut bindings::task_struct,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, file, task) = unsafe {
        (
            &*data.cast::<T>(),
            SeqFile::from_raw(file),
            task::from_raw(task),
        )
    };
    to_errno(this.show(file, task))
}
