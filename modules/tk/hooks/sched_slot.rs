// SPDX-License-Identifier: GPL-2.0

//! The slot for a scheduling class below fair.
//!
//! The kernel keeps the tasks, and groups of them, in levels, and picks the one with the least key;
//! a [`Class`] says what the keys are, where tasks go and when one has run for long enough. It sees a
//! task or a group as a [`Member`] of a [`Level`], and a run queue as a [`Queue`], which are numbers,
//! and every answer is a number that the kernel checks. So nothing that safe code does here can lose
//! a task or run one where it may not. What is set for groups is in [`super::super::sched_group`].
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
    sync::atomic::Atomic,
};

/// How many numbers of its own a class has in each [`Member`].
pub(crate) const MEMBER_NUMBERS: usize = 6;
/// In each [`Level`].
pub(crate) const LEVEL_NUMBERS: usize = 2;
/// In each [`Queue`].
pub(crate) const QUEUE_NUMBERS: usize = 10;
/// And in what is [`Shared`] of a group.
pub(crate) const SHARED_NUMBERS: usize = 8;

/// Decides about the tasks of the class.
///
/// Context of all methods: interrupts off, and the lock of the run queue that `queue` is of, or for
/// [`Class::select_cpu`] the lock of the task. They must not sleep, allocate, print, or take a lock
/// that is ever held with interrupts on.
pub(crate) trait Class: Send + Sync {
    /// A member joins the level; sets its key.
    fn enqueue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, why: Why);

    /// A member leaves the level.
    fn dequeue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, why: Why);

    /// A member begins to run, a task after it waited for so many nanoseconds.
    fn run(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, waited: u64);

    /// A member ran for so many nanoseconds; advances its key.
    fn charge(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, ran: u64);

    /// A tick hit a member while others wait. Returns whether the first of them is next.
    fn tick(&self, queue: &mut Queue, level: &mut Level, member: &mut Member) -> bool;

    /// A member joined while `running` runs. Returns whether it is next.
    fn preempt(
        &self,
        queue: &mut Queue,
        level: &mut Level,
        running: &mut Member,
        woken: &Member,
    ) -> bool;

    /// A task gives way to the first that waits.
    fn give_way(&self, queue: &mut Queue, level: &mut Level, member: &mut Member);

    /// What competes in a group, or what is set for it, may be something else now, or on another
    /// CPU. Sets the group's weight in the level above; returns whether it is another one.
    fn weigh(
        &self,
        queue: &mut Queue,
        above: &mut Level,
        group: &mut Member,
        own: &Level,
        shared: &Shared,
    ) -> bool;

    /// What `load`, a part of the weights in a group's own level, is of those in the level above.
    fn share(&self, group: &Member, own: &Level, load: u64) -> u64;

    /// The class ran for so many nanoseconds. Returns for how many it may not run on this CPU, or 0.
    fn spend(&self, queue: &mut Queue, ran: u64) -> u64;

    /// A group with a limit did. Returns for how many nanoseconds it may not run on this CPU, or 0.
    fn spend_of(&self, queue: &mut Queue, group: &mut Member, shared: &Shared, ran: u64) -> u64;

    /// The last member of a group with a limit left this CPU.
    fn idle(&self, queue: &mut Queue, group: &mut Member, shared: &Shared);

    /// On which CPU of `allowed` a task is to wake up; `previous` was its last.
    fn select_cpu(&self, task: &Member, previous: u32, wake: Wake, allowed: &Cpumask) -> u32;

    /// Nobody wants the CPU of `queue`, and tasks wait on CPUs of `waiting`: from which one is to
    /// be fetched.
    fn newidle(&self, queue: &mut Queue, waiting: &Cpumask) -> Option<u32>;

    /// A tick found a task that waits on `queue` and may run on `allowed`: where it is to go. Its
    /// weight is `load` of those in the queue's own level.
    fn push(&self, queue: &mut Queue, load: u64, allowed: &Cpumask) -> Option<u32>;

    /// A tick found a task of the class running for which no other waits, on a machine whose cores
    /// have several threads; `shared` if something runs on another one of this core. Returns the idle
    /// CPU of `allowed` that the task is to go on running on.
    fn spread(&self, queue: &mut Queue, shared: bool, allowed: &Cpumask) -> Option<u32>;

    /// A tick found that the class waits behind others, its first for so many nanoseconds. Returns
    /// for how many nanoseconds that one is to run as a normal task, or 0.
    fn floor(&self, queue: &mut Queue, waited: u64) -> u64;
}

/// Why a member joins or leaves a level.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It woke up or fell asleep; or a group got its first member, or lost its last.
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

/// A task of the class, or a group on one CPU.
#[repr(transparent)]
pub(crate) struct Member(bindings::sched_bt_member);

impl Member {
    /// Its place in the order of its level. Keys are compared as signed differences.
    #[inline(always)]
    pub(crate) fn key(&self) -> u64 {
        self.0.key
    }

    /// Sets its place. Counts when it joins a level, and while it runs.
    #[inline(always)]
    pub(crate) fn set_key(&mut self, key: u64) {
        self.0.key = key;
    }

    /// What a task's nice value weighs, 1024 for nice 0; what was set for a group.
    #[inline(always)]
    pub(crate) fn weight(&self) -> u64 {
        // No nice value has less, and it is a divisor.
        u64::from(self.0.weight.max(1))
    }

    /// Sets the weight of a group. A task's comes from its nice value.
    #[inline(always)]
    pub(crate) fn set_weight(&mut self, weight: u32) {
        self.0.weight = weight;
    }

    /// Whether it is a group.
    #[inline(always)]
    pub(crate) fn is_group(&self) -> bool {
        self.0.flags & bindings::SCHED_BT_GROUP != 0
    }

    /// Whether it competes in its level.
    #[inline(always)]
    pub(crate) fn has_joined(&self) -> bool {
        self.0.flags & bindings::SCHED_BT_JOINED != 0
    }

    /// The class's own numbers, 0 when a task enters it, or for a new group.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[u64; MEMBER_NUMBERS] {
        &self.0.priv_
    }

    /// The class's own numbers, to change.
    #[inline(always)]
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; MEMBER_NUMBERS] {
        &mut self.0.priv_
    }
}

/// Those that compete with each other on a run queue.
#[repr(transparent)]
pub(crate) struct Level(bindings::sched_bt_level);

impl Level {
    /// The key of the first that waits. A group counts as waiting while it runs, too.
    #[inline(always)]
    pub(crate) fn first_key(&self) -> Option<u64> {
        (self.0.waiting != 0).then_some(self.0.first_key)
    }

    /// It is the run queue's own, not that of a group.
    #[inline(always)]
    pub(crate) fn is_top(&self) -> bool {
        self.0.top
    }

    /// The class's own numbers, 0 when it is registered.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[u64; LEVEL_NUMBERS] {
        &self.0.priv_
    }

    /// The class's own numbers, to change.
    #[inline(always)]
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; LEVEL_NUMBERS] {
        &mut self.0.priv_
    }
}

/// What is one for a group on all CPUs.
///
/// # Invariants
///
/// Nobody changes it but by atomic operations.
#[repr(transparent)]
pub(crate) struct Shared([Atomic<u64>; SHARED_NUMBERS]);

impl Shared {
    /// # Safety
    ///
    /// `ptr` leads to one of the slot's that stays for the lifetime of the result. The slot itself
    /// doesn't touch it.
    pub(in super::super) unsafe fn from_raw<'a>(ptr: *mut bindings::sched_bt_shared) -> &'a Self {
        // SAFETY: The caller's promise. An `Atomic<u64>` is laid out as the number.
        // INVARIANT: All of its users come by this function.
        unsafe { &*ptr.cast() }
    }

    /// The class's own numbers, 0 for a new group.
    #[inline(always)]
    pub(crate) fn numbers(&self) -> &[Atomic<u64>; SHARED_NUMBERS] {
        &self.0
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

    /// Its clock in nanoseconds, which is nearly the same on all CPUs.
    #[inline(always)]
    pub(crate) fn clock(&self) -> u64 {
        self.0.clock
    }

    /// Whose it is.
    #[inline(always)]
    pub(crate) fn cpu(&self) -> u32 {
        self.0.cpu
    }

    /// How many tasks wait.
    #[inline(always)]
    pub(crate) fn waiting(&self) -> u32 {
        self.0.waiting
    }

    /// How many wait or run, but for those of groups that may not run.
    #[inline(always)]
    pub(crate) fn queued(&self) -> u32 {
        self.0.queued
    }

    /// How many tasks of other classes are runnable on the CPU.
    #[inline(always)]
    pub(crate) fn online(&self) -> u32 {
        self.0.online
    }

    /// The class's own numbers, 0 when it is registered. Others see the first two in [`Facts::numbers`].
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
    /// The first of the CPUs that are threads of its core.
    pub(crate) core: u32,
    /// Its NUMA node.
    pub(crate) node: u32,
    /// How many tasks of the class wait or run there.
    pub(crate) queued: u32,
    /// How many others are runnable.
    pub(crate) online: u32,
    /// Nothing runs, and nothing is on its way.
    pub(crate) idle: bool,
    /// The same holds for all threads of its core.
    pub(crate) core_idle: bool,
    /// The class may not run there.
    pub(crate) barred: bool,
    /// It doesn't tick while it has one task only.
    pub(crate) nohz_full: bool,
    /// The first of the class's own numbers.
    pub(crate) numbers: [u64; 2],
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
            core: facts.core,
            node: facts.node,
            queued: facts.queued,
            online: facts.online,
            idle: facts.idle,
            core_idle: facts.core_idle,
            barred: facts.barred,
            nohz_full: facts.nohz_full,
            numbers: facts.priv_,
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
    /// The class doesn't run beside a task of another class on another thread of the core.
    pub(crate) guard: bool,
    /// To pressure stall information a task of the class that waits for a CPU doesn't.
    pub(crate) hide: bool,
    /// schedutil sets a CPU's frequency by what the class uses of it, too.
    pub(crate) freq: bool,
}

impl Options {
    /// From now on. To be called before the slot is filled too. May sleep.
    pub(crate) fn set(self) {
        let options = bindings::sched_bt_options {
            lift_ns: self.lift_after,
            leave_cap: self.leave_needs_cap,
            also_ext: self.also_ext_number,
            guard: self.guard,
            hide: self.hide,
            freq: self.freq,
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

/// Forbids the class to run on a CPU, or allows it again. Until the slot is emptied.
pub(crate) fn bar(cpu: CpuId, barred: bool) {
    // SAFETY: A `CpuId` is a possible CPU.
    unsafe { bindings::sched_bt_bar(cpu.as_u32() as c_int, barred) };
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
            weigh: Some(weigh::<T>),
            share: Some(share::<T>),
            spend: Some(spend::<T>),
            idle: Some(idle::<T>),
            select_cpu: Some(select_cpu::<T>),
            newidle: Some(newidle::<T>),
            push: Some(push::<T>),
            spread: Some(spread::<T>),
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

/// What an op has of a member of a level.
struct Args<'a, T> {
    this: &'a T,
    queue: &'a mut Queue,
    level: &'a mut Level,
    member: &'a mut Member,
}

impl<'a, T> Args<'a, T> {
    /// # Safety
    ///
    /// `data` is a `T`; the others are valid, differ from each other, and belong to the caller: all of
    /// that for the lifetime of the result.
    #[inline(always)]
    unsafe fn new(
        queue: *mut bindings::sched_bt_queue,
        level: *mut bindings::sched_bt_level,
        member: *mut bindings::sched_bt_member,
        data: *mut c_void,
    ) -> Self {
        // SAFETY: The caller's promise; the types are transparent.
        unsafe {
            Self {
                this: &*data.cast(),
                queue: &mut *queue.cast(),
                level: &mut *level.cast(),
                member: &mut *member.cast(),
            }
        }
    }
}

/// # Safety
///
/// Called by the slot: `data` is the `T` of the registration, the others differ and belong to the
/// caller by the run queue's lock.
unsafe extern "C" fn enqueue<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    why: bindings::sched_bt_why,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this
        .enqueue(args.queue, args.level, args.member, Why::from_raw(why));
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn dequeue<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    why: bindings::sched_bt_why,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this
        .dequeue(args.queue, args.level, args.member, Why::from_raw(why));
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn run<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    waited: u64,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this.run(args.queue, args.level, args.member, waited);
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn charge<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    ran: u64,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this.charge(args.queue, args.level, args.member, ran);
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn tick<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this.tick(args.queue, args.level, args.member)
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn preempt<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    woken: *mut bindings::sched_bt_member,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    // SAFETY: As above.
    let woken = unsafe { &*woken.cast() };
    args.this
        .preempt(args.queue, args.level, args.member, woken)
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn give_way<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    args.this.give_way(args.queue, args.level, args.member);
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn weigh<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    level: *mut bindings::sched_bt_level,
    member: *mut bindings::sched_bt_member,
    own: *const bindings::sched_bt_level,
    shared: *mut bindings::sched_bt_shared,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let args = unsafe { Args::<T>::new(queue, level, member, data) };
    // SAFETY: As above; `own` isn't `level`. What is shared stays as long as the group.
    let (own, shared) = unsafe { (&*own.cast(), Shared::from_raw(shared)) };
    args.this
        .weigh(args.queue, args.level, args.member, own, shared)
}

/// # Safety
///
/// As for [`enqueue`].
unsafe extern "C" fn share<T: Class>(
    group: *const bindings::sched_bt_member,
    own: *const bindings::sched_bt_level,
    load: u64,
    data: *mut c_void,
) -> u64 {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, group, own) = unsafe { (&*data.cast::<T>(), &*group.cast(), &*own.cast()) };
    this.share(group, own, load)
}

/// # Safety
///
/// As for [`enqueue`]; `member` is null, or a group's, and then `shared` what is shared of it.
unsafe extern "C" fn spend<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    member: *mut bindings::sched_bt_member,
    shared: *mut bindings::sched_bt_shared,
    ran: u64,
    data: *mut c_void,
) -> u64 {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, queue) = unsafe { (&*data.cast::<T>(), &mut *queue.cast()) };
    // SAFETY: As above.
    match unsafe { member.cast::<Member>().as_mut() } {
        None => this.spend(queue, ran),
        // SAFETY: As above.
        Some(group) => this.spend_of(queue, group, unsafe { Shared::from_raw(shared) }, ran),
    }
}

/// # Safety
///
/// As for [`enqueue`]; `member` is a group's, and `shared` what is shared of it.
unsafe extern "C" fn idle<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    member: *mut bindings::sched_bt_member,
    shared: *mut bindings::sched_bt_shared,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, queue, group, shared) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            &mut *member.cast(),
            Shared::from_raw(shared),
        )
    };
    this.idle(queue, group, shared);
}

/// # Safety
///
/// Called by the slot: `data` is the `T` of the registration, `task` belongs to the caller by its
/// own lock and isn't queued, `allowed` doesn't change under that lock.
unsafe extern "C" fn select_cpu<T: Class>(
    task: *mut bindings::sched_bt_member,
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
    load: u64,
    allowed: *const bindings::cpumask,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, allowed) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            Cpumask::from_raw(allowed),
        )
    };
    to_cpu(this.push(queue, load, allowed))
}

/// # Safety
///
/// As for [`push`].
unsafe extern "C" fn spread<T: Class>(
    queue: *mut bindings::sched_bt_queue,
    shared: bool,
    allowed: *const bindings::cpumask,
    data: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise, for the time of this call, under the run queue's lock.
    let (this, queue, allowed) = unsafe {
        (
            &*data.cast::<T>(),
            &mut *queue.cast(),
            Cpumask::from_raw(allowed),
        )
    };
    to_cpu(this.spread(queue, shared, allowed))
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
