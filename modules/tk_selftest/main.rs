// SPDX-License-Identifier: GPL-2.0

//! Tests of the Rust layer and of the hooks, for the virtual machine only; never installed.
//!
//! Loading it runs the KUnit suites of the layer (`*_tests`); the results are in the kernel log. Its
//! parameters make it a neighbour for the tests of other modules: it holds hooks that they want and
//! a device's number ([`holder`]), or stays inside an op while it is to be unloaded.

#[path = "../tk/mod.rs"]
mod tk;

mod holder;
#[cfg(CONFIG_KUNIT)]
mod kthread_tests;
#[cfg(CONFIG_KUNIT)]
mod percpu_tests;
#[cfg(CONFIG_KUNIT)]
mod table_tests;
#[cfg(CONFIG_KUNIT)]
mod wait_queue_tests;

use holder::Holder;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use tk::{
    hooks,
    misc_device, //
};

module! {
    type: Selftest,
    name: "tk_selftest",
    authors: ["The tkernel-rs authors"],
    description: "Tests of the tkernel-rs layer and hooks",
    license: "GPL",
    params: {
        hold: u32 {
            default: 0,
            description: "Hooks to hold: 1 ptrace, 2 access, 4 process, added up (default: none)",
        },
        fork_delay_ms: u32 {
            default: 0,
            description: "Milliseconds that forks sleep in the process hook (default: 0)",
        },
        minor: u8 {
            default: 0,
            description: "Minor number of a misc device to make (default: no device)",
        },
    },
}

struct Selftest {
    _ptrace: Option<Pin<KBox<hooks::ptrace::Registration<Holder>>>>,
    _access: Option<Pin<KBox<hooks::access::Registration<Holder>>>>,
    _process: Option<Pin<KBox<hooks::process::Registration<Holder>>>>,
    _device: Option<Pin<KBox<misc_device::Registration<Holder>>>>,
}

impl kernel::Module for Selftest {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let hold = *module_parameters::hold.value_ref();
        let delay = *module_parameters::fork_delay_ms.value_ref();
        let minor = *module_parameters::minor.value_ref();
        let holder = Arc::new(Holder::new(delay), GFP_KERNEL)?;

        Ok(Self {
            _ptrace: if hold & 1 != 0 {
                let hook = hooks::ptrace::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _access: if hold & 2 != 0 {
                let hook = hooks::access::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _process: if hold & 4 != 0 {
                let hook = hooks::process::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _device: if minor != 0 {
                Some(KBox::pin_init(holder::device(minor, holder), GFP_KERNEL)?)
            } else {
                None
            },
        })
    }
}
