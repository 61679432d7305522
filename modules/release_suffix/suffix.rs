// SPDX-License-Identifier: GPL-2.0

//! What stands in the release, where, and for whom.

use super::tk::{
    atomic::peek,
    capability::Capability,
    hooks::uname::{
        Release,
        UnameHook, //
    },
    rcu::AtomicContext,
    task,
    text::Text,
    tkernel_file::{
        TkernelFile,
        Writer, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

const SUFFIX: &[u8] = b"_docker_guest";

/// Stands before the third dash, where a vendor's build number begins, or else at the end.
const BEFORE_DASH: usize = 2;

/// Whether there is a suffix.
pub(crate) struct Suffix {
    is_on: Atomic<bool>,
}

impl Suffix {
    pub(crate) fn new() -> Self {
        Self {
            is_on: Atomic::new(false),
        }
    }
}

impl UnameHook for Suffix {
    fn changes(&self, _context: &AtomicContext) -> bool {
        peek(&self.is_on) && task::is_in_container()
    }

    fn release(&self, _context: &AtomicContext, release: &mut Release<'_>) {
        mark(release);
    }
}

/// Puts the suffix in, or leaves the release as it is if it would get too long.
pub(crate) fn mark(release: &mut Release<'_>) {
    let text = release.text();
    let dashes = text.iter().enumerate().filter(|(_, &byte)| byte == b'-');
    let at = dashes
        .map(|(index, _)| index)
        .nth(BEFORE_DASH)
        .unwrap_or(text.len());
    release.insert(at, SUFFIX);
}

impl TkernelFile for Suffix {
    const NAME: &'static CStr = c"release_suffix";
    const MODE: u16 = 0o644;
    const MAX_COMMAND: usize = 2;

    fn show(&self, text: &mut Text<'_>) -> Result {
        text.put(if self.is_on.load(Relaxed) {
            b"1\n"
        } else {
            b"0\n"
        });
        Ok(())
    }

    /// Two bytes, the second of which, a newline as a rule, doesn't matter.
    fn write(&self, command: &[u8], writer: &Writer<'_>) -> Result {
        writer.need(Capability::SysAdmin)?;
        let is_on = match command {
            [b'0', _] => false,
            [b'1', _] => true,
            _ => return Err(EINVAL),
        };
        self.is_on.store(is_on, Relaxed);
        Ok(())
    }
}
