// SPDX-License-Identifier: GPL-2.0

//! Whose container the reader is in.
//!
//! It is always the reader's own, whoever opened the file: the cgroup at the root of its cgroup
//! namespace; or else, in a pid namespace, the cgroup of the init process there. Who is in neither
//! sees the machine.

use super::{
    cpus::Shown,
    groups::{
        Group,
        Setting, //
    },
    isolation::Isolation,
    settings::CpuPolicy,
    tk::{
        cgroup::{
            Cgroup,
            Controlled,
            Memory, //
        },
        machine, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// What is seen of a container.
pub(crate) struct View<'a> {
    isolation: &'a Isolation,
    group: Arc<Group>,
    /// When its time began, in nanoseconds since boot.
    start: i64,
}

/// Whether current is in a container, if it is shown it or not.
pub(crate) fn is_in_container() -> bool {
    cgroup_of_reader().is_some()
}

fn cgroup_of_reader() -> Option<ARef<Cgroup>> {
    Cgroup::root_of_namespace().or_else(Cgroup::of_init)
}

impl<'a> View<'a> {
    /// What current is to see. [`None`] if it is to see the machine, or for lack of memory. May
    /// sleep.
    pub(crate) fn of_reader(isolation: &'a Isolation) -> Option<Self> {
        if !isolation.settings().is_isolated() {
            return None;
        }
        let cgroup = cgroup_of_reader()?;
        let groups = isolation.groups();
        if groups.setting(&cgroup, Setting::StatsIsolated) == Some(0) {
            return None;
        }
        let group = groups.get_or_add(&cgroup).ok()?;
        // A time namespace says itself when time began.
        let start = match machine::time_namespace_offset() {
            Some(offset) => -offset,
            None => {
                let start = cgroup
                    .pid_namespace_start()
                    .unwrap_or_else(|| group.start());
                i64::try_from(start).ok()?
            }
        };
        Some(Self {
            isolation,
            group,
            start,
        })
    }

    /// What is seen of a cgroup in its own files. May sleep.
    pub(crate) fn of_cgroup(isolation: &'a Isolation, cgroup: &Cgroup) -> Result<Self> {
        let group = isolation.groups().get_or_add(cgroup)?;
        Ok(Self {
            isolation,
            start: i64::try_from(group.start())?,
            group,
        })
    }

    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    pub(crate) fn cgroup(&self) -> &Cgroup {
        self.group.cgroup()
    }

    /// When its time began, in nanoseconds since boot. Below 0 for who was moved here with its
    /// time.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// When the container was booted, if anybody asks: nanoseconds since the machine was. 0 if
    /// that is not to be told apart.
    pub(crate) fn boot(&self) -> i64 {
        if self.isolation.settings().moves_boot() {
            self.start
        } else {
            self.start.min(0)
        }
    }

    /// How long ago its time began, in nanoseconds.
    pub(crate) fn uptime(&self) -> u64 {
        self.uptime_at(machine::boot_time())
    }

    /// The same for who knows how many nanoseconds since boot it is.
    pub(crate) fn uptime_at(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.start.saturating_neg())
    }

    /// Its memory, if the memory controller is on for it or for one above.
    pub(crate) fn memory(&self) -> Option<Controlled<Memory>> {
        self.cgroup()
            .controlled::<Memory>()
            .filter(|memory| !memory.is_root())
    }

    /// Its CPUs. May sleep.
    pub(crate) fn cpus(&self) -> Result<Shown> {
        let settings = self.isolation.settings();
        let policy = self
            .isolation
            .groups()
            .setting(self.cgroup(), Setting::QuotaAware)
            .map_or(settings.cpu_policy(), CpuPolicy::from_number);
        Shown::of(self.cgroup(), policy, settings.shows_real_numbers())
    }

    /// Its load averages, in parts of [`super::load::ONE`]. From now on they are kept. May sleep.
    pub(crate) fn load(&self) -> [u64; 3] {
        let (averages, begins) = self.group.load.lock().read(|| {
            self.cgroup().flush_cpu_time();
            (self.cgroup().cpu_time(None).exec, self.uptime())
        });
        // Without memory for it the averages stay as they are; the next reader tries again.
        if begins && self.isolation.watch(&self.group).is_err() {
            self.group.load.lock().forget();
        }
        averages
    }
}
