// SPDX-License-Identifier: GPL-2.0

//! The hook at the birth and the end of processes.
//!
//! C header: `include/linux/tkernel/process.h`

use super::{
    super::{
        bindings,
        pid::Pid,
        task, //
    },
    to_errno,
    RawHook, //
};
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    task::Task,
};

/// Hears of processes.
pub(crate) trait ProcessHook: Send + Sync {
    /// Called when current makes a new process, which nobody can find yet and which will be known
    /// by `pid`. An error makes the fork fail with it.
    ///
    /// Context: the parent's, may sleep.
    fn fork(&self, child: &Task, pid: &Pid, flags: CloneFlags) -> Result;

    /// Called when the process of `pid` is gone with all its threads, or when its fork failed
    /// after [`ProcessHook::fork`] was called. May be called for others too.
    ///
    /// Context: of whoever takes the exit status, may sleep.
    fn release(&self, pid: &Pid);
}

/// The flags of clone(2).
#[derive(Clone, Copy)]
pub(crate) struct CloneFlags(u64);

impl CloneFlags {
    /// Whether the child uses its parent's memory instead of a copy, as after vfork(2).
    pub(crate) fn shares_memory(self) -> bool {
        self.0 & u64::from(bindings::CLONE_VM) != 0
    }
}

/// Holds the process hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The process hook.
pub(crate) struct Hook;

// SAFETY: The ops get back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: ProcessHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_process_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            fork: Some(fork::<T>),
            release: Some(release::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_process_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_process_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `child` and `pid` are valid.
unsafe extern "C" fn fork<T: ProcessHook>(
    child: *mut bindings::task_struct,
    pid: *mut bindings::pid,
    clone_flags: u64,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, child, pid) = unsafe {
        (
            &*data.cast::<T>(),
            task::from_raw(child),
            Pid::from_raw(pid),
        )
    };
    to_errno(this.fork(child, pid, CloneFlags(clone_flags)))
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `pid` is valid.
unsafe extern "C" fn release<T: ProcessHook>(pid: *mut bindings::pid, data: *mut c_void) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, pid) = unsafe { (&*data.cast::<T>(), Pid::from_raw(pid)) };
    this.release(pid);
}
