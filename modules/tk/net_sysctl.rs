// SPDX-License-Identifier: GPL-2.0

//! Files of numbers in `/proc/sys/net`, for each network namespace its own.
//!
//! They behave as those of [`super::sysctl`]. Who looks into `/proc/sys/net` sees the files of the
//! namespace that it is in.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::{
    bindings,
    capability::Capability,
    net::Net,
    proc_file,
    sysctl::{
        self,
        File, //
    }, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    types::Opaque,
};

/// What has files in `/proc/sys/net`.
pub(crate) trait NetSysctls: Sized + Send + Sync + 'static {
    /// Their directory below `/proc/sys`, such as `net/ipv4`.
    const PATH: &'static CStr;

    /// The files of every namespace.
    const FILES: &'static [File<OfNet<Self>>];

    /// Those of all but the initial one.
    const FILES_OF_OTHERS: &'static [File<OfNet<Self>>] = &[];

    /// What writing needs in the user namespace that owns the network, whoever owns the file: the
    /// root of a container that has it not is the file's owner all the same. Else `EPERM`.
    const WRITER: Capability = Capability::NetAdmin;
}

/// What getters and setters get: the target, and the namespace that the file is of.
///
/// # Invariants
///
/// The namespace is alive as long as the value: it can't end before its files are removed.
pub(crate) struct OfNet<T> {
    net: NonNull<bindings::net>,
    target: Arc<T>,
}

impl<T> OfNet<T> {
    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        // SAFETY: By the type's invariant.
        unsafe { Net::from_raw(self.net.as_ptr()) }
    }
}

impl<T> Deref for OfNet<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.target
    }
}

/// The files of one namespace.
///
/// # Invariants
///
/// `header` is the registration of `tables`, each of which leads to its [`File`] by `extra1` and to
/// `of` by `data`.
struct Files<T> {
    header: NonNull<bindings::ctl_table_header>,
    tables: KVec<bindings::ctl_table>,
    of: KBox<OfNet<T>>,
}

impl<T: NetSysctls> Files<T> {
    /// # Safety
    ///
    /// The namespace doesn't end before the result is dropped.
    unsafe fn new(net: NonNull<bindings::net>, is_initial: bool, target: Arc<T>) -> Result<Self> {
        // INVARIANT: The caller's promise.
        let of = KBox::new(OfNet { net, target }, GFP_KERNEL)?;
        let others = if is_initial { &[] } else { T::FILES_OF_OTHERS };
        let mut tables = KVec::with_capacity(T::FILES.len() + others.len(), GFP_KERNEL)?;
        for file in [T::FILES, others].into_iter().flatten() {
            tables.push(file.table(&raw const *of, handle::<T>), GFP_KERNEL)?;
        }
        // SAFETY: The namespace is alive, the path is a C string. The tables stay where they are
        // until they are unregistered, and so does what they lead to.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                net.as_ptr(),
                T::PATH.as_char_ptr(),
                tables.as_mut_ptr(),
                tables.len(),
            )
        };
        // INVARIANT: Registered just now.
        Ok(Self {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            tables,
            of,
        })
    }
}

impl<T> Drop for Files<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody is in a handler any
        // more; who has a file open gets `ENOENT` from now on. Namespaces end, and modules are
        // unloaded, where one may sleep.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

/// Holds the files of all namespaces as long as it lives. A module can have one.
///
/// # Invariants
///
/// `each` is registered, with functions that call into what `target` keeps alive.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: NetSysctls> {
    #[pin]
    each: Opaque<bindings::tk_helper_each_net>,
    target: Arc<T>,
}

// SAFETY: Files may be removed by another thread than the one that made them.
unsafe impl<T: NetSysctls> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: NetSysctls> Sync for Registration<T> {}

impl<T: NetSysctls> Registration<T> {
    /// Makes the files in all namespaces that there are and will be; `EEXIST` if there is one of the
    /// same name, `EBUSY` if the module has a registration already.
    ///
    /// They may be read and written before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> impl PinInit<Self, Error> {
        let data = Arc::as_ptr(&target).cast_mut().cast();
        try_pin_init!(Self {
            target,
            each <- Opaque::try_ffi_init(move |slot: *mut bindings::tk_helper_each_net| {
                // See `sysctl::Registration`. Namespaces have files of the same names.
                for file in T::FILES {
                    if proc_file::exists(fmt!("/proc/sys/{}/{}", T::PATH, file.name())) {
                        return Err(EEXIST);
                    }
                }
                let each = bindings::tk_helper_each_net {
                    init: Some(init::<T>),
                    exit: Some(exit::<T>),
                    data,
                };
                // SAFETY: The slot is valid for writing.
                unsafe { slot.write(each) };
                // SAFETY: The slot is pinned, and unregistered when it is dropped. `target` is
                // dropped after that.
                // INVARIANT: Registered if this returns 0.
                to_result(unsafe { bindings::tk_helper_each_net_register(slot) })
            }),
        })
    }
}

#[pinned_drop]
impl<T: NetSysctls> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type's invariant. Registrations are dropped where one may
        // sleep: when a module is unloaded or fails to load.
        unsafe { bindings::tk_helper_each_net_unregister() };
    }
}

/// # Safety
///
/// Called for a namespace that begins, with the `data` of a [`Registration`].
unsafe extern "C" fn init<T: NetSysctls>(
    net: *mut bindings::net,
    is_initial: bool,
    data: *mut c_void,
) -> *mut c_void {
    // SAFETY: `data` is the target of the registration, which has a reference that outlives this
    // call.
    let target = unsafe { ArcBorrow::from_raw(data.cast::<T>()) };
    let files = NonNull::new(net).ok_or(EINVAL).and_then(|net| {
        // SAFETY: What is returned is dropped by `exit()`, before the namespace ends.
        let files = unsafe { Files::new(net, is_initial, target.into()) }?;
        Ok(KBox::new(files, GFP_KERNEL)?)
    });
    match files {
        Ok(files) => KBox::into_raw(files).cast(),
        Err(error) => error.to_ptr(),
    }
}

/// # Safety
///
/// Called once with what [`init`] returned for a namespace, before it ends.
unsafe extern "C" fn exit<T: NetSysctls>(files: *mut c_void) {
    // SAFETY: It was a box, by the caller's promise.
    drop(unsafe { KBox::from_raw(files.cast::<Files<T>>()) });
}

/// # Safety
///
/// Called by the kernel for a table of a [`Files`], as a `proc_handler`.
unsafe extern "C" fn handle<T: NetSysctls>(
    table: *const bindings::ctl_table,
    dir: c_int,
    buffer: *mut c_void,
    len: *mut usize,
    pos: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: By the invariant of the files, which aren't dropped before this returns.
    unsafe {
        sysctl::answer(table, dir, buffer, len, pos, |of: &OfNet<T>| {
            of.net().capable(T::WRITER)
        })
    }
}
