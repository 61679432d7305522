// SPDX-License-Identifier: GPL-2.0

//! KUnit suite of [`tk::kthread`](super::tk::kthread).

use super::tk::{
    kthread::{
        Main,
        Stop,
        Thread, //
    },
    wait_queue::{
        WaitQueue,
        Waited, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta,
};

/// What becomes of a thread and of what it ran on.
#[pin_data]
struct Fate {
    #[pin]
    changed: WaitQueue,
    began: Atomic<i32>,
    ended: Atomic<i32>,
    dropped: Atomic<i32>,
}

impl Fate {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                changed <- WaitQueue::new(),
                began: Atomic::new(0),
                ended: Atomic::new(0),
                dropped: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    fn count(&self, what: &Atomic<i32>) {
        what.add(1, Relaxed);
        self.changed.wake_all();
    }

    /// Waits for a count, not for ever.
    fn reaches(&self, what: &Atomic<i32>, count: i32) -> bool {
        let timeout = Some(Delta::from_secs(30));
        self.changed
            .wait_killable(timeout, || what.load(Relaxed) == count)
            == Waited::Ready
    }
}

struct Runner {
    fate: Arc<Fate>,
    until_stopped: bool,
}

impl Runner {
    fn spawn(fate: &Arc<Fate>, until_stopped: bool) -> Result<Thread<Self>> {
        let runner = Self {
            fate: fate.clone(),
            until_stopped,
        };
        Thread::spawn(c"tk_kunit", Arc::new(runner, GFP_KERNEL)?)
    }
}

impl Main for Runner {
    fn run(&self, stop: &Stop) {
        self.fate.count(&self.fate.began);
        while self.until_stopped && !stop.should_stop() {
            let _ = self.fate.changed.wait_in_thread(stop, None, || false);
        }
        self.fate.count(&self.fate.ended);
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.fate.count(&self.fate.dropped);
    }
}

#[kunit_tests(tk_kthread)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_runs_until_it_is_dropped() -> Result {
        let fate = Fate::new()?;
        let thread = Runner::spawn(&fate, true)?;
        assert!(fate.reaches(&fate.began, 1));
        assert_eq!(fate.ended.load(Relaxed), 0);
        drop(thread);
        assert_eq!(fate.ended.load(Relaxed), 1);
        assert_eq!(fate.dropped.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_thread_may_end_before_it_is_told_to() -> Result {
        let fate = Fate::new()?;
        let thread = Runner::spawn(&fate, false)?;
        assert!(fate.reaches(&fate.ended, 1));
        // What it ran on stays until the thread is dropped.
        assert_eq!(fate.dropped.load(Relaxed), 0);
        drop(thread);
        assert_eq!(fate.dropped.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_thread_that_ends_while_it_is_dropped_is_dropped_once() -> Result {
        const THREADS: i32 = 100;

        let fate = Fate::new()?;
        for _ in 0..THREADS {
            drop(Runner::spawn(&fate, false)?);
        }
        let began = fate.began.load(Relaxed);
        pr_info!("{began} of {THREADS} threads ran before they were stopped\n");
        assert_eq!(fate.ended.load(Relaxed), began);
        assert_eq!(fate.dropped.load(Relaxed), THREADS);
        Ok(())
    }

    #[test]
    fn a_thread_that_never_ran_leaks_nothing() -> Result {
        const THREADS: i32 = 100;

        let fate = Fate::new()?;
        for _ in 0..THREADS {
            drop(Runner::spawn(&fate, true)?);
        }
        let began = fate.began.load(Relaxed);
        assert_eq!(fate.ended.load(Relaxed), began);
        assert_eq!(fate.dropped.load(Relaxed), THREADS);
        Ok(())
    }
}
