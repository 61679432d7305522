// SPDX-License-Identifier: GPL-2.0

//! Container views: who reads `/proc` in a container sees the container's memory, CPUs, load and
//! uptime instead of the machine's.
//!
//! [`view`] says whose container it is. The numbers come from [`memory`], [`cpus`], [`times`] and
//! [`load`], the files are [`meminfo`], [`stat`], [`vmstat`], [`diskstats`] and the short ones in
//! [`files`]. What is kept for a cgroup is in [`groups`]. [`isolation`] answers the hook.

#[path = "../tk/mod.rs"]
mod tk;

mod cpus;
mod diskstats;
mod files;
mod group_files;
mod groups;
mod isolation;
mod load;
mod meminfo;
mod memory;
mod settings;
mod stat;
mod times;
mod view;
mod vmstat;

use isolation::Isolation;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use tk::{
    cgroup_files,
    delayed_work::DelayedWork,
    hooks::procview,
    sysctl, //
};

module! {
    type: CgroupIsolation,
    name: "cgroup_isolation",
    authors: ["The tkernel-rs authors"],
    description: "Shows each container its own /proc (sysctl kernel.stats_isolated)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top: first nobody can set anything any more, then
/// nobody is shown a view any more, then the loads are no longer sampled.
#[pin_data]
struct CgroupIsolation {
    sysctls: sysctl::Registration<Isolation>,
    files: group_files::Registrations,
    hook: Pin<KBox<procview::Registration<Isolation>>>,
    group_ends: cgroup_files::EndRegistration<Isolation>,
    sampling: DelayedWork<Isolation>,
    isolation: Arc<Isolation>,
}

impl kernel::InPlaceModule for CgroupIsolation {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let isolation = Arc::pin_init(Isolation::new()?, GFP_KERNEL)?;
            let sampling = DelayedWork::new(isolation.timer(), isolation.clone())?;
            let group_ends = cgroup_files::EndRegistration::new(isolation.clone())?;
            let hook = KBox::pin_init(procview::Registration::new(isolation.clone()), GFP_KERNEL)?;
            let files = group_files::Registrations::new(&isolation)?;
            let sysctls = sysctl::Registration::new(isolation.clone())?;
            Ok(try_pin_init!(Self {
                sysctls,
                files,
                hook,
                group_ends,
                sampling,
                isolation,
            }? Error))
        })
    }
}
