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
}

/// Whether the current task has the capability in the initial user namespace.
pub(crate) fn capable(capability: Capability) -> bool {
    let number = match capability {
        Capability::SysAdmin => bindings::CAP_SYS_ADMIN,
    };
    // SAFETY: A valid number; the function has no other requirement.
    unsafe { bindings::capable(number as kernel::ffi::c_int) }
}
