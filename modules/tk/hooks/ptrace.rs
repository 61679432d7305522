// SPDX-License-Identifier: GPL-2.0

//! The hook at the entry of ptrace(2).
//!
//! C header: `include/linux/tkernel/ptrace.h`

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
        c_long,
        c_void, //
    },
    prelude::*,
    task::Task,
};

/// Decides about ptrace(2) requests.
pub(crate) trait PtraceHook: Send + Sync {
    /// Called for each request, native and compat, after the target was looked up and before
    /// anything is checked or done. Returns the errno that the system call fails with.
    ///
    /// `target` is the thread that the request is for; for `PTRACE_TRACEME` the caller.
    ///
    /// Context: the tracer's, preemption off, no locks held.
    fn pre_hook(&self, context: &AtomicContext, target: &Task, request: Request) -> Result;
}

/// A ptrace(2) request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request(c_long);

impl Request {
    /// `PTRACE_TRACEME`: the caller asks its parent to trace it.
    pub(crate) const TRACEME: Self = Self(bindings::PTRACE_TRACEME as c_long);
}

/// Whether the kernel would let current attach to `target` if it weren't for the access hook.
///
/// For ops that must not tell more than the kernel would. Doesn't sleep, takes `task_lock()`.
pub(crate) fn may_attach(target: &Task) -> bool {
    let mode = bindings::PTRACE_MODE_ATTACH_REALCREDS | bindings::PTRACE_MODE_NOAUDIT;
    // SAFETY: The task is valid.
    unsafe { bindings::tkernel_ptrace_native_access(target.as_ptr(), mode) }
}

/// Holds the ptrace hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The ptrace hook.
pub(crate) struct Hook;

// SAFETY: `pre_hook()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: PtraceHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_ptrace_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            pre_hook: Some(pre_hook::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_ptrace_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_ptrace_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `task` is valid, preemption is off.
unsafe extern "C" fn pre_hook<T: PtraceHook>(
    task: *mut bindings::task_struct,
    request: c_long,
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
    to_errno(this.pre_hook(&context, task, Request(request)))
}
