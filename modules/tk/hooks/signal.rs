// SPDX-License-Identifier: GPL-2.0

//! The hook where signals are sent.
//!
//! C header: `include/linux/tkernel/signal.h`

use super::{
    super::{
        bindings,
        rcu::AtomicContext,
        task, //
    },
    RawHook, //
};
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    task::Task,
};

/// Hears of signals.
pub(crate) trait SignalHook: Send + Sync {
    /// The signal is sent to `target` or its process, which may block or ignore it. Current sends
    /// it, or is what an interrupt that sends it came upon.
    ///
    /// Context: any but NMI; interrupts are off, the lock of the target's signals is held. Must not
    /// send signals, nor take a lock that signals are sent under.
    fn send(&self, context: &AtomicContext, signal: Signal, target: &Task);
}

/// A signal, as in signal(7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(c_int);

impl Signal {
    /// Whether it makes the process dump core unless it is caught, blocked or ignored.
    pub(crate) fn dumps_core(self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::tk_helper_signal_dumps_core(self.0) }
    }

    /// Its number.
    pub(crate) fn number(self) -> i32 {
        self.0
    }
}

/// Holds the signal hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The signal hook.
pub(crate) struct Hook;

// SAFETY: `send()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: SignalHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_signal_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            send: Some(send::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_signal_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_signal_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `target` is valid, preemption is off.
unsafe extern "C" fn send<T: SignalHook>(
    signal: c_int,
    target: *mut bindings::task_struct,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context, target) = unsafe {
        (
            &*data.cast::<T>(),
            AtomicContext::assume(),
            task::from_raw(target),
        )
    };
    this.send(&context, Signal(signal), target);
}
