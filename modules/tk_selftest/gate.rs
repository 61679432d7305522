// SPDX-License-Identifier: GPL-2.0

//! A gate that processes wait at, by writing to files in `/proc/sys/vm`, and a thread that waits
//! for nothing.

use super::tk::{
    kthread::{
        Main,
        Stop, //
    },
    sysctl::{
        File,
        Sysctls, //
    },
    wait_queue::{
        WaitQueue,
        Waited, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    time::Delta,
};

/// A gate: open to who waits for no more than its level, and to one for each ticket.
#[pin_data]
pub(crate) struct Gate {
    #[pin]
    queue: WaitQueue,
    level: Atomic<i32>,
    tickets: Atomic<i32>,
    timeout_ms: Atomic<i32>,
    passed: Atomic<i32>,
}

impl Gate {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- WaitQueue::new(),
            level: Atomic::new(0),
            tickets: Atomic::new(0),
            timeout_ms: Atomic::new(-1),
            passed: Atomic::new(0),
        })
    }

    fn wait(&self, condition: impl FnMut() -> bool) -> Result {
        let timeout = self.timeout_ms.load(Relaxed);
        let timeout = (timeout >= 0).then(|| Delta::from_millis(timeout.into()));
        match self.queue.wait_killable(timeout, condition) {
            Waited::Ready => {
                self.passed.add(1, Relaxed);
                Ok(())
            }
            Waited::TimedOut => Err(ETIMEDOUT),
            Waited::Interrupted => Err(EINTR),
        }
    }

    fn set_level(&self, level: i32) -> Result {
        self.level.store(level, Release);
        if self.queue.has_waiters() {
            self.queue.wake_all();
        }
        Ok(())
    }

    /// Makes one ticket, and wakes one that waits.
    fn give_ticket(&self, _: i32) -> Result {
        self.tickets.fetch_add(1, Release);
        self.queue.wake_one();
        Ok(())
    }

    fn take_ticket(&self) -> bool {
        let tickets = self.tickets.load(Relaxed);
        tickets > 0 && self.tickets.cmpxchg(tickets, tickets - 1, Acquire).is_ok()
    }
}

impl Sysctls for Gate {
    const PATH: &'static CStr = c"vm";

    const FILES: &'static [File<Self>] = &[
        File::int(
            c"tk_selftest_timeout_ms",
            -1..=i32::MAX,
            |it| it.timeout_ms.load(Relaxed),
            |it, n| {
                it.timeout_ms.store(n, Relaxed);
                Ok(())
            },
        ),
        File::int(
            c"tk_selftest_level",
            0..=i32::MAX,
            |it| it.level.load(Relaxed),
            Self::set_level,
        ),
        File::int(
            c"tk_selftest_wait_for_level",
            0..=i32::MAX,
            |it| it.passed.load(Relaxed),
            |it, n| it.wait(|| it.level.load(Acquire) >= n),
        ),
        File::int(
            c"tk_selftest_ticket",
            1..=1,
            |it| it.tickets.load(Relaxed),
            Self::give_ticket,
        ),
        File::int(
            c"tk_selftest_wait_for_ticket",
            1..=1,
            |it| it.passed.load(Relaxed),
            |it, _| it.wait(|| it.take_ticket()),
        ),
        File::int_read_only(c"tk_selftest_has_waiters", |it| {
            it.queue.has_waiters().into()
        }),
    ];
}

/// Waits until it is to stop.
#[pin_data]
pub(crate) struct Idler {
    #[pin]
    queue: WaitQueue,
}

impl Idler {
    /// The name of its thread, longer than a task's.
    pub(crate) const NAME: &'static CStr = c"tk_selftest/idler";

    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- WaitQueue::new(),
        })
    }
}

impl Main for Idler {
    fn run(&self, stop: &Stop) {
        let _ = self.queue.wait_in_thread(stop, None, || false);
    }
}
