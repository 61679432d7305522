// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's [`Task`] lacks.
//!
//! C header: [`include/linux/sched.h`](srctree/include/linux/sched.h)

use super::{
    bindings,
    pid::Pid,
    rcu::ReadSide, //
};
use kernel::{
    current,
    fmt::{
        self,
        Write as _, //
    },
    sync::{
        aref::ARef,
        rcu, //
    },
    task::Task,
};

/// More methods for [`Task`].
pub(crate) trait TaskExt {
    /// Whether both are threads of one process.
    fn same_process(&self, other: &Task) -> bool;

    /// Counts the programs that the thread has executed; a child starts with its parent's count.
    fn exec_id(&self) -> u64;

    /// The thread that traces this one by ptrace.
    fn tracer<'a>(&'a self, read_side: &'a impl ReadSide) -> Option<&'a Task>;

    /// The thread that made this one, or took it over when the maker ended.
    fn real_parent<'a>(&'a self, read_side: &'a impl ReadSide) -> &'a Task;

    /// The name of the thread, as in `/proc/PID/comm`.
    fn comm(&self) -> Comm;

    /// The number of the user in the initial user namespace.
    fn uid_number(&self) -> u32;
}

/// # Safety
///
/// `ptr` points to a task that stays valid for the lifetime of the reference.
#[inline(always)]
pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::task_struct) -> &'a Task {
    // SAFETY: The caller's promise; `Task` is transparent.
    unsafe { &*ptr.cast() }
}

impl TaskExt for Task {
    fn same_process(&self, other: &Task) -> bool {
        // SAFETY: Both are valid tasks.
        unsafe { bindings::tk_helper_same_thread_group(self.as_ptr(), other.as_ptr()) }
    }

    fn exec_id(&self) -> u64 {
        // SAFETY: The task is valid. The kernel writes and reads the field without a lock too.
        unsafe { (&raw const (*self.as_ptr()).self_exec_id).read_volatile() }
    }

    fn tracer<'a>(&'a self, _read_side: &'a impl ReadSide) -> Option<&'a Task> {
        // SAFETY: The task is valid, and the tracer isn't freed before the read side ends.
        unsafe {
            let tracer = bindings::tk_helper_ptrace_parent(self.as_ptr());
            (!tracer.is_null()).then(|| from_raw(tracer))
        }
    }

    fn real_parent<'a>(&'a self, _read_side: &'a impl ReadSide) -> &'a Task {
        // SAFETY: The task is valid and always has a parent, which isn't freed before the read
        // side ends.
        unsafe { from_raw(bindings::tk_helper_real_parent(self.as_ptr())) }
    }

    fn uid_number(&self) -> u32 {
        self.uid().into_raw().val
    }

    fn comm(&self) -> Comm {
        // SAFETY: The task is valid. The name may change while it is read, as for every reader in
        // the kernel; its last byte is always zero.
        Comm(unsafe { (&raw const (*self.as_ptr()).comm).read_volatile() })
    }
}

/// Whether current's process was killed.
pub(crate) fn is_killed() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_fatal_signal_pending() }
}

/// Whether current is in another pid namespace than the initial one: in a container.
pub(crate) fn is_in_container() -> bool {
    pid_namespace_level() > 0
}

/// How many pid namespaces are around that of current.
pub(crate) fn pid_namespace_level() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_pid_namespace_level() }
}

/// What is known by a number in each pid namespace.
#[derive(Clone, Copy)]
pub(crate) enum NumberOf {
    /// The thread.
    Thread,
    /// Its process.
    Process,
    /// Its session.
    Session,
}

/// The number in the pid namespace so many levels outside that of current; 0 if it has none there.
/// Process context.
pub(crate) fn number_outside(task: &Task, what: NumberOf, levels: u32) -> i32 {
    let kind = match what {
        NumberOf::Thread => bindings::pid_type_PIDTYPE_PID,
        NumberOf::Process => bindings::pid_type_PIDTYPE_TGID,
        NumberOf::Session => bindings::pid_type_PIDTYPE_SID,
    };
    // SAFETY: The task is valid.
    unsafe { bindings::tk_helper_pid_number_outside(task.as_ptr(), kind, levels) }
}

/// Whether current is a thread of a program, not of the kernel.
pub(crate) fn is_user_task() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::tk_helper_is_user_task() }
}

/// Lets others have the CPU if they should. May sleep.
pub(crate) fn cond_resched() {
    // SAFETY: The caller may sleep.
    unsafe { bindings::tk_helper_cond_resched() };
}

/// Finds a process other than current's that uses the same memory (vfork(2), `CLONE_VM`) and that
/// `wanted` says yes to. Returns its identity and its [`TaskExt::exec_id`]: when that has changed
/// it uses other memory.
///
/// Looks at all processes if there may be one. `wanted` must not sleep. A process that is just
/// being made may be missed.
pub(crate) fn find_memory_sharer(wanted: impl Fn(&Task) -> bool) -> Option<(ARef<Pid>, u64)> {
    // SAFETY: No requirements.
    if !unsafe { bindings::tk_helper_others_use_our_memory() } {
        return None;
    }
    let _read_side = rcu::read_lock();
    let mut next = core::ptr::null_mut();
    loop {
        // SAFETY: `next` is null or a process that isn't freed before the read side ends.
        next = unsafe { bindings::tk_helper_next_process(next) };
        if next.is_null() {
            return None;
        }
        // SAFETY: As above.
        let process = unsafe { from_raw(next) };
        // First, so that it is the older one if the process executes something meanwhile.
        let exec_id = process.exec_id();
        // SAFETY: As above.
        if unsafe { bindings::tk_helper_uses_our_memory(next) }
            && !process.same_process(current!())
            && wanted(process)
        {
            if let Some(pid) = Pid::of_process(process) {
                return Some((pid, exec_id));
            }
        }
    }
}

/// The name of a thread, fit for printing: what isn't visible ASCII prints as `?`.
pub(crate) struct Comm([u8; bindings::TASK_COMM_LEN as usize]);

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.iter().take_while(|&&byte| byte != 0) {
            f.write_char(match byte {
                b' '..=b'~' => char::from(byte),
                _ => '?',
            })?;
        }
        Ok(())
    }
}
