// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc/tkernel`: text that is made when they are read, and commands that are written.
//!
//! The directory is there as long as a module has a file in it.
//!
//! C headers: `include/linux/tkernel/proc.h`, [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::{
    bindings,
    capability::Capability,
    net::Net,
    proc_file,
    text::Text, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// What has a file in `/proc/tkernel`.
pub(crate) trait TkernelFile: Send + Sync + 'static {
    /// The name of the file.
    const NAME: &'static CStr;

    /// Its mode. Who may open it for writing still needs what [`TkernelFile::write`] asks for.
    const MODE: u16;

    /// How many bytes a command may have at most; more is `EINVAL`.
    const MAX_COMMAND: usize;

    /// Prints the text.
    ///
    /// Called once for each reader that reads from the beginning to the end, and again if the text
    /// is longer than a page or the reader seeks. Several threads may be in it at once. May sleep.
    fn show(&self, text: &mut Text<'_>) -> Result;

    /// Does what one write(2) says, all or nothing; the offset doesn't matter. An error is what the
    /// write fails with. Several threads may be in it at once. May sleep.
    fn write(&self, command: &[u8], writer: &Writer<'_>) -> Result;
}

/// Who writes to a file.
pub(crate) struct Writer<'a> {
    file: *mut bindings::file,
    _file: PhantomData<&'a ()>,
}

impl Writer<'_> {
    /// `EPERM` if who opened the file hadn't the capability in the initial user namespace.
    ///
    /// Who opened it counts, as everywhere in procfs: a program with more rights can be made to
    /// write to a descriptor that it was given.
    pub(crate) fn need(&self, capability: Capability) -> Result {
        // SAFETY: The file is open during the call that this belongs to.
        if unsafe { bindings::tk_helper_file_capable(self.file, capability.number()) } {
            Ok(())
        } else {
            Err(EPERM)
        }
    }

    /// The same for one of some capabilities in the user namespace that owns a network namespace.
    pub(crate) fn need_over(&self, net: &Net, capabilities: &[Capability]) -> Result {
        let has = |capability: &Capability| {
            // SAFETY: As above; the namespace is alive.
            unsafe {
                bindings::tk_helper_file_net_capable(self.file, net.as_ptr(), capability.number())
            }
        };
        capabilities.iter().any(has).then_some(()).ok_or(EPERM)
    }
}

/// Holds the file as long as it lives.
///
/// # Invariants
///
/// `entry` is in `/proc/tkernel`, of which this is a user, and leads to `raw`, which leads to
/// `target`.
pub(crate) struct Registration<T: TkernelFile> {
    entry: NonNull<bindings::proc_dir_entry>,
    raw: KBox<bindings::tk_helper_proc_file>,
    target: Arc<T>,
}

// SAFETY: A file may be removed by another thread than the one that made it.
unsafe impl<T: TkernelFile> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: TkernelFile> Sync for Registration<T> {}

impl<T: TkernelFile> Registration<T> {
    /// Makes the file; `EEXIST` if there is one of the same name.
    ///
    /// It may be read and written before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        // The kernel has a warning with a backtrace for a name that is taken.
        if proc_file::exists(fmt!("/proc/tkernel/{}", T::NAME)) {
            return Err(EEXIST);
        }
        let raw = KBox::new(
            bindings::tk_helper_proc_file {
                show: Some(show::<T>),
                write: Some(write::<T>),
                data: Arc::as_ptr(&target).cast_mut().cast(),
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The name is a C string. The file is removed before `raw` and `target` are
        // dropped, and the directory given back then.
        let entry = unsafe {
            let Some(directory) = NonNull::new(bindings::tkernel_proc_dir_get()) else {
                return Err(ENOMEM);
            };
            let entry = bindings::tk_helper_proc_create(
                T::NAME.as_char_ptr(),
                T::MODE,
                directory.as_ptr(),
                &*raw,
            );
            if entry.is_null() {
                bindings::tkernel_proc_dir_put();
            }
            entry
        };
        // INVARIANT: Made just now.
        Ok(Self {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            raw,
            target,
        })
    }
}

impl<T: TkernelFile> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant. The first returns when nobody is in `show()` or
        // `write()` any more; who has the file open gets `EIO` from now on. Dropped where one may
        // sleep: when a module is unloaded or fails to load.
        unsafe {
            bindings::proc_remove(self.entry.as_ptr());
            bindings::tkernel_proc_dir_put();
        }
    }
}

/// # Safety
///
/// Called by the kernel for the file of a [`Registration`], with the lock of `file` held; `data` is
/// its target.
unsafe extern "C" fn show<T: TkernelFile>(
    file: *mut bindings::seq_file,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; the target isn't dropped before this returns.
    let (target, text) = unsafe { (&*data.cast::<T>(), SeqFile::from_raw(file)) };
    from_result(|| target.show(&mut Text::new(text)).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel for the file of a [`Registration`]; `data` is its target, `file` is open.
unsafe extern "C" fn write<T: TkernelFile>(
    file: *mut bindings::file,
    buffer: *const c_char,
    len: usize,
    data: *mut c_void,
) -> isize {
    // SAFETY: The caller's promise; the target isn't dropped before this returns.
    let target = unsafe { &*data.cast::<T>() };
    let writer = Writer {
        file,
        _file: PhantomData,
    };
    from_result(|| {
        if len > T::MAX_COMMAND {
            return Err(EINVAL);
        }
        let mut command = KVec::new();
        UserSlice::new(UserPtr::from_ptr(buffer.cast_mut().cast()), len)
            .read_all(&mut command, GFP_KERNEL)?;
        target.write(&command, &writer)?;
        isize::try_from(len).map_err(|_| EINVAL)
    })
}
