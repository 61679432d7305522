// SPDX-License-Identifier: GPL-2.0

//! Files of numbers in `/proc/sys`.
//!
//! The kernel's own functions print and parse, so that a file behaves as every other there:
//!
//! - What is no number, doesn't fit or is out of range fails with `EINVAL`, and so do blanks alone.
//! - Of several numbers the first counts. The write is a short one that ends before the second.
//! - An empty write and, unless `kernel.sysctl_writes_strict` was lowered, a write at an offset do
//!   nothing and succeed.
//!
//! A number is checked before a setter gets it, so a write that fails has stored nothing.
//!
//! Vectors, strings and `poll(2)` aren't supported.
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h)

use super::{
    bindings,
    capability::{
        capable,
        Capability, //
    },
    proc_file, //
};
use core::{
    ops::RangeInclusive,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    },
};

/// What has files in `/proc/sys`.
pub(crate) trait Sysctls: Sized + Send + Sync + 'static {
    /// Their directory below `/proc/sys`, such as `vm`. It is made if it isn't there, and removed
    /// when it is empty.
    const PATH: &'static CStr;

    /// The files.
    const FILES: &'static [File<Self>];

    /// What writing needs in the initial user namespace, beside what the mode asks for: the root of
    /// a container has the latter. Else `EPERM`.
    const WRITER: Option<Capability> = None;
}

/// A file that shows a number and, unless it is a read-only one, takes a new one.
///
/// A getter is called for each read from the beginning. A setter is called for each write with a
/// number in the range; its error is what the write fails with. Several threads may be in a setter
/// at once. Both may sleep. Unloading waits for them: a setter that waits for something must give
/// up when the module is to go.
pub(crate) struct File<T: 'static> {
    name: &'static CStr,
    value: Value<T>,
}

/// What the kernel calls for a read or a write.
pub(super) type Handler = unsafe extern "C" fn(
    *const bindings::ctl_table,
    c_int,
    *mut c_void,
    *mut usize,
    *mut bindings::loff_t,
) -> c_int;

enum Value<T: 'static> {
    Int(Access<T, c_int>),
    ULong(Access<T, c_ulong>),
    Atomic(RangeInclusive<c_int>, fn(&T) -> &Atomic<c_int>),
}

struct Access<T: 'static, N> {
    range: RangeInclusive<N>,
    get: fn(&T) -> N,
    set: Option<fn(&T, N) -> Result>,
}

impl<T: 'static> File<T> {
    /// A file of mode 0644 with an `int`, as most have.
    pub(crate) const fn int(
        name: &'static CStr,
        range: RangeInclusive<i32>,
        get: fn(&T) -> i32,
        set: fn(&T, i32) -> Result,
    ) -> Self {
        Self {
            name,
            value: Value::Int(Access {
                range,
                get,
                set: Some(set),
            }),
        }
    }

    /// As [`File::int`], of a number that no rule but its range is about.
    pub(crate) const fn atomic(
        name: &'static CStr,
        range: RangeInclusive<i32>,
        number: fn(&T) -> &Atomic<i32>,
    ) -> Self {
        Self {
            name,
            value: Value::Atomic(range, number),
        }
    }

    /// A file of mode 0444 with an `int`.
    pub(crate) const fn int_read_only(name: &'static CStr, get: fn(&T) -> i32) -> Self {
        Self {
            name,
            value: Value::Int(Access {
                range: i32::MIN..=i32::MAX,
                get,
                set: None,
            }),
        }
    }

    /// A file of mode 0644 with an `unsigned long`, such as a number of bytes or of pages.
    pub(crate) const fn ulong(
        name: &'static CStr,
        range: RangeInclusive<usize>,
        get: fn(&T) -> usize,
        set: fn(&T, usize) -> Result,
    ) -> Self {
        Self {
            name,
            value: Value::ULong(Access {
                range,
                get,
                set: Some(set),
            }),
        }
    }

    /// A file of mode 0444 with an `unsigned long`.
    pub(crate) const fn ulong_read_only(name: &'static CStr, get: fn(&T) -> usize) -> Self {
        Self {
            name,
            value: Value::ULong(Access {
                range: usize::MIN..=usize::MAX,
                get,
                set: None,
            }),
        }
    }

    pub(super) fn name(&self) -> &'static CStr {
        self.name
    }

    /// The table of the file for a target, which `handler` gives to [`answer`].
    pub(super) fn table(&'static self, target: *const T, handler: Handler) -> bindings::ctl_table {
        let mut table: bindings::ctl_table = pin_init::zeroed();
        table.procname = self.name.as_char_ptr();
        table.mode = if self.is_read_only() { 0o444 } else { 0o644 };
        table.proc_handler = Some(handler);
        table.data = target.cast_mut().cast();
        table.extra1 = core::ptr::from_ref(self).cast_mut().cast();
        table
    }

    fn is_read_only(&self) -> bool {
        match &self.value {
            Value::Int(access) => access.set.is_none(),
            Value::ULong(access) => access.set.is_none(),
            Value::Atomic(..) => false,
        }
    }
}

/// Holds the files as long as it lives.
///
/// # Invariants
///
/// `header` is the registration of `tables`, each of which leads to its [`File`] by `extra1` and to
/// `target` by `data`.
pub(crate) struct Registration<T: Sysctls> {
    header: NonNull<bindings::ctl_table_header>,
    tables: KVec<bindings::ctl_table>,
    target: Arc<T>,
}

// SAFETY: Files may be removed by another thread than the one that made them.
unsafe impl<T: Sysctls> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: Sysctls> Sync for Registration<T> {}

impl<T: Sysctls> Registration<T> {
    /// Makes the files, all or none; `EEXIST` if there is one of the same name.
    ///
    /// They may be read and written before this returns. May sleep.
    pub(crate) fn new(target: Arc<T>) -> Result<Self> {
        let mut tables = KVec::with_capacity(T::FILES.len(), GFP_KERNEL)?;
        for file in T::FILES {
            // The kernel refuses a name that is taken too, but then the directory loses all the
            // files that others have in it.
            if proc_file::exists(fmt!("/proc/sys/{}/{}", T::PATH, file.name)) {
                return Err(EEXIST);
            }
            tables.push(file.table(Arc::as_ptr(&target), handle::<T>), GFP_KERNEL)?;
        }

        // SAFETY: The path is a C string. The tables stay where they are until they are
        // unregistered, and so does what they lead to.
        let header = unsafe {
            bindings::register_sysctl_sz(T::PATH.as_char_ptr(), tables.as_ptr(), tables.len())
        };
        // INVARIANT: Registered just now.
        Ok(Self {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            tables,
            target,
        })
    }
}

impl<T: Sysctls> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody is in a handler any
        // more; who has a file open gets `ENOENT` from now on. Registrations are dropped where one
        // may sleep: when a module is unloaded or fails to load.
        unsafe { bindings::unregister_sysctl_table(self.header.as_ptr()) };
    }
}

/// # Safety
///
/// Called by the kernel for a table of a [`Registration`], as a `proc_handler`.
unsafe extern "C" fn handle<T: Sysctls>(
    table: *const bindings::ctl_table,
    dir: c_int,
    buffer: *mut c_void,
    len: *mut usize,
    pos: *mut bindings::loff_t,
) -> c_int {
    // SAFETY: By the invariant of the registration, which isn't dropped before this returns.
    unsafe {
        answer(table, dir, buffer, len, pos, |_: &T| {
            T::WRITER.is_none_or(capable)
        })
    }
}

/// Does what was asked of a file.
///
/// # Safety
///
/// These are the arguments of a `proc_handler` for a table that [`File::table`] made, and the target
/// that it got lives until this returns.
pub(super) unsafe fn answer<T: 'static>(
    table: *const bindings::ctl_table,
    dir: c_int,
    buffer: *mut c_void,
    len: *mut usize,
    pos: *mut bindings::loff_t,
    may_write: impl FnOnce(&T) -> bool,
) -> c_int {
    // SAFETY: The caller's promise.
    let (target, file) = unsafe {
        (
            &*(*table).data.cast::<T>(),
            &*(*table).extra1.cast::<File<T>>(),
        )
    };
    // INVARIANT: The caller's promise.
    let call = Call {
        table,
        dir,
        buffer,
        len,
        pos,
    };
    from_result(|| {
        if !call.is_read() && !may_write(target) {
            return Err(EPERM);
        }
        match &file.value {
            Value::Int(access) => access.answer(target, &call)?,
            Value::ULong(access) => access.answer(target, &call)?,
            Value::Atomic(range, number) => {
                let number = number(target);
                let get = || number.load(Relaxed);
                call.answer(range, get, |new| {
                    number.store(new, Relaxed);
                    Ok(())
                })?;
            }
        }
        Ok(0)
    })
}

impl<T: 'static, N: Number> Access<T, N> {
    fn answer(&self, target: &T, call: &Call) -> Result {
        let get = || (self.get)(target);
        call.answer(&self.range, get, |number| {
            self.set.ok_or(EPERM)?(target, number)
        })
    }
}

/// A read or a write.
///
/// # Invariants
///
/// The arguments of a `proc_handler`, which hasn't returned yet.
struct Call {
    table: *const bindings::ctl_table,
    dir: c_int,
    buffer: *mut c_void,
    len: *mut usize,
    pos: *mut bindings::loff_t,
}

impl Call {
    fn is_read(&self) -> bool {
        self.dir == 0
    }

    fn answer<N: Number>(
        &self,
        range: &RangeInclusive<N>,
        get: impl FnOnce() -> N,
        set: impl FnOnce(N) -> Result,
    ) -> Result {
        if self.is_read() {
            return self.convert(&mut get(), range);
        }
        match self.parse(range)? {
            Some(number) => set(number),
            None => Ok(()),
        }
    }

    /// Lets the kernel's function print the number, or overwrite it with the one that was written.
    fn convert<N: Number>(&self, number: &mut N, range: &RangeInclusive<N>) -> Result {
        // SAFETY: The pointers are valid by the type's invariant. `N` is what the function takes
        // the data and the bounds for.
        unsafe {
            let mut table = *self.table;
            table.data = core::ptr::from_mut(number).cast();
            table.maxlen = size_of::<N>() as c_int;
            table.extra1 = core::ptr::from_ref(range.start()).cast_mut().cast();
            table.extra2 = core::ptr::from_ref(range.end()).cast_mut().cast();
            to_result(N::CONVERT(
                &table,
                self.dir,
                self.buffer,
                self.len,
                self.pos,
            ))
        }
    }

    /// The number that was written, or [`None`] if the kernel ignores the write.
    fn parse<N: Number>(&self, range: &RangeInclusive<N>) -> Result<Option<N>> {
        // A write that is ignored doesn't fail, and leaves the variable as it is. That shows if
        // two variables, which differ, do so after the same write.
        let (mut first, mut second) = (N::MIN, N::MAX);
        // SAFETY: The pointers are valid by the type's invariant.
        let (len, pos) = unsafe { (*self.len, *self.pos) };
        self.convert(&mut first, range)?;
        // SAFETY: As above.
        unsafe {
            *self.len = len;
            *self.pos = pos;
        }
        self.convert(&mut second, range)?;
        Ok((first == second).then_some(first))
    }
}

/// A number as the kernel's functions know it.
///
/// # Safety
///
/// [`Self::CONVERT`] is a `proc_handler` that reads or writes `maxlen` bytes of such numbers at
/// `data`, and reads one at `extra1` and one at `extra2`.
unsafe trait Number: Copy + PartialEq {
    const MIN: Self;
    const MAX: Self;
    const CONVERT: Handler;
}

// SAFETY: The function is the one for `int`.
unsafe impl Number for c_int {
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
    const CONVERT: Handler = bindings::proc_dointvec_minmax;
}

// SAFETY: The function is the one for `unsigned long`.
unsafe impl Number for c_ulong {
    const MIN: Self = Self::MIN;
    const MAX: Self = Self::MAX;
    const CONVERT: Handler = bindings::proc_doulongvec_minmax;
}
