// SPDX-License-Identifier: GPL-2.0

//! A container's memory.

use super::tk::{
    machine,
    memcg::{
        Item,
        MemCgroup, //
    },
    memory, //
};

/// Sizes in pages.
pub(crate) struct Memory {
    /// The least that the cgroup, one above, or the machine allows.
    pub(crate) total: usize,
    /// What of that it doesn't use.
    pub(crate) free: usize,
    pub(crate) swap_total: usize,
    pub(crate) swap_free: usize,
}

impl Memory {
    pub(crate) fn of(memcg: &MemCgroup) -> Self {
        let (host_swap, host_swap_free) = machine::swap();
        let total = least(memcg, memory::total_pages(), MemCgroup::max);
        let swap_total = least(memcg, host_swap, MemCgroup::swap_max);
        Self {
            total,
            free: total.saturating_sub(memcg.usage()),
            swap_total,
            swap_free: swap_total
                .saturating_sub(memcg.swap_usage())
                .min(host_swap_free),
        }
    }
}

fn least(memcg: &MemCgroup, host: usize, limit: fn(&MemCgroup) -> usize) -> usize {
    memcg.lineage().map(limit).fold(host, usize::min)
}

/// Pages that programs in the cgroup could have without swapping: the least of what each level
/// above has left, its caches included, and of what the machine has.
pub(crate) fn available(memcg: &MemCgroup) -> usize {
    memcg
        .lineage()
        .filter(|level| !level.is_unlimited())
        .map(|level| {
            let free = level.max().saturating_sub(level.usage());
            let caches = [Item::ActiveFile, Item::InactiveFile, Item::SlabReclaimable];
            let reclaimable: usize = caches.iter().map(|&item| level.get(item)).sum();
            (free + reclaimable).min(level.max())
        })
        .fold(machine::available_pages(), usize::min)
}
