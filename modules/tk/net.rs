// SPDX-License-Identifier: GPL-2.0

//! Network namespaces, and what a module keeps for each of them.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::{
    bindings,
    capability::Capability,
    rcu::ReadSide, //
};
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::Atomic,
    },
    types::Opaque, //
};

/// Wraps the kernel's `struct net`. Thread safe.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

// SAFETY: A `struct net` may be released and used from any thread.
unsafe impl Send for Net {}
// SAFETY: The methods change nothing in it but the count.
unsafe impl Sync for Net {}

// SAFETY: `struct net` is reference counted.
unsafe impl AlwaysRefCounted for Net {
    fn inc_ref(&self) {
        // SAFETY: A shared reference means that the count isn't zero.
        unsafe { bindings::tk_helper_net_get(self.0.get()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::tk_helper_net_put(obj.cast().as_ptr()) };
    }
}

impl Net {
    /// # Safety
    ///
    /// `ptr` points to a `struct net` that is alive for the lifetime of the reference.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: The caller's promise; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    /// That of the current task. Process context.
    pub(crate) fn of_current() -> ARef<Self> {
        // SAFETY: A task that runs in process context has one, and only the task itself changes
        // that.
        unsafe { Self::from_raw(bindings::tk_helper_net_of_current()) }.into()
    }

    /// The initial one.
    pub(crate) fn initial() -> &'static Self {
        // SAFETY: It is there as long as the kernel.
        unsafe { Self::from_raw(bindings::tk_helper_init_net()) }
    }

    /// Whether the current task has the capability in the user namespace that owns this. Process
    /// context.
    pub(crate) fn capable(&self, capability: Capability) -> bool {
        // SAFETY: The namespace is alive, and so is the user namespace that it holds.
        unsafe { bindings::tk_helper_net_capable(self.0.get(), capability.number()) }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }
}

/// `N` numbers for each network namespace, 0 at first. They come and go with the namespace.
///
/// # Invariants
///
/// `pernet` is registered with the size of `[Atomic<u64>; N]`.
pub(crate) struct PerNet<const N: usize> {
    pernet: NonNull<bindings::tk_helper_pernet>,
}

// SAFETY: It may be unregistered by another thread than the one that registered it.
unsafe impl<const N: usize> Send for PerNet<N> {}
// SAFETY: What a shared reference gives is `Sync`.
unsafe impl<const N: usize> Sync for PerNet<N> {}

impl<const N: usize> PerNet<N> {
    /// Makes them for all namespaces that there are and will be. May sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Zeroes are valid numbers, and aligned well enough: the kernel aligns what it
        // allocates to eight bytes at least.
        let pernet = unsafe { bindings::tk_helper_pernet_new(size_of::<[Atomic<u64>; N]>()) };
        let pernet = from_err_ptr(pernet)?;
        // INVARIANT: Registered just now.
        Ok(Self {
            pernet: NonNull::new(pernet).ok_or(ENOMEM)?,
        })
    }

    /// Those of a namespace. Any context.
    pub(crate) fn of<'a>(&'a self, net: &'a Net) -> &'a [Atomic<u64>; N] {
        // SAFETY: By the type's invariant the namespace, which is alive, has them until it ends or
        // this is dropped. They are as new or changed as atomic variables only.
        unsafe { &*bindings::tk_helper_pernet_of(self.pernet.as_ptr(), net.as_ptr()).cast() }
    }

    /// The same, for less, in a read-side section.
    #[inline(always)]
    pub(crate) fn of_under<'a>(
        &'a self,
        net: &'a Net,
        _evidence: &impl ReadSide,
    ) -> &'a [Atomic<u64>; N] {
        // SAFETY: As above; the evidence is that of an RCU read side.
        unsafe { &*bindings::tk_helper_pernet_of_rcu(self.pernet.as_ptr(), net.as_ptr()).cast() }
    }
}

impl<const N: usize> Drop for PerNet<N> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant; nobody has a reference to what it made.
        // Dropped where one may sleep: when a module is unloaded or fails to load.
        unsafe { bindings::tk_helper_pernet_free(self.pernet.as_ptr()) };
    }
}
