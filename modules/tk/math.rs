// SPDX-License-Identifier: GPL-2.0

//! Arithmetic that takes more than 64 bits on the way.
//!
//! C header: [`include/linux/math64.h`](srctree/include/linux/math64.h)

use super::bindings;

/// `whole * part / of`, rounded down; `whole` if `part` isn't less than `of`.
pub(crate) fn share(whole: u64, part: u64, of: u64) -> u64 {
    if part >= of {
        return whole;
    }
    // SAFETY: The divisor isn't 0, and since `part` is less the result fits.
    unsafe { bindings::tk_helper_mul_div(whole, part, of) }
}
