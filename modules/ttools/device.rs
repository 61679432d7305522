// SPDX-License-Identifier: GPL-2.0

//! `/dev/ttools`: what programs ask for, and what operators see in `/sys/class/misc/ttools`.

use super::{
    abi, fd_refs,
    registry::Registry,
    tk::{
        capability::{
            capable,
            Capability, //
        },
        misc_device::{
            Caller,
            Counter,
            MiscDevice,
            Options,
            Registration, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Makes the device.
pub(crate) fn register(registry: Arc<Registry>) -> impl PinInit<Registration<Registry>, Error> {
    Registration::new(
        Options {
            name: abi::NAME,
            minor: abi::MINOR,
            mode: abi::MODE,
        },
        registry,
    )
}

impl MiscDevice for Registry {
    type Module = super::Ttools;

    const COUNTERS: &'static [Counter<Self>] = &[
        Counter {
            name: c"protected",
            value: Registry::protected,
        },
        Counter {
            name: c"refused",
            value: |registry| registry.refusals().attempts(),
        },
        Counter {
            name: c"refused_looks",
            value: |registry| registry.refusals().looks(),
        },
    ];

    fn ioctl(&self, caller: Caller, cmd: u32, arg: usize) -> Result<isize> {
        // Before the command and the argument are looked at: without the right to use the device
        // one learns nothing from it.
        if self.policy().admin_only && !capable(Capability::SysAdmin) {
            return Err(EPERM);
        }
        match cmd {
            abi::PTRACE_PROTECT => self.protect(false)?,
            abi::PTRACE_PROTECT_TREE => self.protect(true)?,
            abi::PTRACE_UNPROTECT => self.unprotect(),
            abi::PTRACE_ALLOW => self.allow(pidfd(arg)?)?,
            abi::PTRACE_DISALLOW => self.disallow(pidfd(arg)?)?,
            abi::GET_FD_REFS_CNT => fd_refs::count_64(arg)?,
            abi::GET_FD_REFS_CNT_32 if caller == Caller::Compat => fd_refs::count_32(arg)?,
            _ => return Err(EINVAL),
        }
        Ok(0)
    }
}

/// A pidfd that is passed as an argument.
fn pidfd(arg: usize) -> Result<u32> {
    // C passes an int: a negative one arrives sign-extended, and is no descriptor.
    u32::try_from(arg).map_err(|_| EBADF)
}
