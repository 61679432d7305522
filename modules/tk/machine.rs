// SPDX-License-Identifier: GPL-2.0

//! What there is one of on the machine: time, memory to swap to, numbers of interrupts.

use super::bindings;

/// Nanoseconds since boot, time in suspend included.
pub(crate) fn boot_time() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_boottime() }
}

/// When the machine was booted, in nanoseconds since 1970, as its clock is set now.
pub(crate) fn booted_at() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_booted_at() }
}

/// What current's time namespace adds to [`boot_time`] in nanoseconds; [`None`] in the initial one.
pub(crate) fn time_namespace_offset() -> Option<i64> {
    let mut offset = 0;
    // SAFETY: The function writes to `offset`.
    unsafe { bindings::tk_helper_time_namespace_offset(&mut offset) }.then_some(offset)
}

/// The last number that current's pid namespace gave to a thread.
pub(crate) fn last_pid() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_last_pid() }
}

/// How many numbers of interrupts there are.
pub(crate) fn interrupts() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::irq_get_nr_irqs() }
}

/// Pages that there is swap for, and how many of these are free.
pub(crate) fn swap() -> (usize, usize) {
    let mut free = 0;
    // SAFETY: The function writes to `free`.
    let total = unsafe { bindings::tk_helper_swap(&mut free) };
    (total, free)
}

/// Pages that nobody uses for anything.
pub(crate) fn free_pages() -> usize {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_free_pages() }
}

/// Pages that programs could have without swapping.
pub(crate) fn available_pages() -> usize {
    // SAFETY: No requirements.
    usize::try_from(unsafe { bindings::si_mem_available() }).unwrap_or(0)
}

/// `VmallocTotal` in kB: the same for all who read it.
pub(crate) fn vmalloc_total() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_vmalloc_total_kb() }
}

/// How long a tick is, in milliseconds, rounded.
pub(crate) fn tick_ms() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_tick_ms() }
}
