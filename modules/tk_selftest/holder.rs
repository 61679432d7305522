// SPDX-License-Identifier: GPL-2.0

//! Ops that allow everything.

use super::tk::{
    hooks::{
        access::{
            Access,
            AccessHook, //
        },
        process::{
            CloneFlags,
            ProcessHook, //
        },
        ptrace::{
            PtraceHook,
            Request, //
        },
    },
    pid::Pid,
    rcu::AtomicContext,
};
use kernel::{
    prelude::*,
    task::Task,
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// Holds hooks and allows what they ask about.
pub(crate) struct Holder {
    fork_delay: Delta,
}

impl Holder {
    pub(crate) fn new(fork_delay_ms: u32) -> Self {
        Self {
            fork_delay: Delta::from_millis(fork_delay_ms.into()),
        }
    }
}

impl PtraceHook for Holder {
    fn pre_hook(&self, _context: &AtomicContext, _target: &Task, _request: Request) -> Result {
        Ok(())
    }
}

impl AccessHook for Holder {
    fn access(&self, _context: &AtomicContext, _target: &Task, _access: Access) -> Result {
        Ok(())
    }
}

impl ProcessHook for Holder {
    fn fork(&self, _child: &Task, _pid: &Pid, _flags: CloneFlags) -> Result {
        if !self.fork_delay.is_zero() {
            fsleep(self.fork_delay);
            // Unloading must have waited for this line's code.
            pr_info!("a fork slept in the hook\n");
        }
        Ok(())
    }

    fn release(&self, _pid: &Pid) {}
}
