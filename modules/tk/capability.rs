// SPDX-License-Identifier: GPL-2.0

//! Capabilities of the current task.
//!
//! C header: [`include/linux/capability.h`](srctree/include/linux/capability.h)

use super::bindings;

/// A capability, as in capabilities(7).
#[derive(Clone, Copy)]
pub(crate) enum Capability {
    /// `CAP_SYS_ADMIN`
    SysAdmin,
    /// `CAP_SYS_NICE`
    SysNice,
    /// `CAP_NET_ADMIN`
    NetAdmin,
    /// `CAP_NET_BIND_SERVICE`
    NetBindService,
}

impl Capability {
    pub(super) fn number(self) -> kernel::ffi::c_int {
        let number = match self {
            Self::SysAdmin => bindings::CAP_SYS_ADMIN,
            Self::SysNice => bindings::CAP_SYS_NICE,
            Self::NetAdmin => bindings::CAP_NET_ADMIN,
            Self::NetBindService => bindings::CAP_NET_BIND_SERVICE,
        };
        number as kernel::ffi::c_int
    }
}

/// Whether the current task has the capability in the initial user namespace.
pub(crate) fn capable(capability: Capability) -> bool {
    // SAFETY: A valid number; the function has no other requirement.
    unsafe { bindings::capable(capability.number()) }
}
