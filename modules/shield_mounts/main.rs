// SPDX-License-Identifier: GPL-2.0

//! Mounts that containers don't see in lists of mounts.
//!
//! `/proc/tkernel/shield_mounts` has them; [`shields`] keeps them and answers the hook, [`command`]
//! is what may be written, [`escape`] how names are.

#[path = "../tk/mod.rs"]
mod tk;

mod command;
mod escape;
mod shields;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use shields::Shields;
use tk::{
    hooks::mounts,
    sysctl,
    tkernel_file, //
};

module! {
    type: ShieldMounts,
    name: "shield_mounts",
    authors: ["The tkernel-rs authors"],
    description: "Hides listed mounts from containers (/proc/tkernel/shield_mounts)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top.
#[pin_data]
struct ShieldMounts {
    sysctls: sysctl::Registration<Shields>,
    file: tkernel_file::Registration<Shields>,
    hook: Pin<KBox<mounts::Registration<Shields>>>,
}

impl kernel::InPlaceModule for ShieldMounts {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let shields = Arc::pin_init(Shields::new(), GFP_KERNEL)?;
            let hook = KBox::pin_init(mounts::Registration::new(shields.clone()), GFP_KERNEL)?;
            let file = tkernel_file::Registration::new(shields.clone())?;
            let sysctls = sysctl::Registration::new(shields)?;
            Ok(try_pin_init!(Self {
                sysctls,
                file,
                hook,
            }? Error))
        })
    }
}
