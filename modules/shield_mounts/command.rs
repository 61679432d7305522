// SPDX-License-Identifier: GPL-2.0

//! What may be written: `set DEVICE PATH` or `clear DEVICE PATH`.

use super::{
    escape,
    shields::Shield, //
};
use kernel::prelude::*;

/// A change of the list.
pub(crate) enum Command {
    Set(Shield),
    Clear(Shield),
}

impl Command {
    /// White space at both ends and blanks between the words don't count, nor do tabs anywhere. The device ends at a blank, the path doesn't. `EFAULT` for all that isn't so, as
    /// the original has it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        // As of a string.
        let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
        let mut line = KVec::with_capacity(text.len(), GFP_KERNEL)?;
        for &byte in text.trim_ascii() {
            match byte {
                b'\t' => {}
                // Two lines would be one mount of a strange name.
                b'\n' => return Err(EFAULT),
                byte => line.push(byte, GFP_KERNEL)?,
            }
        }
        // A blank that the end was trimmed of may be what says that there is an empty path.
        let last = text.iter().rfind(|&byte| !matches!(byte, b'\t' | b'\n'));
        let ends_in_blank = last == Some(&b' ');

        let (verb, rest) = word(trim_start(&line)).ok_or(EFAULT)?;
        let rest = trim_start(rest);
        let (device, path) = match word(rest) {
            Some((device, path)) => (device, trim_start(path)),
            None if ends_in_blank => (rest, &[][..]),
            None => return Err(EFAULT),
        };
        if device.is_empty() {
            return Err(EFAULT);
        }
        let shield = Shield {
            device: escape::unescape(device)?,
            path: escape::unescape(path)?,
        };
        match verb {
            b"set" => Ok(Self::Set(shield)),
            b"clear" => Ok(Self::Clear(shield)),
            _ => Err(EFAULT),
        }
    }
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// What is before the first blank, and behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b' ')?;
    Some((&text[..end], &text[end + 1..]))
}
