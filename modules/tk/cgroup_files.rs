// SPDX-License-Identifier: GPL-2.0

//! Files of controllers in each cgroup but the root of a hierarchy.
//!
//! C header: [`include/linux/cgroup.h`](srctree/include/linux/cgroup.h)

use super::{
    bindings,
    cgroup::{
        Cgroup,
        Controller,
        Memory, //
    },
    memcg::MemCgroup, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
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

/// What has files in cgroups of the v2 hierarchy, by the controller that `G` is of.
pub(crate) trait CgroupFiles<G: Group = MemCgroup>: Sized + Send + Sync + 'static {
    /// The files.
    const FILES: &'static [File<Self, G>];
}

/// A cgroup as the functions of a controller's files get it.
pub(crate) trait Group: 'static {
    /// The controller.
    type Controller: Controller;

    /// # Safety
    ///
    /// `css` is one of the controller's that stays for the lifetime of the result.
    unsafe fn from_css<'a>(css: *mut bindings::cgroup_subsys_state) -> &'a Self;
}

impl Group for MemCgroup {
    type Controller = Memory;

    unsafe fn from_css<'a>(css: *mut bindings::cgroup_subsys_state) -> &'a Self {
        // SAFETY: The caller's promise.
        unsafe { MemCgroup::from_raw(bindings::tk_helper_css_memcg(css)) }
    }
}

/// A cgroup that has files of the controller `C`.
#[repr(transparent)]
pub(crate) struct Of<C>(Cgroup, PhantomData<C>);

impl<C> Deref for Of<C> {
    type Target = Cgroup;

    fn deref(&self) -> &Cgroup {
        &self.0
    }
}

impl<C: Controller + 'static> Group for Of<C> {
    type Controller = C;

    unsafe fn from_css<'a>(css: *mut bindings::cgroup_subsys_state) -> &'a Self {
        // SAFETY: The caller's promise; a css holds a reference to its cgroup, and the type is
        // transparent.
        unsafe { &*core::ptr::from_ref(Cgroup::from_raw((*css).cgroup)).cast() }
    }
}

/// A file in each cgroup: the name of the controller, a dot, and its name.
///
/// Several threads may be in its functions at once, which may sleep. Unloading and the removal of a
/// cgroup wait for them.
pub(crate) struct File<T: 'static, G: 'static = MemCgroup> {
    name: &'static CStr,
    show: fn(&T, &G, &SeqFile) -> Result,
    write: Option<Write<T, G>>,
}

/// What a write to a file does.
enum Write<T: 'static, G: 'static> {
    /// With a number.
    Number(fn(&T, &G, u64) -> Result),
    /// With the text, without white space at its ends.
    Text(fn(&T, &G, &[u8]) -> Result),
}

impl<T: 'static, G: 'static> File<T, G> {
    /// A file of mode 0444.
    pub(crate) const fn read_only(
        name: &'static CStr,
        show: fn(&T, &G, &SeqFile) -> Result,
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
        show: fn(&T, &G, &SeqFile) -> Result,
        write: fn(&T, &G, u64) -> Result,
    ) -> Self {
        Self {
            name,
            show,
            write: Some(Write::Number(write)),
        }
    }

    /// A file of mode 0644 that takes text.
    pub(crate) const fn text(
        name: &'static CStr,
        show: fn(&T, &G, &SeqFile) -> Result,
        write: fn(&T, &G, &[u8]) -> Result,
    ) -> Self {
        Self {
            name,
            show,
            write: Some(Write::Text(write)),
        }
    }
}

/// What the C side has of a file.
struct Context<T: 'static, G: 'static> {
    target: *const T,
    file: &'static File<T, G>,
}

/// Holds the files as long as it lives.
///
/// # Invariants
///
/// `files` are registered, and lead to `contexts`, which lead to `target`.
pub(crate) struct Registration<T: Send + Sync + 'static, G: Group = MemCgroup> {
    files: NonNull<bindings::tk_helper_cgroup_files>,
    contexts: KVec<Context<T, G>>,
    target: Arc<T>,
}

// SAFETY: Files may be removed by another thread than the one that made them.
unsafe impl<T: Send + Sync + 'static, G: Group> Send for Registration<T, G> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: Send + Sync + 'static, G: Group> Sync for Registration<T, G> {}

impl<T: CgroupFiles<G>, G: Group> Registration<T, G> {
    /// Makes the files in all cgroups of v2 that there are and will be. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        Self::with_files(target, T::FILES, false)
    }
}

impl<T: Send + Sync + 'static, G: Group> Registration<T, G> {
    /// Makes these files in all cgroups of v1 hierarchies with the controller that there are and will
    /// be. May sleep.
    pub(crate) fn legacy(target: Arc<T>, files: &'static [File<T, G>]) -> Result<Self> {
        Self::with_files(target, files, true)
    }

    fn with_files(target: Arc<T>, files: &'static [File<T, G>], legacy: bool) -> Result<Self> {
        let mut contexts = KVec::with_capacity(files.len(), GFP_KERNEL)?;
        for file in files {
            let target = Arc::as_ptr(&target);
            contexts.push(Context { target, file }, GFP_KERNEL)?;
        }
        let mut files = KVec::with_capacity(files.len(), GFP_KERNEL)?;
        for context in &contexts {
            let file = bindings::tk_helper_cgroup_file {
                name: context.file.name.as_char_ptr(),
                show: Some(show::<T, G>),
                write: match context.file.write {
                    Some(_) => Some(write::<T, G>),
                    None => None,
                },
                data: core::ptr::from_ref(context).cast_mut().cast(),
            };
            files.push(file, GFP_KERNEL)?;
        }
        // SAFETY: The names are static. What `data` leads to stays until the files are removed.
        let files = from_err_ptr(unsafe {
            bindings::tk_helper_cgroup_files_add(
                G::Controller::ID,
                legacy,
                files.as_ptr(),
                files.len(),
            )
        })?;
        // INVARIANT: Registered just now.
        Ok(Self {
            files: NonNull::new(files).ok_or(ENOMEM)?,
            contexts,
            target,
        })
    }
}

impl<T: Send + Sync + 'static, G: Group> Drop for Registration<T, G> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody is in a function of a
        // file any more. Registrations are dropped where one may sleep.
        unsafe { bindings::tk_helper_cgroup_files_remove(self.files.as_ptr()) };
    }
}

/// # Safety
///
/// Called for a file of a [`Registration`], with a css of its controller that stays
/// meanwhile, and with the lock of
/// `text` held.
unsafe extern "C" fn show<T: Send + Sync + 'static, G: Group>(
    css: *mut bindings::cgroup_subsys_state,
    text: *mut bindings::seq_file,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; the contexts outlive the files.
    let (context, group, text) = unsafe {
        (
            &*data.cast::<Context<T, G>>(),
            G::from_css(css),
            SeqFile::from_raw(text),
        )
    };
    // SAFETY: The target outlives the files too.
    let target = unsafe { &*context.target };
    from_result(|| (context.file.show)(target, group, text).map(|()| 0))
}

/// # Safety
///
/// Called for a file of a [`Registration`], with a css of its controller that stays
/// meanwhile and a C string.
unsafe extern "C" fn write<T: Send + Sync + 'static, G: Group>(
    css: *mut bindings::cgroup_subsys_state,
    text: *const c_char,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; the contexts outlive the files.
    let (context, group) = unsafe { (&*data.cast::<Context<T, G>>(), G::from_css(css)) };
    // SAFETY: The target outlives the files too.
    let target = unsafe { &*context.target };
    from_result(|| {
        match context.file.write {
            Some(Write::Number(write)) => {
                let mut number = 0;
                // SAFETY: A C string, by the caller's promise.
                let error = unsafe { bindings::tk_helper_kstrtou64(text, &mut number) };
                kernel::error::to_result(error)?;
                write(target, group, number)
            }
            Some(Write::Text(write)) => {
                // SAFETY: As above, and it stays during this call.
                let text = unsafe { CStr::from_char_ptr(text) };
                write(target, group, text.to_bytes())
            }
            None => Err(EINVAL),
        }
        .map(|()| 0)
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
