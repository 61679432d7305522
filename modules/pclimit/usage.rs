// SPDX-License-Identifier: GPL-2.0

//! What counts against the limit.

use super::{
    settings::Brief,
    tk::memory::Counters, //
};

/// Pages that count, and those that will.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// What files have in the page cache and what reclaim could take, as far as it counts now.
    ///
    /// Mapped pages count. tmpfs, the swap cache, and what is locked in memory don't. What is dirty
    /// or being written counts as far as `pagecache_limit_ignore_dirty` says; slab memory only if
    /// `pagecache_limit_ignore_slab` is 0.
    pub(crate) now: usize,
    /// What is dirty or being written and doesn't count yet: it will when the disk has it.
    pub(crate) soon: usize,
    /// Of that, what the disk is at.
    pub(crate) imminent: usize,
}

impl Usage {
    /// Reads the machine's counters.
    pub(crate) fn read(settings: Brief) -> Self {
        let counters = Counters::read();
        let files = counters
            .file
            .saturating_sub(counters.shmem)
            .saturating_sub(counters.swap_cache)
            .min(counters.file_lru);
        let part = settings.ignored_dirty_part();
        let ignored = |pages: usize| pages.checked_div(part).unwrap_or(0).min(files);
        let soon = ignored(counters.dirty.saturating_add(counters.writeback));
        let slab = if settings.counts_slab() {
            counters.slab
        } else {
            0
        };
        Self {
            now: (files - soon).saturating_add(slab),
            soon,
            imminent: ignored(counters.writeback),
        }
    }
}
