// SPDX-License-Identifier: GPL-2.0

//! The kernel's release as containers see it: with `_docker_guest` in it, so that a program, or who
//! reads its logs, can tell.
//!
//! `/proc/tkernel/release_suffix` switches it on; [`suffix`] keeps that and answers the hook.

#[path = "../tk/mod.rs"]
mod tk;

mod suffix;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use suffix::Suffix;
use tk::{
    hooks::uname,
    tkernel_file, //
};

module! {
    type: ReleaseSuffix,
    name: "release_suffix",
    authors: ["The tkernel-rs authors"],
    description: "Marks the kernel's release in containers (/proc/tkernel/release_suffix)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top.
#[pin_data]
struct ReleaseSuffix {
    file: tkernel_file::Registration<Suffix>,
    hook: Pin<KBox<uname::Registration<Suffix>>>,
}

impl kernel::InPlaceModule for ReleaseSuffix {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let suffix = Arc::new(Suffix::new(), GFP_KERNEL)?;
            let hook = KBox::pin_init(uname::Registration::new(suffix.clone()), GFP_KERNEL)?;
            let file = tkernel_file::Registration::new(suffix)?;
            Ok(try_pin_init!(Self { file, hook }? Error))
        })
    }
}
