// SPDX-License-Identifier: GPL-2.0

//! RCU: evidence of a read side, and freeing after a grace period.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::bindings;
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    sync::rcu,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// Evidence that the current CPU is in an RCU read-side section, of whatever flavour.
///
/// # Safety
///
/// Values of the type exist only inside a section that `synchronize_rcu()` and `call_rcu()` wait
/// for: `rcu_read_lock()`, or preemption, bottom halves or interrupts off.
pub(crate) unsafe trait ReadSide {}

// SAFETY: The type's invariant is that the RCU read side lock is held while it exists.
unsafe impl ReadSide for rcu::Guard {}

/// Evidence that preemption is off: the context in which the ops of atomic hooks run.
///
/// Whoever gets a reference to it must not sleep.
///
/// # Invariants
///
/// Preemption is off as long as the value exists.
pub(crate) struct AtomicContext(PhantomData<NotThreadSafe>);

impl AtomicContext {
    /// Creates the evidence.
    ///
    /// # Safety
    ///
    /// Preemption is off, and stays off until the value is dropped.
    #[inline(always)]
    pub(super) unsafe fn assume() -> Self {
        // INVARIANT: The caller's promise.
        Self(PhantomData)
    }
}

// SAFETY: By the type's invariant preemption is off, which grace periods wait for.
unsafe impl ReadSide for AtomicContext {}

/// A value that can be freed after a grace period.
#[repr(C)]
pub(super) struct RcuBox<T> {
    head: Opaque<bindings::callback_head>,
    pub(super) value: T,
}

impl<T: Send + 'static> RcuBox<T> {
    /// Allocates the value. May sleep.
    pub(super) fn new(value: T) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                head: Opaque::uninit(),
                value,
            },
            GFP_KERNEL,
        )?)
    }

    /// Drops the value when all read-side sections that exist now have ended.
    ///
    /// The value is dropped in a context that must not sleep. A module has to call
    /// [`rcu::rcu_barrier`] before its code goes away.
    pub(super) fn drop_after_grace_period(this: KBox<Self>) {
        let this = KBox::into_raw(this);
        // SAFETY: `this` was a box, so it is valid, and nobody else uses its head. The callback
        // gets back what is handed over here.
        unsafe { bindings::call_rcu((*this).head.get(), Some(Self::drop_callback)) };
    }

    /// # Safety
    ///
    /// `head` is the head of a value that was given to [`Self::drop_after_grace_period`].
    unsafe extern "C" fn drop_callback(head: *mut bindings::callback_head) {
        // SAFETY: The head is the first member of a `#[repr(C)]` structure, which came from a box
        // and is owned by this callback.
        drop(unsafe { KBox::from_raw(head.cast::<Self>()) });
    }
}
