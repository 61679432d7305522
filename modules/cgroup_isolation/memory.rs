// SPDX-License-Identifier: GPL-2.0

//! A container's memory.

use super::tk::{
    machine,
    memcg::{
        Item,
        Limits,
        MemCgroup, //
    },
    memory, //
};

/// Sizes in pages.
pub(crate) struct Memory {
    /// The least that the cgroup, one above, or the machine allows.
    pub(crate) total: usize,
    /// The least that is left at the cgroup or one above, and no more than the machine could give.
    pub(crate) free: usize,
    pub(crate) swap_total: usize,
    pub(crate) swap_free: usize,
}

impl Memory {
    pub(crate) fn of(memcg: &MemCgroup) -> Self {
        let (swap_total, swap_free) = machine::swap();
        let total = memory::total_pages();
        let mut this = Self {
            total,
            free: total,
            swap_total,
            swap_free,
        };
        for level in memcg.lineage() {
            let Limits {
                max,
                usage,
                swap_max,
                swap_usage,
            } = level.limits();
            this.total = this.total.min(max);
            this.free = this.free.min(max.min(total).saturating_sub(usage));
            this.swap_total = this.swap_total.min(swap_max);
            this.swap_free = this.swap_free.min(swap_max.saturating_sub(swap_usage));
        }
        // What the machine could give takes time to find out, and is rarely less.
        if this.free > machine::free_pages() / 2 {
            this.free = this.free.min(machine::available_pages());
        }
        this
    }
}

/// Pages that programs in the cgroup could have without swapping: the least of what each level
/// above has left, its caches included, and of what the machine has.
pub(crate) fn available(memcg: &MemCgroup) -> usize {
    memcg
        .lineage()
        .filter(|level| !level.is_unlimited())
        .map(|level| {
            let Limits { max, usage, .. } = level.limits();
            let caches = [Item::ActiveFile, Item::InactiveFile, Item::SlabReclaimable];
            let reclaimable: usize = caches.iter().map(|&item| level.get(item)).sum();
            (max.saturating_sub(usage) + reclaimable).min(max)
        })
        .fold(machine::available_pages(), usize::min)
}
