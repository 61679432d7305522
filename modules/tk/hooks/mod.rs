// SPDX-License-Identifier: GPL-2.0

//! The hooks of `hooks.patch`: for each a trait to implement and a [`Registration`] to hold.
//!
//! A registration owns what it calls (an [`Arc`]), so an op always finds it alive. Dropping the
//! registration empties the hook and returns when no CPU and no sleeping task is in an op any
//! more. So a module that drops its registrations before anything else of it can go.
//!
//! C header: `include/linux/tkernel/hook.h`

pub(crate) mod access;
pub(crate) mod epoll;
pub(crate) mod irqs;
pub(crate) mod maps;
pub(crate) mod mounts;
pub(crate) mod netbind;
pub(crate) mod pagecache;
pub(crate) mod pidfile;
pub(crate) mod process;
pub(crate) mod procview;
pub(crate) mod ptrace;
#[cfg(CONFIG_TKERNEL_SCHED_SLOT)]
pub(crate) mod sched_slot;
pub(crate) mod signal;
pub(crate) mod tcp;
pub(crate) mod uname;

use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque,
};

/// The C side of a hook whose ops call into a `T`.
///
/// # Safety
///
/// - `ops()` returns ops whose functions treat `data` as a `T` that lives while they run, and keep
///   to the hook's context.
/// - `register()` and `unregister()` are those of the hook: after the latter returned, nobody is in
///   an op or gets into one.
pub(crate) unsafe trait RawHook<T> {
    /// The hook's C structure of ops.
    type Ops;

    /// The ops that call into the `T` at `data`.
    fn ops(data: *mut c_void) -> Self::Ops;

    /// # Safety
    ///
    /// `ops` comes from [`Self::ops`] and stays where it is until it is unregistered.
    unsafe fn register(ops: *const Self::Ops) -> c_int;

    /// # Safety
    ///
    /// `ops` is registered, and the caller may sleep.
    unsafe fn unregister(ops: *const Self::Ops);
}

/// Holds a hook as long as it lives.
///
/// # Invariants
///
/// `ops` is registered and calls into what `target` keeps alive.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<H: RawHook<T>, T> {
    #[pin]
    ops: Opaque<H::Ops>,
    target: Arc<T>,
    _hook: PhantomData<H>,
}

// SAFETY: A hook may be unregistered by another thread than the one that registered it. The ops
// don't change, and what they call is shared by `Arc`.
unsafe impl<H: RawHook<T>, T: Send + Sync> Send for Registration<H, T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<H: RawHook<T>, T: Send + Sync> Sync for Registration<H, T> {}

impl<H: RawHook<T>, T: Send + Sync> Registration<H, T> {
    /// Fills the hook; `EBUSY` if it is taken.
    ///
    /// Ops may be called before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> impl PinInit<Self, Error> {
        let data = Arc::as_ptr(&target).cast_mut().cast();
        try_pin_init!(Self {
            target,
            ops <- Opaque::try_ffi_init(move |slot: *mut H::Ops| {
                // SAFETY: The slot is valid for writing.
                unsafe { slot.write(H::ops(data)) };
                // SAFETY: The slot is pinned, and unregistered when it is dropped. `target` is
                // dropped after that.
                // INVARIANT: Registered if this returns 0.
                to_result(unsafe { H::register(slot) })
            }),
            _hook: PhantomData,
        })
    }
}

#[pinned_drop]
impl<H: RawHook<T>, T> PinnedDrop for Registration<H, T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type's invariant. Registrations are dropped where one may
        // sleep: when a module is unloaded or fails to load.
        unsafe { H::unregister(self.ops.get()) };
    }
}

/// An op's answer for C: 0 or a negative errno.
fn to_errno(result: Result) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}
