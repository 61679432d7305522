// SPDX-License-Identifier: GPL-2.0

//! A directory in `/proc` with a file for each CPU that there may be: `cpu0`, `cpu1` …
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::{
    bindings,
    cpus,
    proc_file,
    text::Text, //
};
use core::ptr::NonNull;
use kernel::{
    cpu::CpuId,
    cpumask::CpumaskVar,
    error::from_result,
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    seq_file::SeqFile,
    str::CString,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// How many bytes may be written at once; more is `EINVAL`.
const MAX_LEN: usize = 32;

/// What has such a directory.
pub(crate) trait ProcCpuFiles: Send + Sync + 'static {
    /// Its name.
    const DIRECTORY: &'static CStr;

    /// The mode of the files.
    const MODE: u16;

    /// Prints the text of a CPU's file. May sleep.
    fn show(&self, cpu: CpuId, text: &mut Text<'_>) -> Result;

    /// Does what one write(2) says, all or nothing; the offset doesn't matter. An error is what the
    /// write fails with. May sleep.
    fn write(&self, cpu: CpuId, text: &[u8]) -> Result;
}

/// What the C side has of a file.
struct Context<T> {
    target: *const T,
    cpu: CpuId,
}

/// Holds the directory as long as it lives.
///
/// # Invariants
///
/// `directory` is in `/proc`, and its files lead to `files`, which lead to `contexts`, which lead to
/// `target`.
pub(crate) struct Registration<T: ProcCpuFiles> {
    directory: NonNull<bindings::proc_dir_entry>,
    files: KVec<bindings::tk_helper_proc_file>,
    contexts: KVec<Context<T>>,
    target: Arc<T>,
}

// SAFETY: Files may be removed by another thread than the one that made them.
unsafe impl<T: ProcCpuFiles> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: ProcCpuFiles> Sync for Registration<T> {}

impl<T: ProcCpuFiles> Registration<T> {
    /// Makes the directory; `EEXIST` if there is something of the same name.
    ///
    /// Files may be read and written before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        let mut possible = CpumaskVar::new_zero(GFP_KERNEL)?;
        cpus::possible(&mut possible);
        let mut contexts = KVec::with_capacity(cpus::iter(&possible).count(), GFP_KERNEL)?;
        for cpu in cpus::iter(&possible) {
            let target = Arc::as_ptr(&target);
            contexts.push(Context { target, cpu }, GFP_KERNEL)?;
        }
        let mut files = KVec::with_capacity(contexts.len(), GFP_KERNEL)?;
        for context in &contexts {
            let file = bindings::tk_helper_proc_file {
                show: Some(show::<T>),
                write: Some(write::<T>),
                data: core::ptr::from_ref(context).cast_mut().cast(),
            };
            files.push(file, GFP_KERNEL)?;
        }
        // The kernel has a warning with a backtrace for a name that is taken.
        if proc_file::exists(fmt!("/proc/{}", T::DIRECTORY)) {
            return Err(EEXIST);
        }
        // SAFETY: The name is a C string.
        let directory =
            unsafe { bindings::proc_mkdir(T::DIRECTORY.as_char_ptr(), core::ptr::null_mut()) };
        // INVARIANT: Made just now, and as yet without files.
        let this = Self {
            directory: NonNull::new(directory).ok_or(ENOMEM)?,
            files,
            contexts,
            target,
        };
        for (context, file) in this.contexts.iter().zip(&this.files) {
            let name = CString::try_from_fmt(fmt!("cpu{}", context.cpu.as_u32()))?;
            // SAFETY: The name is copied, and the file is removed, with the directory, before what
            // it leads to is dropped. Neither vector grows any more.
            let entry = unsafe {
                bindings::tk_helper_proc_create(name.as_char_ptr(), T::MODE, directory, file)
            };
            if entry.is_null() {
                return Err(ENOMEM);
            }
        }
        Ok(this)
    }
}

impl<T: ProcCpuFiles> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: In `/proc`, by the type's invariant. Returns when nobody is in `show()` or
        // `write()` any more; who has a file open gets `EIO` from now on. Dropped where one may
        // sleep: when a module is unloaded or fails to load.
        unsafe { bindings::proc_remove(self.directory.as_ptr()) };
    }
}

/// # Safety
///
/// Called by the kernel for a file of a [`Registration`], with the lock of `file` held; `data` is the
/// file's context.
unsafe extern "C" fn show<T: ProcCpuFiles>(
    file: *mut bindings::seq_file,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise; neither is dropped before this returns.
    let (context, text) = unsafe { (&*data.cast::<Context<T>>(), SeqFile::from_raw(file)) };
    // SAFETY: The target isn't either.
    let target = unsafe { &*context.target };
    from_result(|| target.show(context.cpu, &mut Text::new(text)).map(|()| 0))
}

/// # Safety
///
/// Called by the kernel for a file of a [`Registration`]; `data` is the file's context.
unsafe extern "C" fn write<T: ProcCpuFiles>(
    _file: *mut bindings::file,
    buffer: *const c_char,
    len: usize,
    data: *mut c_void,
) -> isize {
    // SAFETY: The caller's promise; it isn't dropped before this returns.
    let context = unsafe { &*data.cast::<Context<T>>() };
    // SAFETY: The target isn't either.
    let target = unsafe { &*context.target };
    from_result(|| {
        if len > MAX_LEN {
            return Err(EINVAL);
        }
        let mut text = KVec::new();
        UserSlice::new(UserPtr::from_ptr(buffer.cast_mut().cast()), len)
            .read_all(&mut text, GFP_KERNEL)?;
        target.write(context.cpu, &text)?;
        isize::try_from(len).map_err(|_| EINVAL)
    })
}
