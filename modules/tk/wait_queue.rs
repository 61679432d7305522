// SPDX-License-Identifier: GPL-2.0

//! Wait queues: sleeping until a condition is true.
//!
//! Who makes a condition true wakes the queue afterwards. Nothing else orders the two, so what the
//! condition reads is atomic or under a lock.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use super::{
    bindings,
    kthread::Stop, //
};
use kernel::{
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    static_lock_class,
    sync::barrier::{
        smp_mb,
        Full, //
    },
    task::TASK_NORMAL,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::Opaque,
};

/// `KTIME_MAX`.
const NO_TIMEOUT: i64 = i64::MAX;

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Waited {
    /// The condition was true.
    Ready,
    /// It wasn't in time.
    TimedOut,
    /// The waiting process was killed, or the waiting thread is to stop.
    Interrupted,
}

/// Where processes and threads wait.
#[pin_data]
pub(crate) struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
}

// SAFETY: The head has its own lock.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// Creates a queue that nobody waits in.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The slot is valid for writing and pinned; the name and the key are static.
            head <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_waitqueue_head(
                    slot,
                    c"WaitQueue".as_char_ptr(),
                    static_lock_class!().as_ptr(),
                )
            }),
        })
    }

    /// Sleeps until the condition is true, `timeout` has passed if there is one, or
    /// current's process is killed. In a kernel thread it ends as well when the thread is to stop.
    ///
    /// The condition is looked at first, after each wake-up, and last when the time is over. It may
    /// sleep.
    pub(crate) fn wait_killable(
        &self,
        timeout: Option<Delta>,
        condition: impl FnMut() -> bool,
    ) -> Waited {
        self.wait(bindings::TASK_KILLABLE, timeout, condition)
    }

    /// As [`WaitQueue::wait_killable`], for a wait that is too short to count as load.
    pub(crate) fn wait_briefly(&self, timeout: Delta, condition: impl FnMut() -> bool) -> Waited {
        let state = bindings::TASK_KILLABLE | bindings::TASK_NOLOAD;
        self.wait(state, Some(timeout), condition)
    }

    /// Sleeps in a kernel thread until the condition is true, `timeout` has passed if there is one,
    /// or the thread is to stop. Doesn't count as load.
    ///
    /// The condition is looked at as in [`WaitQueue::wait_killable`].
    pub(crate) fn wait_in_thread(
        &self,
        _stop: &Stop,
        timeout: Option<Delta>,
        condition: impl FnMut() -> bool,
    ) -> Waited {
        self.wait(bindings::TASK_IDLE, timeout, condition)
    }

    fn wait(
        &self,
        state: c_uint,
        timeout: Option<Delta>,
        mut condition: impl FnMut() -> bool,
    ) -> Waited {
        if condition() {
            return Waited::Ready;
        }
        let end = timeout.map(|timeout| Instant::<Monotonic>::now() + timeout);
        let entry = Opaque::<bindings::wait_queue_entry>::uninit();
        // SAFETY: The head is initialised and pinned. The entry stays where it is until it is
        // removed below.
        unsafe {
            bindings::init_wait_entry(entry.get(), 0);
            (*entry.get()).func = Some(bindings::woken_wake_function);
            bindings::add_wait_queue_exclusive(self.head.get(), entry.get());
        }
        // Who makes the condition true now sees the entry, or the condition is seen below. The
        // other half is in `has_waiters()`.
        smp_mb(Full);

        let waited = loop {
            if condition() {
                break Waited::Ready;
            }
            // SAFETY: No requirements.
            if unsafe { bindings::tk_helper_wait_interrupted() } {
                break Waited::Interrupted;
            }
            let left = end.map_or(NO_TIMEOUT, |end| (end - Instant::now()).as_nanos());
            if left <= 0 {
                break Waited::TimedOut;
            }
            // A wake-up since the condition was looked at is noted in the entry: then this doesn't
            // sleep.
            // SAFETY: The entry is in the queue, and current's.
            unsafe { bindings::tk_helper_wait_woken(entry.get(), state, left) };
        };

        // SAFETY: As above; the entry is in the queue.
        unsafe { bindings::remove_wait_queue(self.head.get(), entry.get()) };
        waited
    }

    /// Wakes all that wait. May be called in any context but NMI and the scheduler's.
    pub(crate) fn wake_all(&self) {
        self.wake(0);
    }

    /// Wakes the one that has waited longest. In the contexts of [`WaitQueue::wake_all`].
    pub(crate) fn wake_one(&self) {
        self.wake(1);
    }

    fn wake(&self, number: c_int) {
        // SAFETY: The head is initialised and pinned.
        unsafe {
            bindings::__wake_up(self.head.get(), TASK_NORMAL, number, core::ptr::null_mut());
        }
    }

    /// Whether somebody waits; costs a memory barrier and a load.
    ///
    /// For who has just made a condition true: if there is nobody it need not wake, since whoever
    /// begins to wait now sees the condition.
    pub(crate) fn has_waiters(&self) -> bool {
        // SAFETY: The head is initialised and pinned.
        unsafe { bindings::tk_helper_wq_has_sleeper(self.head.get()) }
    }
}
