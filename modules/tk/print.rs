// SPDX-License-Identifier: GPL-2.0

//! Lines for the kernel's log without the module's name before them, for those that programs know by
//! their beginning.
//!
//! C header: [`include/linux/printk.h`](srctree/include/linux/printk.h)

use super::bindings;
use kernel::{
    fmt,
    str::CString, //
};

/// Prints a line at the level of information. May sleep; without memory for it nothing is printed.
pub(crate) fn line(line: fmt::Arguments<'_>) {
    if let Ok(line) = CString::try_from_fmt(line) {
        let line = line.to_bytes();
        // SAFETY: So many bytes are read at most, and they are there.
        unsafe { bindings::tk_helper_print_line(line.as_ptr().cast(), line.len()) };
    }
}
