// SPDX-License-Identifier: GPL-2.0

//! The hook where the kernel tells its release.
//!
//! C header: `include/linux/tkernel/uname.h`

use super::{
    super::{
        bindings,
        rcu::AtomicContext, //
    },
    RawHook, //
};
use kernel::ffi::{
    c_char,
    c_int,
    c_void, //
};

/// Changes what the kernel tells.
pub(crate) trait UnameHook: Send + Sync {
    /// Whether current sees another release than its UTS namespace has. Asked first, so that who
    /// doesn't hardly pays.
    ///
    /// Context: as below.
    fn changes(&self, context: &AtomicContext) -> bool;

    /// Called when current asks for the release: by uname(2), `/proc/sys/kernel/osrelease` or
    /// `/proc/version`. `release` is that of its UTS namespace, and may be changed to what it is to
    /// see.
    ///
    /// Context: current's, preemption off.
    fn release(&self, context: &AtomicContext, release: &mut Release<'_>);
}

/// Text in a buffer that can't grow.
///
/// # Invariants
///
/// `len` is less than the buffer's.
pub(crate) struct Release<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Release<'a> {
    /// What stands in the buffer before its first zero byte; [`None`] without one.
    pub(crate) fn new(buffer: &'a mut [u8]) -> Option<Self> {
        // INVARIANT: The position of a byte in the buffer.
        let len = buffer.iter().position(|&byte| byte == 0)?;
        Some(Self { buffer, len })
    }

    /// The text.
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Puts something in at a place of the text, or does nothing if there is no room for it or no
    /// such place.
    pub(crate) fn insert(&mut self, at: usize, what: &[u8]) {
        let end = self.len + what.len();
        if at > self.len || end >= self.buffer.len() {
            return;
        }
        self.buffer.copy_within(at..self.len, at + what.len());
        self.buffer[at..at + what.len()].copy_from_slice(what);
        self.buffer[end] = 0;
        // INVARIANT: Compared above.
        self.len = end;
    }
}

/// Holds the uname hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The uname hook.
pub(crate) struct Hook;

// SAFETY: `release()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: UnameHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_uname_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            release: Some(release::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_uname_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_uname_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `text` has `size` bytes that nobody
/// else uses, preemption is off.
unsafe extern "C" fn release<T: UnameHook>(text: *mut c_char, size: usize, data: *mut c_void) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context) = unsafe { (&*data.cast::<T>(), AtomicContext::assume()) };
    if !this.changes(&context) {
        return;
    }
    // SAFETY: As above.
    let buffer = unsafe { core::slice::from_raw_parts_mut(text.cast::<u8>(), size) };
    if let Some(mut release) = Release::new(buffer) {
        this.release(&context, &mut release);
    }
}
