// SPDX-License-Identifier: GPL-2.0

//! A `vm.max_map_count` for each pid namespace.
//!
//! The kernel's own file shows and takes that of who reads and writes it, unless
//! `kernel.isolate_max_map_count` is 0; [`limits`] keeps them and answers the hook.

#[path = "../tk/mod.rs"]
mod tk;

mod limits;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use limits::Limits;
use tk::{
    hooks::maps,
    sysctl, //
};

module! {
    type: MaxMapCount,
    name: "max_map_count",
    authors: ["The tkernel-rs authors"],
    description: "A vm.max_map_count for each pid namespace (sysctl kernel.isolate_max_map_count)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top.
#[pin_data]
struct MaxMapCount {
    sysctls: sysctl::Registration<Limits>,
    hook: Pin<KBox<maps::Registration<Limits>>>,
}

impl kernel::InPlaceModule for MaxMapCount {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let limits = Arc::pin_init(Limits::new(), GFP_KERNEL)?;
            let hook = KBox::pin_init(maps::Registration::new(limits.clone()), GFP_KERNEL)?;
            let sysctls = sysctl::Registration::new(limits)?;
            Ok(try_pin_init!(Self { sysctls, hook }? Error))
        })
    }
}
