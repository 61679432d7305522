// SPDX-License-Identifier: GPL-2.0

//! Reading atomic variables where each instruction counts.

use kernel::sync::atomic::{
    Atomic,
    AtomicType, //
};

/// The value, as a relaxed load has it. That one is a call into the kernel; this is an instruction.
#[inline(always)]
pub(crate) fn peek<T: AtomicType>(from: &Atomic<T>) -> T {
    // SAFETY: The pointer comes from a reference. Atomic types are aligned and a word at most, and a
    // volatile read of such is atomic, as the kernel's `READ_ONCE()` is.
    unsafe { from.as_ptr().read_volatile() }
}
