// SPDX-License-Identifier: GPL-2.0

//! Memory cgroups.
//!
//! C header: [`include/linux/memcontrol.h`](srctree/include/linux/memcontrol.h)

use super::{
    bindings,
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
