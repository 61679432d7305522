// SPDX-License-Identifier: GPL-2.0

//! What may be written: `[+|-]NUMBER`.

use kernel::prelude::*;

/// A change of the list.
#[derive(Clone, Copy)]
pub(crate) struct Command {
    pub(crate) port: u16,
    /// Added, or else removed.
    pub(crate) is_added: bool,
}

impl Command {
    /// Nothing may stand before the sign and behind the number but white space at the end. The
    /// number is decimal, or as C has it with `0x` or `0` before it, and 1 to 1023.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        // As of a string.
        let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
        let (is_added, number) = match text {
            [b'+', number @ ..] => (true, number),
            [b'-', number @ ..] => (false, number),
            number => (true, number),
        };
        let (base, digits) = match number.trim_ascii_end() {
            [b'0', b'x' | b'X', digits @ ..] => (16, digits),
            [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
            digits => (10, digits),
        };
        if digits.is_empty() {
            return Err(EINVAL);
        }
        let mut port = 0u32;
        for &digit in digits {
            let digit = char::from(digit).to_digit(base).ok_or(EINVAL)?;
            port = port * base + digit;
            // Also keeps it from growing without end.
            if port > u32::from(super::ports::LAST) {
                return Err(EINVAL);
            }
        }
        if port == 0 {
            return Err(EINVAL);
        }
        let port = u16::try_from(port).map_err(|_| EINVAL)?;
        Ok(Self { port, is_added })
    }
}
