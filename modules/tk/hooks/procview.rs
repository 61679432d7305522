// SPDX-License-Identifier: GPL-2.0

//! The hook where the kernel tells readers about the machine.
//!
//! C header: `include/linux/tkernel/procview.h`

use super::{
    super::{
        bindings,
        disk::Disk,
        text::Text,
        vmstat::Counters, //
    },
    RawHook, //
};
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask,
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
};

/// Answers readers in a cgroup or pid namespace of their own.
///
/// Context of all: process context of the reader, may sleep. The lock of what is read may be held,
/// for [`File::Swaps`] that of all changes to swap too.
pub(crate) trait ProcviewHook: Send + Sync {
    /// Writes what current is to see in place of a file, or returns [`None`] and writes nothing if
    /// it is to see the machine's.
    fn show(&self, file: File<'_>, text: &mut Text<'_>) -> Option<()>;

    /// Fills in the counters of `/proc/vmstat`, which are 0.
    fn vmstat(&self, counters: &mut Counters<'_>) -> Option<()>;

    /// The CPU with that index in `/proc/cpuinfo`. `Some(None)` behind the last one.
    fn cpu(&self, index: u32) -> Option<Option<ShownCpu>>;

    /// Adds the CPUs that there are to `cpus`, which is empty.
    fn cpus(&self, cpus: &mut Cpumask) -> Option<()>;

    /// What sysinfo(2) tells.
    fn sysinfo(&self) -> Option<Sysinfo>;

    /// When the time that current sees began, in nanoseconds since boot.
    fn start(&self) -> u64;
}

/// What is shown.
pub(crate) enum File<'a> {
    /// `/proc/meminfo` up to the lines about huge pages.
    Meminfo,
    /// `/proc/stat`.
    Stat,
    /// `/proc/loadavg`.
    Loadavg,
    /// `/proc/uptime`.
    Uptime,
    /// A line of `/proc/swaps`; [`Text::index`] says which.
    Swaps,
    /// A disk and its partitions in `/proc/diskstats`.
    Diskstats(&'a Disk),
    /// The numbers of a disk, or of one of its partitions, in sysfs.
    DiskStat { disk: &'a Disk, is_partition: bool },
}

/// A CPU in `/proc/cpuinfo`.
pub(crate) struct ShownCpu {
    /// Which it is.
    pub(crate) cpu: CpuId,
    /// The number that it is shown with.
    pub(crate) number: u32,
    /// How many of those shown are in its package.
    pub(crate) siblings: u32,
    /// How many cores these are.
    pub(crate) cores: u32,
}

impl From<&ShownCpu> for bindings::tkernel_procview_cpu {
    fn from(shown: &ShownCpu) -> Self {
        Self {
            cpu: shown.cpu.as_u32(),
            number: shown.number,
            siblings: shown.siblings,
            cores: shown.cores,
        }
    }
}

/// What sysinfo(2) tells. Memory is in pages.
#[derive(Default)]
pub(crate) struct Sysinfo {
    /// Seconds; a part of one counts as one.
    pub(crate) uptime: u64,
    /// Load averages in parts of 65536.
    pub(crate) loads: [u64; 3],
    pub(crate) total: usize,
    pub(crate) free: usize,
    pub(crate) shared: usize,
    pub(crate) buffers: usize,
    pub(crate) swap_total: usize,
    pub(crate) swap_free: usize,
    pub(crate) threads: usize,
}

/// Holds the procview hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The procview hook.
pub(crate) struct Hook;

// SAFETY: The ops get back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: ProcviewHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_procview_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            show: Some(show::<T>),
            vmstat: Some(vmstat::<T>),
            cpu: Some(cpu::<T>),
            cpus: Some(cpus::<T>),
            sysinfo: Some(sysinfo::<T>),
            boottime: Some(boottime::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_procview_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_procview_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `file` is locked, and `v` is a disk or a
/// block device if `which` says so.
unsafe extern "C" fn show<T: ProcviewHook>(
    which: bindings::tkernel_procview_file,
    file: *mut bindings::seq_file,
    v: *mut c_void,
    data: *mut c_void,
) -> bool {
    let which = match which {
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_MEMINFO => File::Meminfo,
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_STAT => File::Stat,
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_LOADAVG => File::Loadavg,
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_UPTIME => File::Uptime,
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_SWAPS => File::Swaps,
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_DISKSTATS => {
            // SAFETY: A disk, by the caller's promise, which the file's iterator holds.
            File::Diskstats(unsafe { Disk::from_raw(v.cast()) })
        }
        bindings::tkernel_procview_file_TKERNEL_PROCVIEW_BDEV_STAT => {
            // SAFETY: A block device, by the caller's promise, whose file is being read. It belongs
            // to a disk.
            let (disk, is_partition) = unsafe {
                (
                    Disk::from_raw((*v.cast::<bindings::block_device>()).bd_disk),
                    bindings::tk_helper_is_partition(v.cast()),
                )
            };
            File::DiskStat { disk, is_partition }
        }
        _ => return false,
    };
    // SAFETY: The caller's promise, for the time of this call.
    let (this, mut text) = unsafe { (&*data.cast::<T>(), Text::from_raw(file)) };
    this.show(which, &mut text).is_some()
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `stat` has all counters.
unsafe extern "C" fn vmstat<T: ProcviewHook>(
    stat: *const bindings::tkernel_procview_vmstat,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, mut counters) = unsafe { (&*data.cast::<T>(), Counters::from_raw(stat)) };
    this.vmstat(&mut counters).is_some()
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `cpu` is valid for writing.
unsafe extern "C" fn cpu<T: ProcviewHook>(
    index: c_uint,
    cpu: *mut bindings::tkernel_procview_cpu,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let this = unsafe { &*data.cast::<T>() };
    match this.cpu(index) {
        None => ENOENT.to_errno(),
        Some(None) => ENODATA.to_errno(),
        Some(Some(shown)) => {
            // SAFETY: The caller's promise.
            unsafe { cpu.write((&shown).into()) };
            0
        }
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, nobody else uses `mask`.
unsafe extern "C" fn cpus<T: ProcviewHook>(
    mask: *mut bindings::cpumask,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, mask) = unsafe { (&*data.cast::<T>(), Cpumask::from_raw_mut(mask)) };
    this.cpus(mask).is_some()
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, nobody else uses `info`, which is 0.
unsafe extern "C" fn sysinfo<T: ProcviewHook>(
    info: *mut bindings::sysinfo,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, info) = unsafe { (&*data.cast::<T>(), &mut *info) };
    let Some(view) = this.sysinfo() else {
        return false;
    };
    let memory = |pages: usize| pages.saturating_mul(kernel::page::PAGE_SIZE);
    info.uptime = isize::try_from(view.uptime).unwrap_or(isize::MAX);
    for (load, view) in info.loads.iter_mut().zip(view.loads) {
        *load = usize::try_from(view).unwrap_or(usize::MAX);
    }
    info.totalram = memory(view.total);
    info.freeram = memory(view.free);
    info.sharedram = memory(view.shared);
    info.bufferram = memory(view.buffers);
    info.totalswap = memory(view.swap_total);
    info.freeswap = memory(view.swap_free);
    info.procs = u16::try_from(view.threads).unwrap_or(u16::MAX);
    info.mem_unit = 1;
    true
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration.
unsafe extern "C" fn boottime<T: ProcviewHook>(data: *mut c_void) -> u64 {
    // SAFETY: The caller's promise, for the time of this call.
    let this = unsafe { &*data.cast::<T>() };
    this.start()
}
