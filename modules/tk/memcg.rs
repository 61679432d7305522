// SPDX-License-Identifier: GPL-2.0

//! Memory cgroups.
//!
//! C header: [`include/linux/memcontrol.h`](srctree/include/linux/memcontrol.h)

use super::{
    bindings,
    cgroup::Cgroup,
    memory::Node, //
};
use core::ptr::NonNull;
use kernel::{
    page::PAGE_SIZE,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque,
};

/// A memory cgroup.
#[repr(transparent)]
pub(crate) struct MemCgroup(Opaque<bindings::mem_cgroup>);

// SAFETY: What is used of it here doesn't depend on the thread.
unsafe impl Send for MemCgroup {}
// SAFETY: As above; what changes is read atomically.
unsafe impl Sync for MemCgroup {}

// SAFETY: The functions count the references of the cgroup's css, which keep it.
unsafe impl AlwaysRefCounted for MemCgroup {
    fn inc_ref(&self) {
        // SAFETY: A reference exists.
        unsafe { bindings::tk_helper_memcg_get(self.as_ptr()) };
    }

    unsafe fn dec_ref(this: NonNull<Self>) {
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::tk_helper_memcg_put(this.as_ptr().cast()) };
    }
}

/// Whether there are none on this machine, as with `cgroup_disable=memory`.
pub(crate) fn are_disabled() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_memcg_disabled() }
}

impl MemCgroup {
    /// What counts as no limit: as many pages as have bytes that fit into a `long`.
    const UNLIMITED: usize = isize::MAX as usize / PAGE_SIZE;

    /// # Safety
    ///
    /// `ptr` is a memory cgroup to which there is a reference for the lifetime of the result.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::mem_cgroup) -> &'a Self {
        // SAFETY: The caller's promise; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::mem_cgroup {
        self.0.get()
    }

    /// The cgroup that page cache made by the current task is charged to, if there are any.
    pub(crate) fn of_current_charges() -> Option<ARef<Self>> {
        // SAFETY: A null pointer means the current task.
        let ptr = unsafe { bindings::get_mem_cgroup_from_mm(core::ptr::null_mut()) };
        // SAFETY: The reference becomes the result's.
        NonNull::new(ptr.cast()).map(|ptr| unsafe { ARef::from_raw(ptr) })
    }

    /// Its cgroup.
    pub(crate) fn cgroup(&self) -> &Cgroup {
        // SAFETY: The memory cgroup is valid, and holds a reference to its cgroup.
        unsafe { Cgroup::from_raw(bindings::tk_helper_memcg_cgroup(self.as_ptr())) }
    }

    /// The cgroup above.
    pub(crate) fn parent(&self) -> Option<&Self> {
        // SAFETY: The cgroup is valid.
        let parent = unsafe { bindings::tk_helper_memcg_parent(self.as_ptr()) };
        // SAFETY: A cgroup holds a reference to its parent.
        (!parent.is_null()).then(|| unsafe { Self::from_raw(parent) })
    }

    /// The number of its cgroup, which no other one has had or will have. Of a cgroup whose memory
    /// controller was switched off and on again there are two, one after the other.
    pub(crate) fn cgroup_id(&self) -> u64 {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_memcg_cgroup_id(self.as_ptr()) }
    }

    /// A number that no other cgroup has had or will have.
    pub(crate) fn serial(&self) -> u64 {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_memcg_serial(self.as_ptr()) }
    }

    /// `memory.max` in pages; far more than there can be if there is no limit.
    pub(crate) fn max(&self) -> usize {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_memcg_max(self.as_ptr()) }
    }

    /// Whether there is no `memory.max`.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.max() >= Self::UNLIMITED
    }

    /// `memory.current` in pages: all memory that is charged to it and to those below.
    pub(crate) fn usage(&self) -> usize {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_memcg_usage(self.as_ptr()) }
    }

    /// How many pages of files of it and of those below are in a node's lists. Takes time in
    /// proportion to how many are below. May sleep.
    pub(crate) fn file_pages(&self, node: Node) -> usize {
        // SAFETY: The cgroup is valid, and there is a reference.
        unsafe { bindings::tkernel_file_pages(self.as_ptr(), node.as_raw()) }
    }
}

/// A number that is kept for a memory cgroup and those below: in pages but for
/// [`Item::KernelStack`].
#[derive(Clone, Copy)]
pub(crate) enum Item {
    InactiveAnon,
    ActiveAnon,
    InactiveFile,
    ActiveFile,
    Unevictable,
    Anon,
    Mapped,
    File,
    SwapCache,
    Dirty,
    Writeback,
    Shmem,
    SlabReclaimable,
    SlabUnreclaimable,
    /// In kB.
    KernelStack,
    PageTables,
    SecondaryPageTables,
    AnonThp,
    ShmemThp,
    FileThp,
    Vmalloc,
    PerCpu,
    Zswap,
    Zswapped,
}

/// Sizes in pages. A limit that isn't set is far more than there can be.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// `memory.max`.
    pub(crate) max: usize,
    /// `memory.current`.
    pub(crate) usage: usize,
    /// `memory.swap.max`.
    pub(crate) swap_max: usize,
    /// `memory.swap.current`.
    pub(crate) swap_usage: usize,
}

impl MemCgroup {
    /// Brings [`MemCgroup::get`] up to date, unless too little changed to matter. May sleep.
    pub(crate) fn flush(&self) {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::mem_cgroup_flush_stats(self.as_ptr()) };
    }

    /// A number that is kept for it and those below, as of the last flush.
    pub(crate) fn get(&self, item: Item) -> usize {
        let (index, unit) = match item {
            Item::InactiveAnon => (bindings::node_stat_item_NR_INACTIVE_ANON, 1),
            Item::ActiveAnon => (bindings::node_stat_item_NR_ACTIVE_ANON, 1),
            Item::InactiveFile => (bindings::node_stat_item_NR_INACTIVE_FILE, 1),
            Item::ActiveFile => (bindings::node_stat_item_NR_ACTIVE_FILE, 1),
            Item::Unevictable => (bindings::node_stat_item_NR_UNEVICTABLE, 1),
            Item::Anon => (bindings::node_stat_item_NR_ANON_MAPPED, 1),
            Item::Mapped => (bindings::node_stat_item_NR_FILE_MAPPED, 1),
            Item::File => (bindings::node_stat_item_NR_FILE_PAGES, 1),
            Item::SwapCache => (bindings::node_stat_item_NR_SWAPCACHE, 1),
            Item::Dirty => (bindings::node_stat_item_NR_FILE_DIRTY, 1),
            Item::Writeback => (bindings::node_stat_item_NR_WRITEBACK, 1),
            Item::Shmem => (bindings::node_stat_item_NR_SHMEM, 1),
            Item::SlabReclaimable => (bindings::node_stat_item_NR_SLAB_RECLAIMABLE_B, PAGE_SIZE),
            Item::SlabUnreclaimable => {
                (bindings::node_stat_item_NR_SLAB_UNRECLAIMABLE_B, PAGE_SIZE)
            }
            Item::KernelStack => (bindings::node_stat_item_NR_KERNEL_STACK_KB, 1),
            Item::PageTables => (bindings::node_stat_item_NR_PAGETABLE, 1),
            Item::SecondaryPageTables => (bindings::node_stat_item_NR_SECONDARY_PAGETABLE, 1),
            Item::AnonThp => (bindings::node_stat_item_NR_ANON_THPS, 1),
            Item::ShmemThp => (bindings::node_stat_item_NR_SHMEM_THPS, 1),
            Item::FileThp => (bindings::node_stat_item_NR_FILE_THPS, 1),
            Item::Vmalloc => (bindings::node_stat_item_NR_VMALLOC, 1),
            Item::PerCpu => (bindings::memcg_stat_item_MEMCG_PERCPU_B, PAGE_SIZE),
            Item::Zswap => (bindings::memcg_stat_item_MEMCG_ZSWAP_B, PAGE_SIZE),
            Item::Zswapped => (bindings::memcg_stat_item_MEMCG_ZSWAPPED, 1),
        };
        // SAFETY: The cgroup is valid.
        unsafe { bindings::memcg_page_state(self.as_ptr(), index as i32) / unit }
    }

    /// Its limits, and what it and those below use of them.
    pub(crate) fn limits(&self) -> Limits {
        // SAFETY: The cgroup is valid.
        let limits = unsafe { bindings::tk_helper_memcg_limits(self.as_ptr()) };
        Limits {
            max: limits.max,
            usage: limits.usage,
            swap_max: limits.swap_max,
            swap_usage: limits.swap_usage,
        }
    }

    /// `memory.swap.current` in pages.
    pub(crate) fn swap_usage(&self) -> usize {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_memcg_swap_usage(self.as_ptr()) }
    }

    /// The cgroup and those above, but for the root.
    pub(crate) fn lineage(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |memcg| memcg.parent())
            .take_while(|memcg| memcg.parent().is_some())
    }
}
