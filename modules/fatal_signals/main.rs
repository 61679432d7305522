// SPDX-License-Identifier: GPL-2.0

//! Who sends signals that make a process dump core, and to whom: in the kernel's log.
//!
//! `kernel.print-fatal-signals-src-dst` switches it on. [`reports`] hears of signals, and prints
//! what it heard from a worker: a line on a slow console takes longer than a signal may.

#[path = "../tk/mod.rs"]
mod tk;

mod reports;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use reports::Reports;
use tk::{
    delayed_work::DelayedWork,
    hooks::signal,
    sysctl, //
};

module! {
    type: FatalSignals,
    name: "fatal_signals",
    authors: ["The tkernel-rs authors"],
    description: "Logs who sends fatal signals (sysctl kernel.print-fatal-signals-src-dst)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top: first nothing is heard any more, then the
/// worker ends.
#[pin_data]
struct FatalSignals {
    sysctls: sysctl::Registration<Reports>,
    hook: Pin<KBox<signal::Registration<Reports>>>,
    printing: DelayedWork<Reports>,
}

impl kernel::InPlaceModule for FatalSignals {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let reports = Arc::pin_init(Reports::new()?, GFP_KERNEL)?;
            let printing = DelayedWork::new(reports.timer(), reports.clone())?;
            let hook = KBox::pin_init(signal::Registration::new(reports.clone()), GFP_KERNEL)?;
            let sysctls = sysctl::Registration::new(reports)?;
            Ok(try_pin_init!(Self {
                sysctls,
                hook,
                printing,
            }? Error))
        })
    }
}
