// SPDX-License-Identifier: GPL-2.0

//! Settings of TCP that the kernel has no file for, in each network namespace: how large the
//! congestion window is at first and after a loss, whether ACKs are delayed, bounds of the
//! retransmission timeout, how many orphans there may be.
//!
//! They are in `/proc/sys/net/ipv4`; [`settings`] keeps them and answers the hook.

#[path = "../tk/mod.rs"]
mod tk;

mod settings;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use settings::Settings;
use tk::{
    hooks::tcp,
    net_sysctl, //
};

module! {
    type: TcpTuning,
    name: "tcp_tuning",
    authors: ["The tkernel-rs authors"],
    description: "Settings of TCP for each network namespace (sysctl net.ipv4.tcp_*)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top: the numbers go when nobody asks for them any
/// more.
#[pin_data]
struct TcpTuning {
    sysctls: Pin<KBox<net_sysctl::Registration<Settings>>>,
    hook: Pin<KBox<tcp::Registration<Settings>>>,
}

impl kernel::InPlaceModule for TcpTuning {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let settings = Arc::new(Settings::new()?, GFP_KERNEL)?;
            let hook = KBox::pin_init(tcp::Registration::new(settings.clone()), GFP_KERNEL)?;
            let sysctls = KBox::pin_init(net_sysctl::Registration::new(settings), GFP_KERNEL)?;
            Ok(try_pin_init!(Self { sysctls, hook }? Error))
        })
    }
}
