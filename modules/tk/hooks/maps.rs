// SPDX-License-Identifier: GPL-2.0

//! The hook where `vm.max_map_count` is asked for, read and written.
//!
//! C header: `include/linux/tkernel/maps.h`

use super::{
    super::{
        bindings,
        pid::NamespaceId,
        rcu::AtomicContext, //
    },
    RawHook, //
};
use kernel::{
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*, //
};

/// Says how many mappings a process may have.
pub(crate) trait MapsHook: Send + Sync {
    /// The number that holds for current where the kernel's own is `native`, 0 or more.
    ///
    /// Context: current's, preemption off; the lock of a memory map may be held.
    fn limit(&self, context: &AtomicContext, native: i32) -> i32;

    /// Current writes `limit`, 0 or more, to the file, whose mode allows it.
    ///
    /// Context: current's, may sleep.
    fn set_limit(&self, limit: i32, native: i32) -> Result<Stored>;

    /// A pid namespace is gone.
    ///
    /// Context: process context, may sleep.
    fn release(&self, namespace: NamespaceId);
}

/// What became of a number that was written.
pub(crate) enum Stored {
    /// The op has dealt with it.
    Here,
    /// It is to be the kernel's own.
    Natively,
}

/// Holds the maps hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The maps hook.
pub(crate) struct Hook;

// SAFETY: The ops get back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: MapsHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_maps_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            limit: Some(limit::<T>),
            set_limit: Some(set_limit::<T>),
            release: Some(release::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_maps_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_maps_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, preemption is off.
unsafe extern "C" fn limit<T: MapsHook>(native: c_int, data: *mut c_void) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context) = unsafe { (&*data.cast::<T>(), AtomicContext::assume()) };
    this.limit(&context, native)
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration.
unsafe extern "C" fn set_limit<T: MapsHook>(
    limit: c_int,
    native: c_int,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let this = unsafe { &*data.cast::<T>() };
    match this.set_limit(limit, native) {
        Ok(Stored::Here) => 0,
        Ok(Stored::Natively) => bindings::TKERNEL_MAPS_NATIVE as c_int,
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration.
unsafe extern "C" fn release<T: MapsHook>(pid_ns_id: u64, data: *mut c_void) {
    // SAFETY: The caller's promise, for the time of this call.
    let this = unsafe { &*data.cast::<T>() };
    this.release(NamespaceId::from_raw(pid_ns_id));
}
