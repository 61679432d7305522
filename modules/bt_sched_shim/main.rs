// SPDX-License-Identifier: GPL-2.0

//! The offline scheduling class: tasks of policy `SCHED_BT` use the time that all others leave.
//!
//! The kernel has a slot for the class, which this module fills. [`offline`] is what it answers,
//! made of [`fairness`] between the tasks and groups of one CPU, [`placement`] of tasks on CPUs, and the
//! [`bandwidth`] that the class may have at most and shall have at least. What a group weighs is in
//! [`group_weight`], what it may have in [`group_limit`]. [`settings`] are the files in
//! `/proc/sys/kernel`, [`group_files`] those in cgroups, [`percent`] and [`stats`] those in `/proc`.

#[path = "../tk/mod.rs"]
mod tk;

mod bandwidth;
mod fairness;
mod group_files;
mod group_limit;
mod group_weight;
mod offline;
mod percent;
mod placement;
mod settings;
mod stats;

use kernel::{
    prelude::*,
    sync::Arc, //
};
use offline::Offline;
use stats::{
    Starvation,
    Stat, //
};
use tk::{
    hooks::sched_slot,
    proc_cpu_files,
    proc_file,
    sysctl, //
};

module! {
    type: BtSchedShim,
    name: "bt_sched_shim",
    authors: ["The tkernel-rs authors"],
    description: "Scheduling class for offline work, below all others (policy SCHED_BT)",
    license: "GPL",
    params: {
        leave_needs_cap: bool {
            default: false,
            description: "Only CAP_SYS_NICE may leave the policy (default: the owner too)",
        },
        policy7: bool {
            default: false,
            description: "Where the policy's number is 8, take 7 for it too while no sched_ext scheduler is loaded",
        },
    },
}

/// The loaded module. Fields are dropped from the top: first nobody can set or read anything any
/// more, then the tasks leave the class.
#[pin_data]
struct BtSchedShim {
    groups: group_files::Registrations,
    percent: proc_cpu_files::Registration<Offline>,
    sysctls: sysctl::Registration<Offline>,
    starvation: proc_file::Registration<Starvation>,
    stat: proc_file::Registration<Stat>,
    slot: Pin<KBox<sched_slot::Registration<Offline>>>,
}

impl kernel::InPlaceModule for BtSchedShim {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let offline = Arc::new(
                Offline::new(
                    *module_parameters::leave_needs_cap.value_ref(),
                    *module_parameters::policy7.value_ref(),
                )?,
                GFP_KERNEL,
            )?;
            offline.settings().apply();
            let slot = KBox::pin_init(sched_slot::Registration::new(offline.clone()), GFP_KERNEL)?;
            let stat = proc_file::Registration::new(Arc::new(Stat, GFP_KERNEL)?)?;
            let starvation =
                proc_file::Registration::new(Arc::new(Starvation(offline.clone()), GFP_KERNEL)?)?;
            let sysctls = sysctl::Registration::new(offline.clone())?;
            let percent = proc_cpu_files::Registration::new(offline.clone())?;
            let groups = group_files::Registrations::new(&offline)?;
            Ok(try_pin_init!(Self {
                groups,
                percent,
                sysctls,
                starvation,
                stat,
                slot,
            }? Error))
        })
    }
}
