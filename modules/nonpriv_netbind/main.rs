// SPDX-License-Identifier: GPL-2.0

//! Ports below 1024 that everybody may bind to.
//!
//! `/proc/tkernel/nonpriv_netbind` lists them; [`ports`] keeps them for each network namespace and
//! answers the hook, [`command`] is what may be written.

#[path = "../tk/mod.rs"]
mod tk;

mod command;
mod ports;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use ports::Ports;
use tk::{
    hooks::netbind,
    tkernel_file, //
};

module! {
    type: NonprivNetbind,
    name: "nonpriv_netbind",
    authors: ["The tkernel-rs authors"],
    description: "Lets everybody bind to listed ports (/proc/tkernel/nonpriv_netbind)",
    license: "GPL",
    params: {
        host_list_everywhere: bool {
            default: false,
            description: "The list of the initial network namespace holds in all (default: each has its own)",
        },
    },
}

/// The loaded module. Fields are dropped from the top: the lists go when nobody asks for them any
/// more.
#[pin_data]
struct NonprivNetbind {
    file: tkernel_file::Registration<Ports>,
    hook: Pin<KBox<netbind::Registration<Ports>>>,
}

impl kernel::InPlaceModule for NonprivNetbind {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let everywhere = *module_parameters::host_list_everywhere.value_ref();
            let ports = Arc::new(Ports::new(everywhere)?, GFP_KERNEL)?;
            let hook = KBox::pin_init(netbind::Registration::new(ports.clone()), GFP_KERNEL)?;
            let file = tkernel_file::Registration::new(ports)?;
            Ok(try_pin_init!(Self { file, hook }? Error))
        })
    }
}
