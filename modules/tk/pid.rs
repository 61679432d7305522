// SPDX-License-Identifier: GPL-2.0

//! `struct pid`: the identity of a process, which outlives the process and is never reused.
//!
//! C header: [`include/linux/pid.h`](srctree/include/linux/pid.h)

use super::{
    bindings,
    rcu::ReadSide, //
};
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    task::Task,
    types::Opaque,
};

/// Wraps the kernel's `struct pid`. Thread safe.
#[repr(transparent)]
pub(crate) struct Pid(Opaque<bindings::pid>);

// SAFETY: A `struct pid` may be released and used from any thread.
unsafe impl Send for Pid {}
// SAFETY: What the methods read doesn't change, or is read under RCU.
unsafe impl Sync for Pid {}

// SAFETY: `struct pid` is reference counted.
unsafe impl AlwaysRefCounted for Pid {
    fn inc_ref(&self) {
        // SAFETY: A shared reference means that the count isn't zero.
        unsafe { bindings::tk_helper_get_pid(self.0.get()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::put_pid(obj.cast().as_ptr()) };
    }
}

impl Pid {
    /// # Safety
    ///
    /// `ptr` points to a `struct pid` that stays valid for the lifetime of the reference.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::pid) -> &'a Self {
        // SAFETY: The caller's promise; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Takes over a reference that C code has taken.
    ///
    /// # Safety
    ///
    /// `ptr` is null or comes with a reference that the caller gives away.
    unsafe fn from_owned(ptr: *mut bindings::pid) -> Option<ARef<Self>> {
        // SAFETY: The caller's promise.
        NonNull::new(ptr.cast()).map(|ptr| unsafe { ARef::from_raw(ptr) })
    }

    /// The identity of the process that `task` is a thread of.
    ///
    /// Returns [`None`] if the process is gone.
    pub(crate) fn of_process(task: &Task) -> Option<ARef<Self>> {
        // SAFETY: `task` is a valid task; the function takes a reference.
        unsafe { Self::from_owned(bindings::tk_helper_get_task_tgid(task.as_ptr())) }
    }

    /// The identity that the caller's file descriptor `fd`, a pidfd, stands for.
    ///
    /// Returns `EBADF` if it isn't a pidfd.
    pub(crate) fn from_pidfd(fd: u32) -> Result<ARef<Self>> {
        let mut flags = 0;
        // SAFETY: The function writes to `flags` and takes a reference.
        let pid = from_err_ptr(unsafe { bindings::pidfd_get_pid(fd, &mut flags) })?;
        // SAFETY: As above.
        unsafe { Self::from_owned(pid) }.ok_or(EBADF)
    }

    /// What the identity is found by, see [`ProcessKey`].
    pub(crate) fn key(&self) -> ProcessKey {
        ProcessKey(self.0.get() as usize)
    }

    /// The number of the process in the initial pid namespace.
    pub(crate) fn number(&self) -> i32 {
        // SAFETY: The pointer is valid.
        unsafe { bindings::tk_helper_pid_nr(self.0.get()) }
    }

    /// Whether there is a process of this identity, and not only a thread, group or session.
    pub(crate) fn is_process(&self, _read_side: &impl ReadSide) -> bool {
        self.has(bindings::pid_type_PIDTYPE_TGID)
    }

    /// Whether there is a thread of this identity.
    pub(crate) fn is_thread(&self, _read_side: &impl ReadSide) -> bool {
        self.has(bindings::pid_type_PIDTYPE_PID)
    }

    fn has(&self, kind: bindings::pid_type) -> bool {
        // SAFETY: The pointer is valid. The callers have shown that they are on an RCU read side;
        // the task isn't used.
        !unsafe { bindings::pid_task(self.0.get(), kind) }.is_null()
    }
}

/// The address of a process's identity, to look something up by.
///
/// It says which process is meant only as long as somebody holds the [`Pid`]: a table that is
/// keyed by it must hold the [`Pid`]s of its entries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessKey(usize);

impl ProcessKey {
    /// The key of the process that `task` is a thread of; of no process if that one is gone.
    #[inline(always)]
    pub(crate) fn of(task: &Task) -> Self {
        // SAFETY: `task` is a valid task. Its signal structure lives as long as the task
        // structure. The entry for the process changes only to null, when the process is gone;
        // its address isn't followed.
        let pid = unsafe {
            let signal = (*task.as_ptr()).signal;
            (&raw const (*signal).pids[bindings::pid_type_PIDTYPE_TGID as usize]).read_volatile()
        };
        Self(pid as usize)
    }

    /// The key as a number.
    #[inline(always)]
    pub(crate) fn as_usize(self) -> usize {
        self.0
    }
}

/// What a pid namespace is known by; no other one gets it later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamespaceId(u64);

impl NamespaceId {
    pub(super) fn from_raw(id: u64) -> Self {
        Self(id)
    }

    /// As a number.
    pub(crate) fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The pid namespaces that current is in, from its own outwards, but for the initial one. Process
/// context.
pub(crate) fn namespaces_of_current() -> impl Iterator<Item = NamespaceId> {
    (0..).map_while(|outwards| {
        // SAFETY: The function takes any number. A task's own namespace, which keeps those around
        // it, lives as long as the task.
        let id = unsafe { bindings::tk_helper_pid_namespace_id(outwards) };
        (id != 0).then_some(NamespaceId(id))
    })
}
