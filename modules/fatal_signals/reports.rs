// SPDX-License-Identifier: GPL-2.0

//! What was heard and isn't printed yet.
//!
//! Lock order: the lock of a target's signals, then that of [`Reports::pending`], with interrupts
//! off, under which nothing is called.

use super::tk::{
    atomic::peek,
    capability::Capability,
    delayed_work::{
        Timer,
        Work, //
    },
    hooks::signal::{
        Signal,
        SignalHook, //
    },
    print,
    ratelimit::RateLimit,
    rcu::AtomicContext,
    stack::Stack,
    sysctl::{
        File,
        Sysctls, //
    },
    task::{
        Comm,
        TaskExt, //
    },
};
use kernel::{
    current, new_spinlock_irq,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        SpinLockIrq, //
    },
    task::Task,
};

/// As many as the limit lets pass in a burst.
const PENDING: usize = 10;

/// A signal that was sent. Numbers are the host's.
struct Report {
    signal: i32,
    sender: (i32, Comm),
    target: (i32, Comm),
    stack: Stack,
}

/// Hears and prints.
#[pin_data]
pub(crate) struct Reports {
    is_on: Atomic<i32>,
    #[pin]
    limit: RateLimit,
    #[pin]
    pending: SpinLockIrq<[Option<Report>; PENDING]>,
    timer: Arc<Timer>,
}

impl Reports {
    pub(crate) fn new() -> Result<impl PinInit<Self>> {
        let timer = Timer::new(c"fatal_signals")?;
        Ok(pin_init!(Self {
            is_on: Atomic::new(0),
            limit <- RateLimit::new(c"fatal_signals"),
            pending <- new_spinlock_irq!([const { None }; PENDING]),
            timer,
        }))
    }

    /// Asks for runs of the printing.
    pub(crate) fn timer(&self) -> Arc<Timer> {
        self.timer.clone()
    }

    /// The oldest one.
    fn take(&self) -> Option<Report> {
        let mut pending = self.pending.lock();
        let first = pending[0].take();
        pending.rotate_left(1);
        first
    }
}

impl SignalHook for Reports {
    fn send(&self, _context: &AtomicContext, signal: Signal, target: &Task) {
        if peek(&self.is_on) == 0 || !signal.dumps_core() || !self.limit.pass() {
            return;
        }
        let sender = current!();
        let report = Report {
            signal: signal.number(),
            sender: (sender.pid(), sender.comm()),
            target: (target.pid(), target.comm()),
            stack: Stack::of_current(),
        };
        // The limit lets no more pass, unless printing takes as long as the limit's interval.
        if let Some(place) = self.pending.lock().iter_mut().find(|place| place.is_none()) {
            *place = Some(report);
        }
        self.timer.run_now();
    }
}

impl Work for Reports {
    fn run(&self) {
        while let Some(report) = self.take() {
            print::line(fmt!(
                "pid: {}, comm: {} try to send fatal sig: {} to pid: {}, comm: {}",
                report.sender.0,
                report.sender.1,
                report.signal,
                report.target.0,
                report.target.1
            ));
            report.stack.print();
        }
    }
}

impl Sysctls for Reports {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[File::atomic(
        c"print-fatal-signals-src-dst",
        i32::MIN..=i32::MAX,
        |reports| &reports.is_on,
    )];
}
