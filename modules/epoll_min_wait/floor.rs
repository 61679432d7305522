// SPDX-License-Identifier: GPL-2.0

//! How long epoll_wait(2) waits at least.

use super::tk::{
    capability::Capability,
    hooks::epoll::EpollHook,
    machine,
    rcu::AtomicContext,
    sysctl::{
        File,
        Sysctls, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

const NS_PER_MS: u64 = 1_000_000;

/// Longer than this no program is made to wait for what it doesn't want to wait for: that stops the
/// machine.
const MAX_MS: i32 = 60_000;

/// The floor, in milliseconds; 0 and less is none.
pub(crate) struct Floor {
    ms: Atomic<i32>,
}

impl Floor {
    /// One tick, which is what a kernel without high resolution timers gives anyway.
    pub(crate) fn new() -> Self {
        Self {
            ms: Atomic::new(i32::try_from(machine::tick_ms()).unwrap_or(1)),
        }
    }

    fn ns(&self) -> u64 {
        u64::try_from(self.ms.load(Relaxed)).unwrap_or(0) * NS_PER_MS
    }
}

impl EpollHook for Floor {
    fn timeout(&self, _context: &AtomicContext, ns: u64) -> u64 {
        ns.max(self.ns())
    }
}

impl Sysctls for Floor {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[File::atomic(
        c"min_epoll_wait_time",
        i32::MIN..=MAX_MS,
        |floor| &floor.ms,
    )];
}
