// SPDX-License-Identifier: GPL-2.0

//! The hook where the kernel decides whether one process may look into another.
//!
//! C header: `include/linux/tkernel/access.h`

use super::{
    super::{
        bindings,
        rcu::AtomicContext,
        task, //
    },
    to_errno,
    RawHook, //
};
use kernel::{
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
    task::Task,
};

/// Decides about access to other processes.
pub(crate) trait AccessHook: Send + Sync {
    /// Called when the kernel would grant current access to `target`, a thread of another process.
    /// An error refuses it; the caller of the hook turns it into what it returns for a refusal.
    ///
    /// Context: current's, preemption off, `task_lock(target)` may be held.
    fn access(&self, context: &AtomicContext, target: &Task, access: Access) -> Result;
}

/// What somebody is about to get.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Control over the process or its memory: ptrace attach, `/proc/PID/{mem,stack,syscall}`,
    /// process_vm_readv(2), pidfd_getfd(2).
    Attach,
    /// Facts that a system call gives about the inside of a process: kcmp(2), setns(2) with a
    /// pidfd, get_robust_list(2), move_pages(2).
    Inspect,
    /// Facts that procfs gives about a process and that ps(1), lsof(8) or a container runtime
    /// need: where its links lead, its namespaces, its I/O counters, whether it is visible at all.
    Observe,
    /// A file of procfs about the memory: environ, auxv, maps, smaps, pagemap; process_madvise(2).
    /// Monitoring opens some of them for every process: ps(1) does so with environ.
    Look,
    /// Contents of the memory, by a file that was opened earlier or a transfer that has begun.
    Memory,
    /// Performance events of the process.
    Events,
    /// A file that the process has open, through `/proc/PID/fd`.
    OpenFile,
}

impl Access {
    fn new(mode: c_uint, kind: bindings::tkernel_access_kind) -> Self {
        match kind {
            bindings::tkernel_access_kind_TKERNEL_ACCESS_MM => {
                if mode & bindings::PTRACE_MODE_READ != 0 {
                    Self::Look
                } else {
                    Self::Memory
                }
            }
            bindings::tkernel_access_kind_TKERNEL_ACCESS_PERF => Self::Events,
            bindings::tkernel_access_kind_TKERNEL_ACCESS_FD => Self::OpenFile,
            _ if mode & bindings::PTRACE_MODE_ATTACH != 0 => Self::Attach,
            _ if mode & bindings::PTRACE_MODE_REALCREDS != 0 => Self::Inspect,
            _ => Self::Observe,
        }
    }
}

/// Holds the access hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The access hook.
pub(crate) struct Hook;

// SAFETY: `access()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: AccessHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_access_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            access: Some(access::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_access_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_access_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `task` is valid, preemption is off.
unsafe extern "C" fn access<T: AccessHook>(
    task: *mut bindings::task_struct,
    mode: c_uint,
    kind: bindings::tkernel_access_kind,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context, task) = unsafe {
        (
            &*data.cast::<T>(),
            AtomicContext::assume(),
            task::from_raw(task),
        )
    };
    to_errno(this.access(&context, task, Access::new(mode, kind)))
}
