// SPDX-License-Identifier: GPL-2.0

//! Leaves the affinity of interrupts to the administrator where the kernel would manage it.
//!
//! It holds for the interrupts that drivers allocate while the module is loaded.

#[path = "../tk/mod.rs"]
mod tk;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use tk::{
    hooks::irqs::{
        self,
        IrqsHook, //
    },
    rcu::AtomicContext, //
};

module! {
    type: IrqForceManage,
    name: "irq_force_manage",
    authors: ["The tkernel-rs authors"],
    description: "Lets the administrator write the affinity of interrupts that would be managed",
    license: "GPL",
}

/// Answers the hook.
struct Administrator;

impl IrqsHook for Administrator {
    fn manages(&self, _context: &AtomicContext) -> bool {
        false
    }
}

/// The loaded module.
struct IrqForceManage {
    _hook: Pin<KBox<irqs::Registration<Administrator>>>,
}

impl kernel::Module for IrqForceManage {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let administrator = Arc::new(Administrator, GFP_KERNEL)?;
        Ok(Self {
            _hook: KBox::pin_init(irqs::Registration::new(administrator), GFP_KERNEL)?,
        })
    }
}
