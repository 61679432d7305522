// SPDX-License-Identifier: GPL-2.0

//! A floor for the timeouts of epoll_wait(2): a program that asks to be woken every millisecond, and
//! does nothing then, sleeps a little longer.
//!
//! The floor is `kernel.min_epoll_wait_time`; [`floor`] keeps it and answers the hook.

#[path = "../tk/mod.rs"]
mod tk;

mod floor;

use floor::Floor;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use tk::{
    hooks::epoll,
    sysctl, //
};

module! {
    type: EpollMinWait,
    name: "epoll_min_wait",
    authors: ["The tkernel-rs authors"],
    description: "Floor for epoll_wait timeouts (sysctl kernel.min_epoll_wait_time)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top.
#[pin_data]
struct EpollMinWait {
    sysctls: sysctl::Registration<Floor>,
    hook: Pin<KBox<epoll::Registration<Floor>>>,
}

impl kernel::InPlaceModule for EpollMinWait {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let floor = Arc::new(Floor::new(), GFP_KERNEL)?;
            let hook = KBox::pin_init(epoll::Registration::new(floor.clone()), GFP_KERNEL)?;
            let sysctls = sysctl::Registration::new(floor)?;
            Ok(try_pin_init!(Self { sysctls, hook }? Error))
        })
    }
}
