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

/// Shares.
#[kernel::macros::kunit_tests(tk_math)]
mod tests {
    use super::share;

    #[test]
    fn is_exact_beyond_64_bits() {
        assert_eq!(share(u64::MAX, u64::MAX - 1, u64::MAX), u64::MAX - 1);
        assert_eq!(share(u64::MAX, 1, 3), u64::MAX / 3);
        assert_eq!(share(7, 1, 2), 3);
    }

    #[test]
    fn is_all_if_there_is_nothing_to_share_by() {
        assert_eq!(share(7, 0, 0), 7);
        assert_eq!(share(7, 3, 2), 7);
    }
}
