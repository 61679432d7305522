// SPDX-License-Identifier: GPL-2.0

//! The hook where the page cache grows.
//!
//! C header: `include/linux/tkernel/pagecache.h`

use super::{
    super::{
        bindings,
        memory::{
            Gfp,
            Node, //
        },
    },
    RawHook, //
};
use kernel::ffi::{
    c_int,
    c_ulong,
    c_void, //
};

/// Hears of the page cache's growth.
pub(crate) trait PagecacheHook: Send + Sync {
    /// Called before a folio of `pages` becomes part of a file's page cache. Returns whether
    /// [`PagecacheHook::insert`] is to be called.
    ///
    /// Context: preemption off.
    fn check(&self, pages: usize) -> bool;

    /// May take time to make room.
    ///
    /// Context: process context, may sleep if the growth's `gfp` allows it. Locks of the
    /// filesystem, the inode and the memory map may be held.
    fn insert(&self, growth: Growth);

    /// Called when kswapd of a node begins to work.
    ///
    /// Context: kswapd, may sleep.
    fn balance(&self, node: Node);
}

/// A folio that is about to become part of the page cache.
#[derive(Clone, Copy)]
pub(crate) struct Growth {
    /// Where the folio is.
    pub(crate) node: Node,
    /// How large it is.
    pub(crate) pages: usize,
    /// Whether it is charged to no cgroup, as metadata of filesystems.
    pub(crate) kernel_file: bool,
    /// What the caller may do.
    pub(crate) gfp: Gfp,
}

/// Holds the pagecache hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The pagecache hook.
pub(crate) struct Hook;

// SAFETY: The ops get back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: PagecacheHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_pagecache_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            check: Some(check::<T>),
            insert: Some(insert::<T>),
            balance: Some(balance::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_pagecache_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_pagecache_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration.
unsafe extern "C" fn check<T: PagecacheHook>(nr_pages: c_ulong, data: *mut c_void) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let this = unsafe { &*data.cast::<T>() };
    this.check(nr_pages)
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `nid` a node that is online.
unsafe extern "C" fn insert<T: PagecacheHook>(
    nid: c_int,
    nr_pages: c_ulong,
    kernel_file: bool,
    gfp: bindings::gfp_t,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, node) = unsafe { (&*data.cast::<T>(), Node::from_raw(nid)) };
    this.insert(Growth {
        node,
        pages: nr_pages,
        kernel_file,
        gfp: Gfp::from_raw(gfp),
    });
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `nid` a node that is online.
unsafe extern "C" fn balance<T: PagecacheHook>(nid: c_int, data: *mut c_void) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, node) = unsafe { (&*data.cast::<T>(), Node::from_raw(nid)) };
    this.balance(node);
}
