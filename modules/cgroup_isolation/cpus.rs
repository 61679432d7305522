// SPDX-License-Identifier: GPL-2.0

//! A container's CPUs.

use super::{
    settings::CpuPolicy,
    tk::{
        cgroup::{
            Cgroup,
            Cpu,
            Cpuset, //
        },
        cpus,
        hooks::procview::ShownCpu, //
    },
};
use kernel::{
    cpu::CpuId,
    cpumask::CpumaskVar,
    prelude::*, //
};

/// The CPUs that a container is shown.
pub(crate) struct Shown {
    usable: CpumaskVar,
    /// How many it may use.
    usable_count: u32,
    /// How many of these it is shown, from the lowest, at least one.
    count: u32,
    keeps_numbers: bool,
}

impl Shown {
    /// Those of a cgroup. May sleep.
    pub(crate) fn of(cgroup: &Cgroup, policy: CpuPolicy, keeps_numbers: bool) -> Result<Self> {
        let quota = match policy {
            CpuPolicy::Cpuset => None,
            CpuPolicy::Smaller | CpuPolicy::Quota => worth(cgroup),
        };
        let mut usable = CpumaskVar::new_zero(GFP_KERNEL)?;
        let is_known = !(policy == CpuPolicy::Quota && quota.is_some())
            && cgroup
                .controlled::<Cpuset>()
                .is_some_and(|cpuset| cpuset.cpus(&mut usable));
        // A cpuset may have none for a moment, when CPUs go offline.
        if !is_known {
            cpus::online(&mut usable);
        }
        let usable_count = usable.weight().max(1);
        Ok(Self {
            usable,
            usable_count,
            count: quota.unwrap_or(usable_count).clamp(1, usable_count),
            keeps_numbers,
        })
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether these are all that it may use.
    pub(crate) fn are_all(&self) -> bool {
        self.count == self.usable_count
    }

    /// All that it may use.
    pub(crate) fn usable(&self) -> impl Iterator<Item = CpuId> + '_ {
        cpus::iter(&self.usable)
    }

    /// What `/proc/cpuinfo` says about one of them.
    pub(crate) fn described(&self, cpu: CpuId, number: u32) -> ShownCpu {
        let (siblings, cores) = cpus::neighbours(&self.usable, self.count, cpu);
        ShownCpu {
            cpu,
            number,
            siblings,
            cores,
        }
    }

    /// They, and the numbers they are shown with.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CpuId, u32)> + '_ {
        cpus::iter(&self.usable)
            .zip(0..self.count)
            .map(|(cpu, index)| {
                let number = if self.keeps_numbers {
                    cpu.as_u32()
                } else {
                    index
                };
                (cpu, number)
            })
    }
}

/// How many CPUs `cpu.max` of the cgroup and those above is worth: rounded up, the least of all.
/// [`None`] if there is none.
fn worth(cgroup: &Cgroup) -> Option<u32> {
    cgroup
        .lineage()
        .filter_map(|level| level.controlled::<Cpu>()?.bandwidth())
        .map(|(quota, period)| u32::try_from(quota.div_ceil(period)).unwrap_or(u32::MAX))
        .min()
}
