// SPDX-License-Identifier: GPL-2.0

//! Misc devices with what the kernel crate's don't offer: a fixed minor, a mode, 32-bit callers,
//! read-only counters in sysfs, and a target that the device shares with the rest of its module.
//!
//! A device answers ioctl(2). read(2) and write(2) give `EINVAL`, seeking does nothing. mmap(2)
//! and poll(2) aren't supported.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use super::bindings;
use kernel::{
    container_of,
    error::to_result,
    ffi::{
        c_char,
        c_int,
        c_long,
        c_uint,
        c_ulong, //
    },
    module::{
        this_module,
        ModuleMetadata, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// How a device is made.
pub(crate) struct Options {
    /// Its name in `/dev` and in `/sys/class/misc`.
    pub(crate) name: &'static CStr,
    /// The minor number that it has unless somebody else has it.
    pub(crate) minor: u8,
    /// The mode of the device file that the kernel makes.
    pub(crate) mode: u16,
}

/// Who calls ioctl(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A program with the kernel's own word size.
    Native,
    /// A 32-bit program on a 64-bit kernel.
    Compat,
}

/// A number that a device shows in sysfs.
pub(crate) struct Counter<T> {
    /// The name of the file.
    pub(crate) name: &'static CStr,
    /// What it shows. May sleep.
    pub(crate) value: fn(&T) -> u64,
}

/// What a device does.
pub(crate) trait MiscDevice: Sized + Send + Sync + 'static {
    /// The module that has the device: it stays loaded while the device is open.
    type Module: ModuleMetadata;

    /// The files in `/sys/class/misc/NAME`, mode 0444.
    const COUNTERS: &'static [Counter<Self>];

    /// ioctl(2). May sleep.
    fn ioctl(&self, caller: Caller, cmd: u32, arg: usize) -> Result<isize>;
}

/// Holds a device as long as it lives.
///
/// Must be the last thing that a module makes when it loads: a program may open the device as soon
/// as it is there, and has to be able to close it.
///
/// # Invariants
///
/// `misc` is registered, its groups lead to `files`, and `target` lives as long.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: MiscDevice> {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    files: Files<T>,
    target: Arc<T>,
}

// SAFETY: A device may be unregistered by another thread than the one that registered it.
unsafe impl<T: MiscDevice> Send for Registration<T> {}
// SAFETY: There is nothing to do with a shared reference but to find the target, which is `Sync`.
unsafe impl<T: MiscDevice> Sync for Registration<T> {}

impl<T: MiscDevice> Registration<T> {
    /// Makes the device.
    pub(crate) fn new(options: Options, target: Arc<T>) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let mut files = Files::new()?;
            let groups = files.groups.as_mut_ptr();
            Ok(try_pin_init!(Self {
                files,
                target,
                misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                    let mut misc: bindings::miscdevice = pin_init::zeroed();
                    misc.minor = c_int::from(options.minor);
                    misc.name = options.name.as_char_ptr();
                    misc.fops = &Self::FOPS;
                    misc.mode = options.mode;
                    misc.groups = groups;
                    // SAFETY: The slot is valid for writing and pinned. What it points to is owned
                    // by the value that it is part of, or static.
                    // INVARIANT: Registered if one of the calls returns 0.
                    unsafe {
                        slot.write(misc);
                        match bindings::misc_register(slot) {
                            error if error == EBUSY.to_errno() => {}
                            result => return to_result(result),
                        }
                        misc.minor = bindings::MISC_DYNAMIC_MINOR as c_int;
                        slot.write(misc);
                        to_result(bindings::misc_register(slot))
                    }
                }),
            }? Error))
        })
    }

    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: this_module::<T::Module>().as_ptr(),
        llseek: Some(bindings::noop_llseek),
        unlocked_ioctl: Some(Self::ioctl),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: Some(Self::compat_ioctl),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `misc` is the device of a registration that stays for `'a`.
    unsafe fn target<'a>(misc: *mut bindings::miscdevice) -> &'a T {
        // SAFETY: The caller's promise; `Opaque` is transparent.
        unsafe { &(*container_of!(Opaque::cast_from(misc), Self, misc)).target }
    }

    /// # Safety
    ///
    /// `file` is open on the device of a registration.
    unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: `misc_open()` left the device in the file's private data. The registration isn't
        // dropped while a file is open, which keeps the module loaded.
        let target = unsafe { Self::target((*file).private_data.cast()) };
        answer(target.ioctl(Caller::Native, cmd, arg))
    }

    /// # Safety
    ///
    /// `file` is open on the device of a registration.
    #[cfg(CONFIG_COMPAT)]
    unsafe extern "C" fn compat_ioctl(
        file: *mut bindings::file,
        cmd: c_uint,
        arg: c_ulong,
    ) -> c_long {
        // SAFETY: As in `ioctl()`.
        let target = unsafe { Self::target((*file).private_data.cast()) };
        // The upper half of a 32-bit program's argument is nothing that it passed.
        answer(target.ioctl(Caller::Compat, cmd, arg & u32::MAX as usize))
    }
}

#[pinned_drop]
impl<T: MiscDevice> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type's invariant. Returns when nobody reads the files of the
        // device any more.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

fn answer(result: Result<isize>) -> c_long {
    match result {
        Ok(value) => value as c_long,
        Err(error) => error.to_errno() as c_long,
    }
}

/// A counter's file.
#[repr(C)]
struct File<T: 'static> {
    raw: bindings::device_attribute,
    counter: &'static Counter<T>,
}

/// The files of a device, with the lists that C wants of them.
///
/// # Invariants
///
/// The lists end with null and lead to `files`; all of it stays where it is.
struct Files<T: 'static> {
    files: KVec<File<T>>,
    attributes: KVec<*mut bindings::attribute>,
    group: KBox<bindings::attribute_group>,
    groups: KVec<*const bindings::attribute_group>,
}

impl<T: MiscDevice> Files<T> {
    fn new() -> Result<Self> {
        let mut files = KVec::with_capacity(T::COUNTERS.len(), GFP_KERNEL)?;
        for counter in T::COUNTERS {
            let mut raw: bindings::device_attribute = pin_init::zeroed();
            raw.attr.name = counter.name.as_char_ptr();
            raw.attr.mode = 0o444;
            raw.__bindgen_anon_1.show = Some(show::<T>);
            // The file comes and goes with the module, and lockdep wants keys that stay.
            #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
            raw.attr.set_ignore_lockdep(true);
            files.push(File { raw, counter }, GFP_KERNEL)?;
        }

        let mut attributes = KVec::with_capacity(files.len() + 1, GFP_KERNEL)?;
        for file in files.iter_mut() {
            attributes.push(&raw mut file.raw.attr, GFP_KERNEL)?;
        }
        attributes.push(core::ptr::null_mut(), GFP_KERNEL)?;

        let mut group: bindings::attribute_group = pin_init::zeroed();
        group.__bindgen_anon_2.attrs = attributes.as_mut_ptr();
        let group = KBox::new(group, GFP_KERNEL)?;

        let mut groups = KVec::with_capacity(2, GFP_KERNEL)?;
        groups.push(&raw const *group, GFP_KERNEL)?;
        groups.push(core::ptr::null(), GFP_KERNEL)?;

        // INVARIANT: Made so above; the vectors don't grow any more.
        Ok(Self {
            files,
            attributes,
            group,
            groups,
        })
    }
}

/// # Safety
///
/// Called by sysfs for a file of a registered device: `attr` is part of a [`File`], `buf` is a page.
unsafe extern "C" fn show<T: MiscDevice>(
    device: *mut bindings::device,
    attr: *mut bindings::device_attribute,
    buf: *mut c_char,
) -> isize {
    // SAFETY: The attribute is the first member of a `#[repr(C)]` structure. The misc core made the
    // device with the `struct miscdevice` as its data. Neither goes before sysfs is done with it.
    let (counter, target) = unsafe {
        (
            (*attr.cast::<File<T>>()).counter,
            Registration::<T>::target(bindings::dev_get_drvdata(device).cast()),
        )
    };
    // SAFETY: `buf` is a page, and the format fits the argument.
    let len =
        unsafe { bindings::sysfs_emit(buf, c"%llu\n".as_char_ptr(), (counter.value)(target)) };
    len as isize
}
