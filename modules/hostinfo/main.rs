// SPDX-License-Identifier: GPL-2.0

//! What the host knows a container's processes by: `/proc/PID/hostinfo`.
//!
//! `kernel.watch_host_pid` switches it on; [`numbers`] keeps that and writes the file.

#[path = "../tk/mod.rs"]
mod tk;

mod numbers;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use numbers::Numbers;
use tk::{
    hooks::pidfile,
    sysctl, //
};

module! {
    type: HostInfo,
    name: "hostinfo",
    authors: ["The tkernel-rs authors"],
    description: "Shows the host's process numbers in /proc/PID/hostinfo (sysctl kernel.watch_host_pid)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top.
#[pin_data]
struct HostInfo {
    sysctls: sysctl::Registration<Numbers>,
    hook: Pin<KBox<pidfile::Registration<Numbers>>>,
}

impl kernel::InPlaceModule for HostInfo {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let numbers = Arc::new(Numbers::new(), GFP_KERNEL)?;
            let hook = KBox::pin_init(pidfile::Registration::new(numbers.clone()), GFP_KERNEL)?;
            let sysctls = sysctl::Registration::new(numbers)?;
            Ok(try_pin_init!(Self { sysctls, hook }? Error))
        })
    }
}
