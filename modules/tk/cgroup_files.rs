// SPDX-License-Identifier: GPL-2.0

//! Files of the memory controller in each cgroup of the v2 hierarchy but the root.
//!
//! C header: [`include/linux/cgroup.h`](srctree/include/linux/cgroup.h)

use super::{
    bindings,
    memcg::MemCgroup, //
};
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        from_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

/// What has files in cgroups.
pub(crate) trait CgroupFiles: Sized + Send + Sync + 'static {
    /// The files.
    const FILES: &'static [File<Self>];
}

/// A file in each cgroup: `memory.` and its name.
///
/// Several threads may be in its functions at once, which may sleep. Unloading and the removal of a
/// cgroup wait for them.
pub(crate) struct File<T: 'static> {
    name: &'static CStr,
    show: fn(&T, &MemCgroup, &SeqFile) -> Result,
    write: Option<fn(&T, &MemCgroup, u64) -> Result>,
}

impl<T: 'static> File<T> {
    /// A file of mode 0444.
    pub(crate) const fn read_only(
        name: &'static CStr,
        show: fn(&T, &MemCgroup, &SeqFile) -> Result,
    ) -> Self {
        Self {
            name,
            show,
            write: None,
        }
    }

    /// A file of mode 0644 that takes a number. What is none, or doesn't fit into 64 bits, fails
    /// with `EINVAL`.
    pub(crate) const fn number(
        name: &'static CStr,
        show: fn(&T, &MemCgroup, &SeqFile) -> Result,
        write: fn(&T, &MemCgroup, u64) -> Result,
    ) -> Self {
        Self {
            name,
            show,
            write: Some(write),
        }
    }
}

/// What the C side has of a file.
struct Context<T: 'static> {
    target: *const T,
    file: &'static File<T>,
}

/// Holds the files as long as it lives.
///
/// # Invariants
///
/// `files` are registered, and lead to `contexts`, which lead to `target`.
pub(crate) struct Registration<T: CgroupFiles> {
    files: NonNull<bindings::tk_helper_cgroup_files>,
    contexts: KVec<Context<T>>,
    target: Arc<T>,
}

// SAFETY: Files may be removed by another thread than the one that made them.
unsafe impl<T: CgroupFiles> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: CgroupFiles> Sync for Registration<T> {}

impl<T: CgroupFiles> Registration<T> {
    /// Makes the files in all cgroups that there are and will be. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        let mut contexts = KVec::with_capacity(T::FILES.len(), GFP_KERNEL)?;
        for file in T::FILES {
            let target = Arc::as_ptr(&target);
            contexts.push(Context { target, file }, GFP_KERNEL)?;
        }
        let mut files = KVec::with_capacity(T::FILES.len(), GFP_KERNEL)?;
        for context in &contexts {
            let file = bindings::tk_helper_cgroup_file {
                name: context.file.name.as_char_ptr(),
                show: Some(show::<T>),
                write: context.file.write.and(Some(write::<T>)),
                data: core::ptr::from_ref(context).cast_mut().cast(),
            };
            files.push(file, GFP_KERNEL)?;
        }
        // SAFETY: The names are static. What `data` leads to stays until the files are removed.
        let files = from_err_ptr(unsafe {
            bindings::tk_helper_cgroup_files_add(files.as_ptr(), files.len())
        })?;
        // INVARIANT: Registered just now.
        Ok(Self {
            files: NonNull::new(files).ok_or(ENOMEM)?,
            contexts,
            target,
        })
    }
}

impl<T: CgroupFiles> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody is in a function of a
        // file any more. Registrations are dropped where one may sleep.
        unsafe { bindings::tk_helper_cgroup_files_remove(self.files.as_ptr()) };
    }
}

/// # Safety
///
/// Called for a file of a [`Registration`], with a cgroup that stays meanwhile, and with the lock of
/// `text` held.
unsafe extern "C" fn show<T: CgroupFiles>(
    memcg: *mut bindings::mem_cgroup,
    text: *mut bindings::seq_file,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; the contexts outlive the files.
    let (context, memcg, text) = unsafe {
        (
            &*data.cast::<Context<T>>(),
            MemCgroup::from_raw(memcg),
            SeqFile::from_raw(text),
        )
    };
    // SAFETY: The target outlives the files too.
    let target = unsafe { &*context.target };
    from_result(|| (context.file.show)(target, memcg, text).map(|()| 0))
}

/// # Safety
///
/// Called for a file of a [`Registration`], with a cgroup that stays meanwhile and a C string.
unsafe extern "C" fn write<T: CgroupFiles>(
    memcg: *mut bindings::mem_cgroup,
    text: *const c_char,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; the contexts outlive the files.
    let (context, memcg) = unsafe { (&*data.cast::<Context<T>>(), MemCgroup::from_raw(memcg)) };
    // SAFETY: The target outlives the files too.
    let target = unsafe { &*context.target };
    from_result(|| {
        let write = context.file.write.ok_or(EINVAL)?;
        let mut number = 0;
        // SAFETY: A C string, by the caller's promise.
        let error = unsafe { bindings::tk_helper_kstrtou64(text, &mut number) };
        kernel::error::to_result(error)?;
        write(target, memcg, number).map(|()| 0)
    })
}

/// Hears of the end of cgroups.
pub(crate) trait CgroupEnd: Send + Sync + 'static {
    /// The cgroup with that [`MemCgroup::cgroup_id`] is being removed: it has no processes, no
    /// cgroups below and no files any more. May sleep.
    fn removed(&self, cgroup_id: u64);
}

/// Holds a place in the list of those who hear of it.
///
/// # Invariants
///
/// `notifier` is registered and leads to `target`.
pub(crate) struct EndRegistration<T: CgroupEnd> {
    notifier: NonNull<bindings::tk_helper_cgroup_notifier>,
    target: Arc<T>,
}

// SAFETY: As for the files.
unsafe impl<T: CgroupEnd> Send for EndRegistration<T> {}
// SAFETY: As for the files.
unsafe impl<T: CgroupEnd> Sync for EndRegistration<T> {}

impl<T: CgroupEnd> EndRegistration<T> {
    /// From now on `target` hears of it. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        // SAFETY: What the pointer leads to stays until the notifier is removed.
        let notifier = from_err_ptr(unsafe {
            bindings::tk_helper_cgroup_notifier_add(
                Some(removed::<T>),
                Arc::as_ptr(&target).cast_mut().cast(),
            )
        })?;
        // INVARIANT: Registered just now.
        Ok(Self {
            notifier: NonNull::new(notifier).ok_or(ENOMEM)?,
            target,
        })
    }
}

impl<T: CgroupEnd> Drop for EndRegistration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody is in `removed()` any
        // more.
        unsafe { bindings::tk_helper_cgroup_notifier_remove(self.notifier.as_ptr()) };
    }
}

/// # Safety
///
/// Called for an [`EndRegistration`].
unsafe extern "C" fn removed<T: CgroupEnd>(cgroup_id: u64, data: *mut c_void) {
    // SAFETY: The caller's promise; the target outlives the registration.
    let target = unsafe { &*data.cast::<T>() };
    target.removed(cgroup_id);
}
