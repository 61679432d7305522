// SPDX-License-Identifier: GPL-2.0

//! Freeing page cache: the primitive of `hooks.patch`.
//!
//! C header: `include/linux/tkernel/pagecache.h`

use super::{
    bindings,
    memcg::MemCgroup,
    memory::{
        Gfp,
        Node, //
    },
};
use core::cell::UnsafeCell;
use kernel::sync::aref::ARef;

/// What may be freed beyond clean and unmapped folios that were used once. Each includes those
/// before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Nothing.
    Cold,
    /// Folios that were used again.
    Active,
    /// Folios that are mapped by a process.
    Mapped,
    /// Dirty folios: they are written first, and freed by a later call.
    Dirty,
}

/// What came of it, in pages.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reclaimed {
    /// Freed.
    pub(crate) freed: usize,
    /// Looked at.
    pub(crate) scanned: usize,
    /// Of those, tried: they were as the depth wants them, but for what shows only at a closer look.
    pub(crate) taken: usize,
    /// Of those, found dirty or under writeback.
    pub(crate) dirty: usize,
    /// How often the walk came by its end. In each turn it looks at a part of all there is.
    pub(crate) turns: u32,
}

impl Reclaimed {
    /// Pages that were tried and clean, so that they might have been freed.
    pub(crate) fn tried(&self) -> usize {
        self.taken.saturating_sub(self.dirty)
    }
}

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// How many pages to free.
    pub(crate) free: usize,
    /// How many pages to look at, at most.
    pub(crate) scan: usize,
    /// What may be freed.
    pub(crate) depth: Depth,
    /// Whether to shrink slab caches as well; what they free counts.
    pub(crate) slab: bool,
    /// What the caller may do.
    pub(crate) gfp: Gfp,
}

/// A walk over the cgroups of one node, or of a subtree of them there, from which page cache is
/// taken in turn and in proportion to what each has.
///
/// # Invariants
///
/// `place` is used with `node` and `root` only.
pub(crate) struct Walk {
    node: Node,
    root: Option<ARef<MemCgroup>>,
    place: UnsafeCell<bindings::tkernel_reclaim_walk>,
}

// SAFETY: A reference to a cgroup may be dropped by another thread.
unsafe impl Send for Walk {}

impl Walk {
    /// A walk over all cgroups, or those below `root`, which is one of them.
    pub(crate) fn new(node: Node, root: Option<ARef<MemCgroup>>) -> Self {
        // INVARIANT: Not used yet.
        Self {
            node,
            root,
            place: UnsafeCell::new(bindings::tkernel_reclaim_walk::default()),
        }
    }

    /// Frees page cache where the walk is, and goes on.
    ///
    /// Does nothing if the request may not sleep, or if the current task reclaims already. Takes
    /// nothing from cgroups below their `memory.low`.
    pub(crate) fn reclaim(&mut self, request: &Request) -> Reclaimed {
        let mut flags = 0;
        for (depth, flag) in [
            (
                Depth::Active,
                bindings::tkernel_reclaim_flags_TKERNEL_RECLAIM_ACTIVE,
            ),
            (
                Depth::Mapped,
                bindings::tkernel_reclaim_flags_TKERNEL_RECLAIM_UNMAP,
            ),
            (
                Depth::Dirty,
                bindings::tkernel_reclaim_flags_TKERNEL_RECLAIM_WRITE,
            ),
        ] {
            if request.depth >= depth {
                flags |= flag;
            }
        }
        if request.slab {
            flags |= bindings::tkernel_reclaim_flags_TKERNEL_RECLAIM_SLAB;
        }
        let mut raw = bindings::tkernel_reclaim {
            nid: self.node.as_raw(),
            root: self.root_ptr(),
            walk: self.place.get(),
            nr_to_reclaim: request.free,
            nr_to_scan: request.scan,
            gfp: request.gfp.as_raw(),
            flags,
            ..Default::default()
        };
        // SAFETY: All pointers are valid; nobody else uses the walk, since it is borrowed.
        let freed = unsafe { bindings::tkernel_reclaim_file(&mut raw) };
        Reclaimed {
            freed,
            scanned: raw.nr_scanned,
            taken: raw.nr_taken,
            dirty: raw.nr_dirty,
            turns: raw.turns,
        }
    }

    /// Gives up the place, and with it the reference to the cgroup there.
    // Else it would be in every module, and each would need the kernel's function.
    #[inline]
    pub(crate) fn rest(&mut self) {
        // SAFETY: By the type's invariant it is this walk's root.
        unsafe { bindings::tkernel_reclaim_end(self.root_ptr(), self.place.get()) };
    }

    fn root_ptr(&self) -> *mut bindings::mem_cgroup {
        self.root
            .as_ref()
            .map_or(core::ptr::null_mut(), |root| root.as_ptr())
    }
}

impl Drop for Walk {
    // As rest().
    #[inline]
    fn drop(&mut self) {
        self.rest();
    }
}
