// SPDX-License-Identifier: GPL-2.0

//! KUnit suite of [`tk::wait_queue`](super::tk::wait_queue).

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
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

const SOON: Option<Delta> = Some(Delta::from_millis(100));
const LATE: Option<Delta> = Some(Delta::from_secs(60));

fn queue() -> Result<Arc<WaitQueue>> {
    Arc::pin_init(WaitQueue::new(), GFP_KERNEL)
}

/// A ball that two play.
#[pin_data]
struct Game {
    #[pin]
    queue: WaitQueue,
    throws: Atomic<i32>,
}

impl Game {
    const THROWS: i32 = 2_000;

    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                queue <- WaitQueue::new(),
                throws: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    fn throw(&self) {
        self.throws.fetch_add(1, Release);
        if self.queue.has_waiters() {
            self.queue.wake_all();
        }
    }
}

impl Main for Game {
    fn run(&self, stop: &Stop) {
        for odd in (1..Self::THROWS).step_by(2) {
            let thrown = || self.throws.load(Acquire) == odd;
            if self.queue.wait_in_thread(stop, LATE, thrown) != Waited::Ready {
                return;
            }
            self.throw();
        }
    }
}

/// Waits as a process does, in a thread.
#[pin_data]
struct Waiter {
    #[pin]
    queue: WaitQueue,
}

impl Waiter {
    fn spawn() -> Result<Thread<Self>> {
        let waiter = pin_init!(Self {
            queue <- WaitQueue::new(),
        });
        Thread::spawn(c"tk_kunit", Arc::pin_init(waiter, GFP_KERNEL)?)
    }
}

impl Main for Waiter {
    fn run(&self, _: &Stop) {
        let _ = self.queue.wait_killable(None, || false);
    }
}

#[kunit_tests(tk_wait_queue)]
mod tests {
    use super::*;

    #[test]
    fn a_true_condition_needs_no_wait() -> Result {
        let queue = queue()?;
        let zero = Some(Delta::from_millis(0));
        assert!(queue.wait_killable(None, || true) == Waited::Ready);
        assert!(queue.wait_killable(zero, || true) == Waited::Ready);
        assert!(queue.wait_killable(zero, || false) == Waited::TimedOut);
        Ok(())
    }

    #[test]
    fn a_wait_ends_when_its_time_is_over() -> Result {
        let queue = queue()?;
        let begin = Instant::<Monotonic>::now();
        assert!(queue.wait_killable(SOON, || false) == Waited::TimedOut);
        // Less a tick.
        assert!(begin.elapsed() >= Delta::from_millis(90));
        assert!(!queue.has_waiters());
        Ok(())
    }

    #[test]
    fn the_condition_is_looked_at_when_the_time_is_over() -> Result {
        let queue = queue()?;
        let begin = Instant::<Monotonic>::now();
        let condition = || begin.elapsed() >= Delta::from_millis(50);
        assert!(queue.wait_killable(SOON, condition) == Waited::Ready);
        assert!(begin.elapsed() >= Delta::from_millis(90));
        Ok(())
    }

    #[test]
    fn a_condition_may_sleep() -> Result {
        let queue = queue()?;
        let mut looks = 0;
        let waited = queue.wait_killable(SOON, || {
            fsleep(Delta::from_millis(20));
            looks += 1;
            false
        });
        assert!(waited == Waited::TimedOut);
        assert_eq!(looks, 3);
        Ok(())
    }

    #[test]
    fn a_queue_has_waiters_while_somebody_waits() -> Result {
        let queue = queue()?;
        assert!(!queue.has_waiters());
        let mut looks = 0;
        let waited = queue.wait_killable(None, || {
            looks += 1;
            // First without having entered.
            queue.has_waiters()
        });
        assert!(waited == Waited::Ready);
        assert_eq!(looks, 2);
        assert!(!queue.has_waiters());
        Ok(())
    }

    #[test]
    fn wakers_that_look_for_waiters_lose_no_wake_up() -> Result {
        let game = Game::new()?;
        let thread = Thread::spawn(c"tk_kunit", game.clone())?;
        for even in (0..Game::THROWS).step_by(2) {
            let thrown = || game.throws.load(Acquire) == even;
            if game.queue.wait_killable(LATE, thrown) != Waited::Ready {
                break;
            }
            game.throw();
        }
        let end = || game.throws.load(Acquire) == Game::THROWS;
        assert!(game.queue.wait_killable(LATE, end) == Waited::Ready);
        drop(thread);
        assert_eq!(game.throws.load(Relaxed), Game::THROWS);
        Ok(())
    }

    #[test]
    fn a_thread_that_is_to_stop_waits_for_nothing() -> Result {
        for delay in 0..20 {
            let thread = Waiter::spawn()?;
            fsleep(Delta::from_millis(delay));
            drop(thread);
        }
        Ok(())
    }
}
