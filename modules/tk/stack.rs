// SPDX-License-Identifier: GPL-2.0

//! The stack of the current task in the kernel: kept where it can't be printed, printed later.
//!
//! C header: [`include/linux/stacktrace.h`](srctree/include/linux/stacktrace.h)

use super::bindings;
use kernel::ffi::c_ulong;

/// Return addresses, the innermost first.
pub(crate) struct Stack {
    entries: [c_ulong; 24],
    len: u32,
}

impl Stack {
    /// That of current, or of what interrupted it. Any context.
    pub(crate) fn of_current() -> Self {
        let mut entries = [0; 24];
        // SAFETY: The array has room for so many entries.
        let len =
            unsafe { bindings::tk_helper_save_stack(entries.as_mut_ptr(), entries.len() as u32) };
        Self { entries, len }
    }

    /// Prints it to the kernel's log. Any context.
    pub(crate) fn print(&self) {
        // SAFETY: The array has at least so many entries, by what wrote them.
        unsafe { bindings::tk_helper_print_stack(self.entries.as_ptr(), self.len) };
    }
}
