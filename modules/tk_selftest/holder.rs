// SPDX-License-Identifier: GPL-2.0

//! Ops that allow everything, and a device that does nothing.

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
    misc_device::{
        Caller,
        Counter,
        MiscDevice,
        Options,
        Registration, //
    },
    pid::Pid,
    rcu::AtomicContext,
};
use kernel::{
    prelude::*,
    sync::Arc,
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

/// A device with that minor number, which does nothing.
pub(crate) fn device(minor: u8, holder: Arc<Holder>) -> impl PinInit<Registration<Holder>, Error> {
    Registration::new(
        Options {
            name: c"tk_selftest",
            minor,
            mode: 0o600,
        },
        holder,
    )
}

impl MiscDevice for Holder {
    type Module = super::Selftest;

    const COUNTERS: &'static [Counter<Self>] = &[];

    fn ioctl(&self, _caller: Caller, _cmd: u32, _arg: usize) -> Result<isize> {
        Err(EINVAL)
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
