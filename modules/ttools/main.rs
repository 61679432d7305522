// SPDX-License-Identifier: GPL-2.0

//! Process protection: a process that asks for it can't be debugged, read or written by others,
//! root included.
//!
//! Programs ask through `/dev/ttools` ([`device`]). Who is protected, and how, is kept in the
//! [`registry`], which also answers the kernel's hooks. [`protection`] is what is kept for one
//! process, [`fd_refs`] the unrelated ioctl that counts references to a file.

#[path = "../tk/mod.rs"]
mod tk;

mod abi;
mod device;
mod fd_refs;
mod protection;
mod refusals;
mod registry;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use registry::{
    Policy,
    Registry, //
};
use tk::{
    hooks,
    misc_device, //
};

module! {
    type: Ttools,
    name: "ttools",
    authors: ["The tkernel-rs authors"],
    description: "Protects processes from being debugged, read or written by others, root included",
    license: "GPL",
    params: {
        admin_only: bool {
            default: false,
            description: "Only CAP_SYS_ADMIN may use /dev/ttools (default: everyone)",
        },
        ptrace_only: bool {
            default: false,
            description: "Refuse ptrace(2) only (default: all access, as to memory and open files)",
        },
        pin_while_protected: bool {
            default: false,
            description: "Refuse to unload while a process is protected (default: unload)",
        },
    },
}

const VERSION: &str = "2.0";

/// The loaded module. Fields are dropped from the top: first nobody can ask any more, then nobody
/// is refused any more, then the protections go.
#[pin_data(PinnedDrop)]
struct Ttools {
    #[pin]
    device: misc_device::Registration<Registry>,
    ptrace: Pin<KBox<hooks::ptrace::Registration<Registry>>>,
    access: Option<Pin<KBox<hooks::access::Registration<Registry>>>>,
    process: Pin<KBox<hooks::process::Registration<Registry>>>,
}

impl kernel::InPlaceModule for Ttools {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let policy = Policy {
                admin_only: *module_parameters::admin_only.value_ref(),
                ptrace_only: *module_parameters::ptrace_only.value_ref(),
                pin_while_protected: *module_parameters::pin_while_protected.value_ref(),
            };
            let registry = Arc::pin_init(Registry::new(policy, module), GFP_KERNEL)?;

            // Births and ends have to be heard of before somebody can be protected, so the device
            // comes last.
            let process = KBox::pin_init(
                hooks::process::Registration::new(registry.clone()),
                GFP_KERNEL,
            )?;
            let access = if policy.ptrace_only {
                None
            } else {
                let hook = hooks::access::Registration::new(registry.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            };
            let ptrace = KBox::pin_init(
                hooks::ptrace::Registration::new(registry.clone()),
                GFP_KERNEL,
            )?;

            Ok(try_pin_init!(Self {
                process,
                access,
                ptrace,
                device <- device::register(registry),
                _: { pr_info!("ttools {VERSION} loaded\n") },
            }? Error))
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Ttools {
    fn drop(self: Pin<&mut Self>) {
        pr_info!("ttools {VERSION} unloaded\n");
    }
}
