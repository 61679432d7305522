// SPDX-License-Identifier: GPL-2.0

//! The machine's memory: nodes, counters, and what an allocation may do.
//!
//! C headers: [`include/linux/vmstat.h`](srctree/include/linux/vmstat.h),
//! [`include/linux/nodemask.h`](srctree/include/linux/nodemask.h),
//! [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use super::bindings;
use kernel::{
    ffi::c_int,
    page::PAGE_SIZE, //
};

/// A NUMA node that has, or had, memory.
///
/// # Invariants
///
/// The number of a node whose `pglist_data` exists. Those are never freed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(c_int);

impl Node {
    /// # Safety
    ///
    /// `nid` is the number of a node that has been online.
    pub(super) unsafe fn from_raw(nid: c_int) -> Self {
        // INVARIANT: The caller's promise.
        Self(nid)
    }

    pub(super) fn as_raw(self) -> c_int {
        self.0
    }

    /// Its number, below [`Node::limit`].
    pub(crate) fn number(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// How many nodes there can be while the machine runs.
    pub(crate) fn limit() -> usize {
        // SAFETY: No requirements.
        usize::try_from(unsafe { bindings::tk_helper_nr_node_ids() }).unwrap_or(1)
    }

    /// The nodes that have memory, or may get some while the machine runs.
    pub(crate) fn possible() -> impl Iterator<Item = Self> {
        let mut next = -1;
        core::iter::from_fn(move || {
            // SAFETY: No requirements.
            next = unsafe { bindings::tk_helper_next_possible_node(next) };
            // INVARIANT: At boot each possible node gets a `pglist_data`.
            (next >= 0).then_some(Self(next))
        })
    }

    /// The nodes that have memory now.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let mut next = -1;
        core::iter::from_fn(move || {
            // SAFETY: No requirements.
            next = unsafe { bindings::tk_helper_next_memory_node(next) };
            // INVARIANT: A node with memory has a `pglist_data`.
            (next >= 0).then_some(Self(next))
        })
    }

    /// How many pages of files are in the node's lists.
    pub(crate) fn file_pages(self) -> usize {
        // SAFETY: The node has a `pglist_data` by the type's invariant.
        unsafe { bindings::tk_helper_node_file_pages(self.0) }
    }
}

/// Counters of the whole machine, in pages. Each CPU adds what it counted from time to time, so
/// each may be off by up to 125 pages for each CPU.
#[derive(Clone, Copy)]
pub(crate) struct Counters {
    /// Page cache, tmpfs and the swap cache.
    pub(crate) file: usize,
    /// What of it reclaim can take, but for tmpfs and the swap cache, which are in other lists:
    /// neither locked in memory nor without a disk.
    pub(crate) file_lru: usize,
    /// Of `file`, tmpfs and shared memory.
    pub(crate) shmem: usize,
    /// Of `file`, the swap cache.
    pub(crate) swap_cache: usize,
    /// Of `file`, changed and neither written nor being written.
    pub(crate) dirty: usize,
    /// Being written.
    pub(crate) writeback: usize,
    /// Slab memory, reclaimable or not.
    pub(crate) slab: usize,
}

impl Counters {
    /// Reads them.
    pub(crate) fn read() -> Self {
        // SAFETY: No requirements.
        let counters = unsafe { bindings::tk_helper_memory_counters() };
        Self {
            file: counters.file,
            file_lru: counters.file_lru,
            shmem: counters.shmem,
            swap_cache: counters.swap_cache,
            dirty: counters.dirty,
            writeback: counters.writeback,
            slab: counters.slab,
        }
    }
}

/// The machine's memory that the kernel manages, in pages. Changes with memory hotplug.
pub(crate) fn total_pages() -> usize {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_totalram_pages() }
}

/// How many CPUs are online.
pub(crate) fn online_cpus() -> usize {
    // SAFETY: No requirements.
    usize::try_from(unsafe { bindings::tk_helper_online_cpus() }).unwrap_or(1)
}

/// Pages that hold `bytes`, rounded down.
pub(crate) fn bytes_to_pages(bytes: usize) -> usize {
    bytes / PAGE_SIZE
}

/// Bytes in `pages`.
pub(crate) fn pages_to_bytes(pages: usize) -> usize {
    pages.saturating_mul(PAGE_SIZE)
}

/// What an allocation may do.
#[derive(Clone, Copy)]
pub(crate) struct Gfp(bindings::gfp_t);

impl Gfp {
    /// In process context, with no locks that matter.
    pub(crate) const KERNEL: Self = Self(bindings::GFP_KERNEL);

    pub(super) fn from_raw(gfp: bindings::gfp_t) -> Self {
        Self(gfp)
    }

    pub(super) fn as_raw(self) -> bindings::gfp_t {
        self.0
    }

    /// Whether one may sleep.
    pub(crate) fn may_block(self) -> bool {
        self.0 & (1 << bindings::___GFP_DIRECT_RECLAIM_BIT) != 0
    }

    /// Whether one may start I/O, and wait for it.
    pub(crate) fn may_do_io(self) -> bool {
        self.may_block() && self.0 & (1 << bindings::___GFP_IO_BIT) != 0
    }

    /// Whether it is for something that write(2) is about to make dirty. No memory map is locked
    /// then, as it is in a page fault.
    pub(crate) fn is_for_write(self) -> bool {
        self.0 & (1 << bindings::___GFP_WRITE_BIT) != 0
    }
}
