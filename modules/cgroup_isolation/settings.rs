// SPDX-License-Identifier: GPL-2.0

//! What the administrator set, and the files in `/proc/sys/kernel`.

use super::{
    isolation::Isolation,
    tk::{
        capability::Capability,
        sysctl::{
            File,
            Sysctls, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// How many CPUs a container sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CpuPolicy {
    /// Those of its cpuset.
    Cpuset,
    /// As many of these as `cpu.max` is worth, rounded up.
    Smaller,
    /// As many as `cpu.max` is worth, or else those of its cpuset. It can't be shown more CPUs
    /// than there are.
    Quota,
}

impl CpuPolicy {
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Cpuset,
            2 => Self::Quota,
            _ => Self::Smaller,
        }
    }
}

/// The settings. Each is read by itself.
pub(crate) struct Settings {
    stats_isolated: Atomic<i32>,
    cpu_quota_aware: Atomic<i32>,
    show_real_numbers: Atomic<i32>,
    moves_boot: Atomic<i32>,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            stats_isolated: Atomic::new(1),
            cpu_quota_aware: Atomic::new(1),
            show_real_numbers: Atomic::new(0),
            moves_boot: Atomic::new(1),
        }
    }

    /// Whether there are views at all.
    pub(crate) fn is_isolated(&self) -> bool {
        self.stats_isolated.load(Relaxed) != 0
    }

    /// How many CPUs those see who have no policy of their own.
    pub(crate) fn cpu_policy(&self) -> CpuPolicy {
        CpuPolicy::from_number(self.cpu_quota_aware.load(Relaxed))
    }

    /// The number for [`CpuPolicy`].
    pub(crate) fn cpu_quota_aware(&self) -> i32 {
        self.cpu_quota_aware.load(Relaxed)
    }

    /// Whether CPUs keep the numbers that they have on the machine.
    pub(crate) fn shows_real_numbers(&self) -> bool {
        self.show_real_numbers.load(Relaxed) != 0
    }

    /// Whether a container has been booted when it began, so that `btime`, and what is counted from
    /// then, such as the start of a process, is its own.
    pub(crate) fn moves_boot(&self) -> bool {
        self.moves_boot.load(Relaxed) != 0
    }
}

impl Sysctls for Isolation {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[
        File::atomic(c"stats_isolated", 0..=1, |isolation| {
            &isolation.settings().stats_isolated
        }),
        File::atomic(c"container_cpuquota_aware", 0..=2, |isolation| {
            &isolation.settings().cpu_quota_aware
        }),
        File::atomic(c"cpuset_cpuinfo_show_realinfo", 0..=1, |isolation| {
            &isolation.settings().show_real_numbers
        }),
        File::atomic(c"container_btime_isolated", 0..=1, |isolation| {
            &isolation.settings().moves_boot
        }),
    ];
}
