// SPDX-License-Identifier: GPL-2.0

//! Arithmetic, and numbers as text.

use super::tk::{
    math::share,
    text::decimal, //
};

#[kernel::macros::kunit_tests(tk_numbers)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_exact_beyond_64_bits() {
        assert_eq!(share(u64::MAX, u64::MAX - 1, u64::MAX), u64::MAX - 1);
        assert_eq!(share(u64::MAX, 1, 3), u64::MAX / 3);
        assert_eq!(share(7, 1, 2), 3);
    }

    #[test]
    fn a_share_is_all_if_there_is_nothing_to_share_by() {
        assert_eq!(share(7, 0, 0), 7);
        assert_eq!(share(7, 3, 2), 7);
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for (number, text) in [
            (0, &b"0"[..]),
            (9, b"9"),
            (10, b"10"),
            (1_000_000, b"1000000"),
            (u64::MAX, b"18446744073709551615"),
        ] {
            let mut digits = [b' '; 20];
            let start = decimal(number, &mut digits);
            assert_eq!(&digits[start..], text);
        }
    }
}
