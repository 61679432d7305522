// SPDX-License-Identifier: GPL-2.0

//! The hook where epoll_wait(2) begins to wait.
//!
//! C header: `include/linux/tkernel/epoll.h`

use super::{
    super::{
        bindings,
        rcu::AtomicContext, //
    },
    RawHook, //
};
use kernel::ffi::{
    c_int,
    c_void, //
};

/// Changes timeouts.
pub(crate) trait EpollHook: Send + Sync {
    /// Current has found no event and is about to wait for one for so many nanoseconds, more than 0
    /// and not for ever. Returns how long it is to wait instead, at least 1.
    ///
    /// Context: current's, preemption off; its state is that of one who waits.
    fn timeout(&self, context: &AtomicContext, ns: u64) -> u64;
}

/// Holds the epoll hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The epoll hook.
pub(crate) struct Hook;

// SAFETY: `timeout()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: EpollHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_epoll_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            timeout: Some(timeout::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_epoll_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_epoll_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, preemption is off.
unsafe extern "C" fn timeout<T: EpollHook>(ns: u64, data: *mut c_void) -> u64 {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context) = unsafe { (&*data.cast::<T>(), AtomicContext::assume()) };
    this.timeout(&context, ns)
}
