// SPDX-License-Identifier: GPL-2.0

//! Page cache limit: file cache is held under a limit, so that it can't take the memory that
//! others need at once.
//!
//! What the administrator sets ([`sysctls`], [`settings`]) makes a limit, which what is [counted]
//! is compared with. The [`limiter`] hears of each insertion into the page cache and decides who
//! makes room, when and how much; a [`reclaimer`] for each node makes it. [`stats`] counts what
//! all this did.
//!
//! [counted]: usage

#[path = "../tk/mod.rs"]
mod tk;

mod control;
mod group_files;
mod groups;
mod limiter;
mod pool;
mod reclaimer;
mod settings;
mod stats;
mod sysctls;
mod usage;

use control::Control;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use limiter::Limiter;
use tk::{
    cgroup_files,
    delayed_work::DelayedWork,
    hooks::pagecache,
    memcg,
    proc_file,
    sysctl, //
};

module! {
    type: PcLimit,
    name: "pclimit",
    authors: ["The tkernel-rs authors"],
    description: "Holds the page cache under a limit (sysctl vm.pagecache_limit_*)",
    license: "GPL",
}

/// The loaded module. Fields are dropped from the top: first nothing can be set any more, then the
/// thread and the work end, then nobody is held up any more.
#[pin_data(PinnedDrop)]
struct PcLimit {
    sysctls: sysctl::Registration<Control>,
    group_files: cgroup_files::Registration<Limiter>,
    group_ends: cgroup_files::EndRegistration<Limiter>,
    stats: proc_file::Registration<Limiter>,
    control: Arc<Control>,
    trim: DelayedWork<Limiter>,
    hook: Pin<KBox<pagecache::Registration<Limiter>>>,
    limiter: Arc<Limiter>,
}

impl kernel::InPlaceModule for PcLimit {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            if memcg::are_disabled() {
                // The kernel's reclaim of files walks through them, and would find nothing.
                pr_err!("needs the memory controller, which cgroup_disable=memory turns off\n");
                return Err(EOPNOTSUPP);
            }
            let limiter = Arc::pin_init(Limiter::new()?, GFP_KERNEL)?;
            let trim = DelayedWork::new(limiter.timer(), limiter.clone())?;
            let hook = KBox::pin_init(pagecache::Registration::new(limiter.clone()), GFP_KERNEL)?;
            let control = Arc::pin_init(Control::new(limiter.clone()), GFP_KERNEL)?;
            let stats = proc_file::Registration::new(limiter.clone())?;
            let group_ends = cgroup_files::EndRegistration::new(limiter.clone())?;
            let group_files = cgroup_files::Registration::new(limiter.clone())?;
            let sysctls = sysctl::Registration::new(control.clone())?;
            Ok(try_pin_init!(Self {
                sysctls,
                group_files,
                group_ends,
                stats,
                control,
                trim,
                hook,
                limiter,
            }? Error))
        })
    }
}

#[pinned_drop]
impl PinnedDrop for PcLimit {
    fn drop(self: Pin<&mut Self>) {
        // Whoever waits inside the hook, or in a write to a sysctl, goes on.
        self.limiter.retire();
    }
}
