// SPDX-License-Identifier: GPL-2.0

//! References that keep a module loaded.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use super::bindings;
use kernel::prelude::*;

/// Keeps the module from being unloaded, but for `rmmod --force`.
///
/// # Invariants
///
/// Holds a reference to the module.
pub(crate) struct ModuleRef(&'static ThisModule);

impl ModuleRef {
    /// Takes a reference; `ENODEV` if the module is being unloaded.
    pub(crate) fn new(module: &'static ThisModule) -> Result<Self> {
        // SAFETY: `ThisModule` is the module whose code this is, so it is there.
        if !unsafe { bindings::try_module_get(module.as_ptr()) } {
            return Err(ENODEV);
        }
        // INVARIANT: Taken just now.
        Ok(Self(module))
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant there is a reference to give back.
        unsafe { bindings::module_put(self.0.as_ptr()) };
    }
}
