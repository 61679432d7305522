// SPDX-License-Identifier: GPL-2.0

//! The record of refused attempts: counters, and lines in the kernel log.
//!
//! What monitoring does to every process, [`Access::Look`], has a counter of its own and isn't
//! logged: an alarm that rings at each ps(1) is switched off soon.

use super::tk::{
    hooks::access::Access,
    ratelimit::RateLimit,
    task::TaskExt as _, //
};
use kernel::{
    current, fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    task::Task,
};

/// What was refused.
#[derive(Clone, Copy)]
pub(crate) enum Attempt {
    /// A ptrace(2) request.
    Ptrace,
    /// Another access.
    Access(Access),
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ptrace => "ptrace",
            Self::Access(Access::Attach) => "access to the memory or files",
            Self::Access(Access::Inspect) => "inspection",
            Self::Access(Access::Observe | Access::Look) => "a look",
            Self::Access(Access::Memory) => "access to the memory",
            Self::Access(Access::Events) => "perf events",
            Self::Access(Access::OpenFile) => "access to a file",
        })
    }
}

/// The record.
#[pin_data]
pub(crate) struct Refusals {
    attempts: Atomic<i64>,
    looks: Atomic<i64>,
    #[pin]
    limit: RateLimit,
}

impl Refusals {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            attempts: Atomic::new(0),
            looks: Atomic::new(0),
            limit <- RateLimit::new(c"ttools"),
        })
    }

    /// Records that current was refused `attempt` on `target`. Doesn't sleep.
    #[cold]
    pub(crate) fn record(&self, attempt: Attempt, target: &Task) {
        if matches!(attempt, Attempt::Access(Access::Look)) {
            self.looks.add(1, Relaxed);
            return;
        }
        self.attempts.add(1, Relaxed);
        if self.limit.pass() {
            let attacker = current!();
            pr_warn!(
                "refused {attempt} of {}[{}] by {}[{}], uid {}\n",
                target.comm(),
                target.tgid(),
                attacker.comm(),
                attacker.tgid(),
                attacker.uid_number()
            );
        }
    }

    /// How many attempts there were, looks aside.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts.load(Relaxed) as u64
    }

    /// How many looks there were.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Relaxed) as u64
    }
}
