// SPDX-License-Identifier: GPL-2.0

//! Cgroups of the v2 hierarchy, and what the kernel counts for them.
//!
//! C headers: [`include/linux/cgroup.h`](srctree/include/linux/cgroup.h),
//! `include/linux/tkernel/procview.h`

use super::{
    bindings,
    disk::Disk,
    memcg::MemCgroup, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask,
    ffi::c_void,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque,
};

/// A cgroup of the v2 hierarchy.
#[repr(transparent)]
pub(crate) struct Cgroup(Opaque<bindings::cgroup>);

// SAFETY: What is used of it here doesn't depend on the thread.
unsafe impl Send for Cgroup {}
// SAFETY: As above; what changes is read atomically, or as the kernel reads it.
unsafe impl Sync for Cgroup {}

// SAFETY: The functions count the references of the cgroup's own css, which keep it.
unsafe impl AlwaysRefCounted for Cgroup {
    fn inc_ref(&self) {
        // SAFETY: A reference exists.
        unsafe { bindings::tk_helper_cgroup_get(self.as_ptr()) };
    }

    unsafe fn dec_ref(this: NonNull<Self>) {
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::tk_helper_cgroup_put(this.as_ptr().cast()) };
    }
}

impl Cgroup {
    /// # Safety
    ///
    /// `ptr` is a cgroup to which there is a reference for the lifetime of the result.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::cgroup) -> &'a Self {
        // SAFETY: The caller's promise; the type is transparent.
        unsafe { &*ptr.cast() }
    }

    /// # Safety
    ///
    /// `ptr` is null or comes with a reference that the caller gives away.
    unsafe fn from_owned(ptr: *mut bindings::cgroup) -> Option<ARef<Self>> {
        // SAFETY: The caller's promise.
        NonNull::new(ptr.cast()).map(|ptr| unsafe { ARef::from_raw(ptr) })
    }

    fn as_ptr(&self) -> *mut bindings::cgroup {
        self.0.get()
    }

    /// The root of current's cgroup namespace, unless it is the root of all.
    pub(crate) fn root_of_namespace() -> Option<ARef<Self>> {
        // SAFETY: The function takes a reference.
        unsafe { Self::from_owned(bindings::tk_helper_cgroup_of_namespace()) }
    }

    /// The cgroup of the init process of current's pid namespace, unless that is the initial one,
    /// or the cgroup the root of all.
    pub(crate) fn of_init() -> Option<ARef<Self>> {
        // SAFETY: The function takes a reference.
        unsafe { Self::from_owned(bindings::tk_helper_cgroup_of_init()) }
    }

    /// When the outermost of current's pid namespaces began whose init process is in the cgroup or
    /// below: nanoseconds since boot. [`None`] if there is none.
    pub(crate) fn pid_namespace_start(&self) -> Option<u64> {
        // SAFETY: The cgroup is valid.
        let start = unsafe { bindings::tk_helper_pid_namespace_start(self.as_ptr()) };
        (start > 0).then_some(start)
    }

    /// The cgroup above.
    pub(crate) fn parent(&self) -> Option<&Self> {
        // SAFETY: The cgroup is valid.
        let parent = unsafe { bindings::tk_helper_cgroup_parent(self.as_ptr()) };
        // SAFETY: A cgroup holds a reference to its parent.
        (!parent.is_null()).then(|| unsafe { Self::from_raw(parent) })
    }

    /// The cgroup and those above, but for the root.
    pub(crate) fn lineage(&self) -> impl Iterator<Item = &Self> {
        core::iter::successors(Some(self), |cgroup| cgroup.parent())
            .take_while(|cgroup| cgroup.parent().is_some())
    }

    /// Its number, which no other cgroup has had or will have.
    pub(crate) fn id(&self) -> u64 {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_cgroup_id(self.as_ptr()) }
    }

    /// Whether it has been removed. Once yes, always yes; who hears of the end of cgroups
    /// ([`super::cgroup_files::CgroupEnd`]) does so after it is yes.
    pub(crate) fn is_dead(&self) -> bool {
        // SAFETY: The cgroup is valid.
        unsafe { bindings::tk_helper_cgroup_is_dead(self.as_ptr()) }
    }

    /// What a controller has for it: its own, or that of the nearest one above that has some.
    pub(crate) fn controlled<C: Controller>(&self) -> Option<Controlled<C>> {
        // SAFETY: The cgroup is valid, and the function takes a reference.
        let css = unsafe { bindings::tk_helper_cgroup_css(self.as_ptr(), C::ID) };
        // INVARIANT: A css of that controller, by the function's contract.
        NonNull::new(css).map(|css| Controlled(css, PhantomData))
    }

    /// Brings [`Cgroup::cpu_time`] up to date. May sleep.
    pub(crate) fn flush_cpu_time(&self) {
        // SAFETY: The cgroup is valid and its own css lives as long.
        unsafe { bindings::css_rstat_flush(bindings::tk_helper_cgroup_self(self.as_ptr())) };
    }

    /// The CPU time of the cgroup, which isn't the root, and those below: on one CPU, or on all.
    pub(crate) fn cpu_time(&self, cpu: Option<CpuId>) -> CpuTime {
        let cpu = cpu.map_or(-1, |cpu| i32::try_from(cpu.as_u32()).unwrap_or(-1));
        // SAFETY: The cgroup is valid, and the number is a CPU's or -1.
        let time = unsafe { bindings::tkernel_cgroup_cputime(self.as_ptr(), cpu) };
        CpuTime {
            exec: time.exec,
            user: time.user,
            nice: time.nice,
            system: time.system,
        }
    }

    /// How long none of the threads of the cgroup, which isn't the root, and those below could run
    /// on a CPU while one or more waited for I/O: nanoseconds, of which the kernel keeps 32 bits. 0
    /// where it doesn't count them.
    pub(crate) fn io_wait(&self, cpu: CpuId) -> u32 {
        let cpu = i32::try_from(cpu.as_u32()).unwrap_or(0);
        // SAFETY: The cgroup is valid, and the number is a CPU's.
        unsafe { bindings::tkernel_cgroup_iowait(self.as_ptr(), cpu) as u32 }
    }

    /// The same for all CPUs in proportion to what it had to do there, as the kernel found it within
    /// the last two seconds that it had something to do: nanoseconds.
    pub(crate) fn io_wait_in_all(&self) -> u64 {
        // SAFETY: The cgroup is valid, and -1 stands for all.
        unsafe { bindings::tkernel_cgroup_iowait(self.as_ptr(), -1) }
    }

    /// Looks at all threads of the cgroup and those below. May sleep.
    pub(crate) fn tasks(&self) -> Tasks {
        // SAFETY: The cgroup is valid.
        let tasks = unsafe { bindings::tkernel_cgroup_tasks(self.as_ptr()) };
        Tasks {
            threads: tasks.threads,
            running: tasks.running,
            blocked: tasks.blocked,
            iowait: tasks.iowait,
            switches: tasks.switches,
            oldest: tasks.oldest,
        }
    }
}

/// CPU time in nanoseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct CpuTime {
    /// All.
    pub(crate) exec: u64,
    /// What ticks found in user mode, niced included.
    pub(crate) user: u64,
    /// What ticks found niced.
    pub(crate) nice: u64,
    /// What ticks found in the kernel.
    pub(crate) system: u64,
}

/// Numbers of threads.
#[derive(Clone, Copy)]
pub(crate) struct Tasks {
    pub(crate) threads: usize,
    /// Those that have a CPU or wait for one.
    pub(crate) running: usize,
    /// Those that wait and count as load.
    pub(crate) blocked: usize,
    /// Those that wait for I/O.
    pub(crate) iowait: usize,
    /// Context switches of these, of threads of theirs that ended, and of children that they
    /// waited for.
    pub(crate) switches: u64,
    /// When the first of them began, in nanoseconds since boot; [`u64::MAX`] without any.
    pub(crate) oldest: u64,
}

/// Bytes and operations: of reads, writes and discards.
#[derive(Clone, Copy)]
pub(crate) struct Io {
    pub(crate) bytes: [u64; 3],
    pub(crate) ios: [u64; 3],
}

impl From<&bindings::tkernel_cgroup_io> for Io {
    fn from(io: &bindings::tkernel_cgroup_io) -> Self {
        Self {
            bytes: io.bytes,
            ios: io.ios,
        }
    }
}

/// A controller.
pub(crate) trait Controller {
    /// Its number.
    const ID: u32;
}

/// The memory controller.
pub(crate) struct Memory;
/// The cpuset controller.
pub(crate) struct Cpuset;
/// The cpu controller.
pub(crate) struct Cpu;
/// The io controller.
pub(crate) struct IoController;
/// The cpuacct controller, which is cgroup v1's.
#[cfg(CONFIG_CGROUP_CPUACCT)]
pub(crate) struct Cpuacct;

impl Controller for Memory {
    const ID: u32 = bindings::cgroup_subsys_id_memory_cgrp_id;
}
impl Controller for Cpuset {
    const ID: u32 = bindings::cgroup_subsys_id_cpuset_cgrp_id;
}
impl Controller for Cpu {
    const ID: u32 = bindings::cgroup_subsys_id_cpu_cgrp_id;
}
#[cfg(CONFIG_CGROUP_CPUACCT)]
impl Controller for Cpuacct {
    const ID: u32 = bindings::cgroup_subsys_id_cpuacct_cgrp_id;
}
impl Controller for IoController {
    const ID: u32 = bindings::cgroup_subsys_id_io_cgrp_id;
}

/// What a controller has for a cgroup.
///
/// # Invariants
///
/// A css of the controller, to which there is a reference.
pub(crate) struct Controlled<C>(NonNull<bindings::cgroup_subsys_state>, PhantomData<C>);

impl<C> Drop for Controlled<C> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant there is a reference to give back.
        unsafe { bindings::tk_helper_css_put(self.0.as_ptr()) };
    }
}

impl<C> Controlled<C> {
    pub(super) fn as_ptr(&self) -> *mut bindings::cgroup_subsys_state {
        self.0.as_ptr()
    }

    /// Whether it is the root's, that is: the controller is on for none of the cgroups asked.
    pub(crate) fn is_root(&self) -> bool {
        // SAFETY: The css is valid.
        unsafe { (*self.0.as_ptr()).parent.is_null() }
    }
}

impl Controlled<Memory> {
    /// The memory cgroup.
    pub(crate) fn memcg(&self) -> &MemCgroup {
        // SAFETY: By the type's invariant a css of the memory controller, and there is a reference
        // to it as long as `self` lives.
        unsafe { MemCgroup::from_raw(bindings::tk_helper_css_memcg(self.0.as_ptr())) }
    }
}

impl Controlled<Cpuset> {
    /// Sets `cpus` to those that it may use and that are online. Returns whether there are any.
    pub(crate) fn cpus(&self, cpus: &mut Cpumask) -> bool {
        // SAFETY: By the type's invariant a css of the cpuset controller.
        unsafe { bindings::tkernel_cgroup_cpus(self.0.as_ptr(), cpus.as_raw()) }
    }
}

impl Controlled<Cpu> {
    /// `cpu.max`, if it has one: CPU time in each period, and the period, in nanoseconds.
    pub(crate) fn bandwidth(&self) -> Option<(u64, u64)> {
        let (mut quota, mut period) = (0, 0);
        // SAFETY: By the type's invariant a css of the cpu controller.
        unsafe { bindings::tkernel_cgroup_bandwidth(self.0.as_ptr(), &mut quota, &mut period) }
            .then_some((quota, period))
    }

    /// How long `cpu.max` denied CPUs to it, in nanoseconds: the sum over all CPUs.
    pub(crate) fn throttled(&self) -> u64 {
        // SAFETY: By the type's invariant a css of the cpu controller.
        unsafe { bindings::tkernel_cgroup_throttled(self.0.as_ptr()) }
    }
}

impl Controlled<IoController> {
    /// Brings [`Controlled::with_disk`] and [`Controlled::with_all`] up to date. May sleep.
    pub(crate) fn flush(&self) {
        // SAFETY: The css is valid.
        unsafe { bindings::css_rstat_flush(self.0.as_ptr()) };
    }

    /// I/O of the cgroup and those below with a disk. [`None`] if there was none.
    pub(crate) fn with_disk(&self, disk: &Disk) -> Option<Io> {
        let mut io = bindings::tkernel_cgroup_io::default();
        // SAFETY: By the type's invariant a css of the io controller; the disk is valid.
        unsafe { bindings::tkernel_cgroup_io(self.0.as_ptr(), disk.as_ptr(), &mut io) }
            .then(|| Io::from(&io))
    }

    /// I/O of the cgroup and those below with all disks.
    pub(crate) fn with_all(&self) -> Io {
        let mut io = bindings::tkernel_cgroup_io::default();
        // SAFETY: As above; a null pointer means all disks.
        unsafe {
            bindings::tkernel_cgroup_io(self.0.as_ptr(), core::ptr::null_mut(), &mut io);
        }
        Io::from(&io)
    }
}

impl Controlled<IoController> {
    /// Calls `with` for each disk that the cgroup or one below has used, with that I/O.
    ///
    /// It is called with a spinlock held and must not sleep.
    pub(crate) fn with_each(&self, mut with: impl FnMut(&Disk, &Io)) {
        /// # Safety
        ///
        /// `data` is an `F` that nobody else uses; the other pointers are valid.
        unsafe extern "C" fn call<F: FnMut(&Disk, &Io)>(
            disk: *mut bindings::gendisk,
            io: *const bindings::tkernel_cgroup_io,
            data: *mut c_void,
        ) {
            // SAFETY: The caller's promise.
            let (disk, io, with) = unsafe { (Disk::from_raw(disk), &*io, &mut *data.cast::<F>()) };
            with(disk, &Io::from(io));
        }

        type EachDisk = unsafe extern "C" fn(
            *mut bindings::gendisk,
            *const bindings::tkernel_cgroup_io,
            *mut c_void,
        );

        fn callback<F: FnMut(&Disk, &Io)>(_: &F) -> EachDisk {
            call::<F>
        }

        let callback = callback(&with);
        // SAFETY: By the type's invariant a css of the io controller. The function calls `callback`
        // before it returns, one call at a time.
        unsafe {
            bindings::tkernel_cgroup_each_disk(
                self.0.as_ptr(),
                Some(callback),
                (&raw mut with).cast(),
            );
        }
    }
}
