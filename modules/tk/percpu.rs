// SPDX-License-Identifier: GPL-2.0

//! Counters with a part for each CPU.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A signed number for each CPU, which that CPU changes without a lock and without a write to
/// memory of others.
///
/// Overflow wraps. Unless a method says otherwise it may be called in any context; one that speaks
/// of this CPU means the one that it happens to run on, which needn't be the same any more when it
/// returns.
///
/// # Invariants
///
/// `counter` came from `alloc_percpu()`.
pub(crate) struct PerCpuCounter {
    counter: NonNull<bindings::s64>,
}

// SAFETY: The memory may be freed and used from any thread.
unsafe impl Send for PerCpuCounter {}
// SAFETY: The helpers read and write whole words; this CPU's is changed in one operation.
unsafe impl Sync for PerCpuCounter {}

impl PerCpuCounter {
    /// Creates a counter that is 0 on all CPUs. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No requirements.
        let counter = unsafe { bindings::tk_helper_percpu_alloc() };
        // INVARIANT: Allocated just now.
        Ok(Self {
            counter: NonNull::new(counter).ok_or(ENOMEM)?,
        })
    }

    /// Adds to the number of this CPU and returns what it is then.
    #[inline(always)]
    pub(crate) fn add_return(&self, n: i64) -> i64 {
        // SAFETY: The counter is valid by the type's invariant.
        unsafe { bindings::tk_helper_percpu_add_return(self.counter.as_ptr(), n) }
    }

    /// Sets the number of this CPU.
    #[inline(always)]
    pub(crate) fn set(&self, n: i64) {
        // SAFETY: The counter is valid by the type's invariant.
        unsafe { bindings::tk_helper_percpu_set(self.counter.as_ptr(), n) };
    }

    /// Sets the numbers of all CPUs. On a CPU that is just adding to its own the sum may win.
    pub(crate) fn set_all(&self, n: i64) {
        // SAFETY: The counter is valid by the type's invariant.
        unsafe { bindings::tk_helper_percpu_set_all(self.counter.as_ptr(), n) };
    }

    /// The sum over all CPUs, those included that are offline. What is added meanwhile is in it or
    /// not.
    pub(crate) fn sum(&self) -> i64 {
        // SAFETY: The counter is valid by the type's invariant.
        unsafe { bindings::tk_helper_percpu_sum(self.counter.as_ptr()) }
    }
}

impl Drop for PerCpuCounter {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant it is what the function frees, and nobody else has it.
        unsafe { bindings::free_percpu(self.counter.as_ptr().cast()) };
    }
}
