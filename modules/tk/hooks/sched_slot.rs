// SPDX-License-Identifier: GPL-2.0

//! The slot for a scheduling class below fair.
//!
//! The kernel keeps the tasks and picks the one with the least key; a [`Class`] says what the keys
//! are, where tasks go and when one has run for long enough. It sees a task as an [`Entity`] and a
//! run queue as a [`Queue`], which are numbers, and every answer is a number that the kernel
//! checks. So nothing that safe code does here can lose a task or run one where it may not.
//!
//! C header: `include/linux/tkernel/sched_slot.h`

use super::{
    super::bindings,
    RawHook, //
};
use core::mem::MaybeUninit;
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask,
    ffi::{
        c_int,
        c_void, //
    },
    seq_file::SeqFile,
};

/// How many numbers of its own a class has in each [`Entity`].
pub(crate) const TASK_NUMBERS: usize = 6;
/// And in each [`Queue`].
pub(crate) const QUEUE_NUMBERS: usize = 10;

/// Decides about the tasks of the class.
///
/// Context of all methods: interrupts off, and the lock of the run queue that `queue` is of, or for
/// [`Class::select_cpu`] the lock of the task. They must not sleep, allocate, print, or take a lock
/// that is ever held with interrupts on.
pub(crate) trait Class: Send + Sync {
    /// A task joins the queue; sets its key.
    fn enqueue(&self, queue: &mut Queue, task: &mut Entity, why: Why);

    /// A task leaves the queue.
    fn dequeue(&self, queue: &mut Queue, task: &mut Entity, why: Why);

    /// A task begins to run after it waited for so many nanoseconds.
    fn run(&self, queue: &mut Queue, task: &mut Entity, waited: u64);

    /// A task ran for so many nanoseconds; advances its key. Returns for how many nanoseconds the
    /// class may not run on this CPU, or 0.
    fn charge(&self, queue: &mut Queue, task: &mut Entity, ran: u64) -> u64;

    /// A tick hit a task while others wait. Returns whether the first of them is next.
    fn tick(&self, queue: &mut Queue, task: &mut Entity) -> bool;

    /// A task joined while `running` runs. Returns whether it is next.
    fn preempt(&self, queue: &mut Queue, running: &mut Entity, woken: &Entity) -> bool;

    /// A task gives way to the first that waits.
    fn give_way(&self, queue: &mut Queue, task: &mut Entity);

    /// On which CPU of `allowed` a task is to wake up; `previous` was its last.
    fn select_cpu(&self, task: &Entity, previous: u32, wake: Wake, allowed: &Cpumask) -> u32;

    /// Nobody wants the CPU of `queue`, and tasks wait on CPUs of `waiting`: from which one is to
    /// be fetched.
    fn newidle(&self, queue: &mut Queue, waiting: &Cpumask) -> Option<u32>;

    /// A tick found a task that waits on `queue` and may run on `allowed`: where it is to go.
    fn push(&self, queue: &mut Queue, task: &Entity, allowed: &Cpumask) -> Option<u32>;

    /// A tick found that the class waits behind others, its first for so many nanoseconds. Returns
    /// for how many nanoseconds that one is to run as a normal task, or 0.
    fn floor(&self, queue: &mut Queue, waited: u64) -> u64;
}

/// Why a task joins or leaves a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It woke up or fell asleep.
    Sleep,
    /// It comes from or goes to another CPU.
    Migrate,
    /// It enters or leaves the class, or is new.
    Switch,
    /// Something about it changes; it is back at once.
    Change,
}

impl Why {
    fn from_raw(why: bindings::sched_bt_why) -> Self {
        match why {
            bindings::sched_bt_why_SCHED_BT_SLEEP => Self::Sleep,
            bindings::sched_bt_why_SCHED_BT_MIGRATE => Self::Migrate,
            bindings::sched_bt_why_SCHED_BT_SWITCH => Self::Switch,
            _ => Self::Change,
        }
    }
}

/// What kind of wake-up a CPU is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Wake {
    /// The task is new, or executes a new program: its caches are cold.
    pub(crate) new: bool,
    /// Who wakes it is about to sleep.
    pub(crate) sync: bool,
}

/// A task of the class.
#[repr(transparent)]
pub(crate) struct Entity(bindings::sched_bt_task);

impl Entity {
    /// Its place in the order of its queue. Keys are compared as signed differences.
    #[inline(always)]
    pub(crate) fn key(&self) -> u64 {
        self.0.key
    }

    /// Sets its place. Counts when it joins a queue, and while it runs.
    #[inline(always)]
    pub(crate) fn set_key(&mut self, key: u64) {
        self.0.key = key;
    }

    /// What its nice value weighs, 1024 for nice 0.
    #[inline(always)]
    pub(crate) fn weight(&self) -> u64 {
        // No nice value has less, and it is a divisor.
        u64::from(self.0.weight.max(1))
    }

    /// The class's own numbers, 0 when the task enters it.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[u64; TASK_NUMBERS] {
        &self.0.priv_
    }

    /// The class's own numbers, to change.
    #[inline(always)]
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; TASK_NUMBERS] {
        &mut self.0.priv_
    }
}

/// The run queue of a CPU.
#[repr(transparent)]
pub(crate) struct Queue(bindings::sched_bt_queue);

impl Queue {
    /// The clock of the CPU in nanoseconds, without interrupts and stolen time.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        self.0.now
    }

    /// Whose it is.
    #[inline(always)]
    pub(crate) fn cpu(&self) -> u32 {
        self.0.cpu
    }

    /// The key of the first that waits.
    #[inline(always)]
    pub(crate) fn first_key(&self) -> Option<u64> {
        (self.0.waiting != 0).then_some(self.0.first_key)
    }

    /// How many wait.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> u32 {
        self.0.waiting
    }

    /// How many wait or run.
    #[inline(always)]
    pub(crate) fn queued(&self) -> u32 {
        self.0.queued
    }

    /// How many tasks of other classes are runnable on the CPU.
    #[inline(always)]
    pub(crate) fn online(&self) -> u32 {
        self.0.online
    }

    /// The class's own numbers, 0 when it is registered. Others see the first in [`Facts::load`].
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[u64; QUEUE_NUMBERS] {
        &self.0.priv_
    }

    /// The class's own numbers, to change.
    #[inline(always)]
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; QUEUE_NUMBERS] {
        &mut self.0.priv_
    }
}

/// What a CPU was like a moment ago.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// How many tasks of the class wait or run there.
    pub(crate) queued: u32,
    /// How many others are runnable.
    pub(crate) online: u32,
    /// Nothing runs, and nothing is on its way.
    pub(crate) idle: bool,
    /// The class may not run there.
    pub(crate) throttled: bool,
    /// The first number of the class's own.
    pub(crate) load: u64,
}

impl Facts {
    /// Of a CPU that tasks may go to; [`None`] if there is none of that number. Context: preemption
    /// off.
    pub(crate) fn of(cpu: u32) -> Option<Self> {
        let mut facts = MaybeUninit::<bindings::sched_bt_cpu>::zeroed();
        // SAFETY: The function takes any number, and writes to `facts`. It reads the words of a
        // run queue without its lock.
        if !unsafe { bindings::sched_bt_cpu(cpu.try_into().ok()?, facts.as_mut_ptr()) } {
            return None;
        }
        // SAFETY: All bytes were 0, which is valid, before the function wrote to them.
        let facts = unsafe { facts.assume_init() };
        Some(Self {
            queued: facts.queued,
            online: facts.online,
            idle: facts.idle,
            throttled: facts.throttled,
            load: facts.load,
        })
    }
}

/// Whether two CPUs share their last cache. Context: preemption off.
pub(crate) fn share_cache(a: u32, b: u32) -> bool {
    match (a.try_into(), b.try_into()) {
        // SAFETY: The function takes any numbers.
        (Ok(a), Ok(b)) => unsafe { bindings::sched_bt_cpus_share_cache(a, b) },
        _ => false,
    }
}

/// The CPUs of a set from `start` on, and round to those before it. Context: preemption off.
pub(crate) fn cpus_from(cpus: &Cpumask, start: u32) -> impl Iterator<Item = u32> + '_ {
    let mut next = i64::from(start) - 1;
    let mut wrapped = false;
    core::iter::from_fn(move || loop {
        // SAFETY: The set is valid, and `next` is -1 or a CPU.
        let cpu = unsafe {
            bindings::tk_helper_cpumask_next(next.try_into().unwrap_or(c_int::MAX), cpus.as_raw())
        };
        match CpuId::from_i32(cpu) {
            Some(cpu) if !(wrapped && cpu.as_u32() >= start) => {
                next = i64::from(cpu.as_u32());
                return Some(cpu.as_u32());
            }
            Some(_) => return None,
            None if wrapped || start == 0 => return None,
            None => {
                wrapped = true;
                next = -1;
            }
        }
    })
}

/// What the slot does beside asking the [`Class`].
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// A task that waits in kernel mode for longer, in nanoseconds, runs as a normal task until it
    /// returns to user mode.
    pub(crate) lift_after: u64,
    /// Leaving the policy needs `CAP_SYS_NICE`.
    pub(crate) leave_needs_cap: bool,
    /// The number of `SCHED_EXT` means the policy too while no sched_ext scheduler is loaded.
    pub(crate) also_ext_number: bool,
}

impl Options {
    /// From now on. To be called before the slot is filled too. Any context.
    pub(crate) fn set(self) {
        let options = bindings::sched_bt_options {
            lift_ns: self.lift_after,
            leave_cap: self.leave_needs_cap,
            also_ext: self.also_ext_number,
        };
        // SAFETY: The options are read before the function returns.
        unsafe { bindings::sched_bt_set_options(&options) };
    }
}

/// What is counted on a CPU while the slot is filled.
pub(crate) fn stat(cpu: CpuId) -> bindings::sched_bt_stat {
    // SAFETY: A `CpuId` is a possible CPU.
    unsafe { bindings::sched_bt_stat(cpu.as_u32() as c_int) }
}

/// How many tasks of the class wait on all CPUs.
pub(crate) fn waiting() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::sched_bt_nr_waiting() }
}

/// Prints `/proc/stat` with the time of the class as one more number in the line of each CPU. May
/// sleep.
pub(crate) fn show_stat(text: &SeqFile) {
    // SAFETY: A `SeqFile` is a `struct seq_file`, which only this thread uses.
    unsafe { bindings::sched_bt_show_stat(core::ptr::from_ref(text).cast_mut().cast()) };
}

/// Lets the class run again on all CPUs where [`Class::charge`] has forbidden it.
pub(crate) fn unthrottle_all() {
    // SAFETY: No requirements but that interrupts may be on, which they are where this is called:
    // in a system call.
    unsafe { bindings::sched_bt_unthrottle_all() };
}

/// Fills the slot as long as it lives. When it is dropped all tasks of the class have become
/// `SCHED_NORMAL`.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The slot.
pub(crate) struct Hook;

// SAFETY: The ops get back the `T` that `ops()` was given; the functions are the slot's.
unsafe impl<T: Class> RawHook<T> for Hook {
    type Ops = bindings::sched_bt_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            enqueue: Some(enqueue::<T>),
            dequeue: Some(dequeue::<T>),
            run: Some(run::<T>),
            charge: Some(charge::<T>),
            tick: Some(tick::<T>),
            preempt: Some(preempt::<T>),
            yield_: Some(give_way::<T>),
            select_cpu: Some(select_cpu::<T>),
            newidle: Some(newidle::<T>),
            push: Some(push::<T>),
            floor: Some(floor::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::sched_bt_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::sched_bt_unregister(ops) };
    }
}

/// The CPU of an answer, for C.
fn to_cpu(cpu: Option<u32>) -> c_int {
    cpu.and_then(|cpu| cpu.try_into().ok()).unwrap_or(-1)
}

/// # Safety
///
/// Called by the slot: `data` is the `T` of the registration, the others belong to the caller.
unsafe extern "C" fn enqueue<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    why: bindings::sched_bt_why,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.enqueue(queue, task, Why::from_raw(why));
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn dequeue<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    why: bindings::sched_bt_why,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.dequeue(queue, task, Why::from_raw(why));
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn run<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    waited: u64,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.run(queue, task, waited);
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn charge<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    ran: u64,
    data: *mut c_void,
) -> u64 {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.charge(queue, task, ran)
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn tick<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.tick(queue, task)
}

/// # Safety
///
/// As for [`enqueue`]; the two tasks differ.
unsafe extern "C" fn preempt<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    woken: *mut bindings::sched_bt_task,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task, woken) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            &mut *task.cast(),
            &*woken.cast(),
        )
    };
    this.preempt(queue, task, woken)
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn give_way<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task) =
        unsafe { (&*data.cast::<T>(), &mut *queue.cast(), &mut *task.cast()) };
    this.give_way(queue, task);
}

/// # Safety
///
/// Called by the slot: `data` is the `T` of the registration, `task` belongs to the caller by its
/// own lock and isn't queued, `allowed` doesn't change under that lock.
unsafe extern "C" fn select_cpu<T: Class>(
    task: *mut bindings::sched_bt_task,
    previous: c_int,
    flags: u32,
    allowed: *const bindings::cpumask,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, task, allowed) = unsafe {
        (
            &*data.cast::<T>(),
            &*task.cast(),
            Cpumask::from_raw(allowed),
        )
    };
    let wake = Wake {
        new: flags & bindings::SCHED_BT_WAKE_NEW != 0,
        sync: flags & bindings::SCHED_BT_WAKE_SYNC != 0,
    };
    match previous.try_into() {
        Ok(previous) => to_cpu(Some(this.select_cpu(task, previous, wake, allowed))),
        Err(_) => previous,
    }
}

/// # Safety
///
/// As for [`enqueue`]; bits of `waiting` may change, which are read one by one.
unsafe extern "C" fn newidle<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    waiting: *const bindings::cpumask,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, waiting) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            Cpumask::from_raw(waiting),
        )
    };
    to_cpu(this.newidle(queue, waiting))
}

/// # Safety
///
/// As for [`enqueue`]; `allowed` doesn't change under the run queue's lock.
unsafe extern "C" fn push<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    task: *mut bindings::sched_bt_task,
    allowed: *const bindings::cpumask,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, task, allowed) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            &*task.cast(),
            Cpumask::from_raw(allowed),
        )
    };
    to_cpu(this.push(queue, task, allowed))
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn floor<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    waited: u64,
    data: *mut c_void,
) -> u64 {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue) = unsafe { (&*data.cast::<T>(), &mut *queue.cast()) };
    this.floor(queue, waited)
}
