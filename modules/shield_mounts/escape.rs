// SPDX-License-Identifier: GPL-2.0

//! Bytes as `\OOO`, three octal digits: how the kernel writes what would end a word or a line, in
//! `/proc/PID/mounts` and here.

use super::tk::text::Text;
use kernel::prelude::*;

/// What the text stands for. A backslash without three octal digits behind it is one.
pub(crate) fn unescape(text: &[u8]) -> Result<KVec<u8>> {
    let mut bytes = KVec::with_capacity(text.len(), GFP_KERNEL)?;
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match rest {
            // Three digits are 511 at most, and the first is less than 4 in what fits a byte.
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), behind)
            }
            _ => (*first, behind),
        };
        bytes.push(byte, GFP_KERNEL)?;
        rest = behind;
    }
    Ok(bytes)
}

/// Writes bytes, some of them escaped: those that can't be written otherwise and `also`.
pub(crate) fn put(text: &mut Text<'_>, bytes: &[u8], also: &[u8]) {
    for &byte in bytes {
        if matches!(byte, b'\t' | b'\n' | b'\\' | 0) || also.contains(&byte) {
            let digit = |shift: u32| b'0' + (byte >> shift & 7);
            text.put(&[b'\\', digit(6), digit(3), digit(0)]);
        } else {
            text.put(&[byte]);
        }
    }
}
