// SPDX-License-Identifier: GPL-2.0

//! The hook where an interrupt becomes one whose affinity the kernel manages.
//!
//! C header: `include/linux/tkernel/irqs.h`

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

/// Decides whose the affinity is.
pub(crate) trait IrqsHook: Send + Sync {
    /// Whether an interrupt that a driver allocates as a managed one becomes that; else the
    /// driver's affinity is only its first.
    ///
    /// Context: process context, preemption off; the lock of interrupt descriptors is held.
    fn manages(&self, context: &AtomicContext) -> bool;
}

/// Holds the irqs hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The irqs hook.
pub(crate) struct Hook;

// SAFETY: `manages()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: IrqsHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_irqs_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            manages: Some(manages::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_irqs_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_irqs_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, preemption is off.
unsafe extern "C" fn manages<T: IrqsHook>(data: *mut c_void) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context) = unsafe { (&*data.cast::<T>(), AtomicContext::assume()) };
    this.manages(&context)
}
