// SPDX-License-Identifier: GPL-2.0

//! KUnit suite of [`tk::percpu`](super::tk::percpu).

use super::tk::{
    kthread::{
        Main,
        Stop,
        Thread, //
    },
    percpu::PerCpuCounter,
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
            Release, //
        },
        Arc, //
    },
    time::Delta,
};

#[pin_data]
struct Sum {
    counter: PerCpuCounter,
    #[pin]
    queue: WaitQueue,
    ready: Atomic<usize>,
    done: Atomic<usize>,
}

impl Sum {
    const THREADS: usize = 4;
    const ROUNDS: i64 = 50_000;

    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                counter: PerCpuCounter::new()?,
                queue <- WaitQueue::new(),
                ready: Atomic::new(0),
                done: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn count(&self, what: &Atomic<usize>) {
        what.fetch_add(1usize, Release);
        self.queue.wake_all();
    }
}

impl Main for Sum {
    fn run(&self, stop: &Stop) {
        // All at once.
        self.count(&self.ready);
        let all = || self.ready.load(Acquire) == Self::THREADS;
        let _ = self.queue.wait_in_thread(stop, None, all);
        for n in 0..Self::ROUNDS {
            self.counter.add_return(n);
            self.counter.add_return(-n);
            self.counter.add_return(1);
        }
        self.count(&self.done);
    }
}

#[kunit_tests(tk_percpu)]
mod tests {
    use super::*;

    #[test]
    fn a_new_counter_is_zero() -> Result {
        assert_eq!(PerCpuCounter::new()?.sum(), 0);
        Ok(())
    }

    #[test]
    fn each_cpu_has_a_number_of_its_own() -> Result {
        let counter = PerCpuCounter::new()?;
        counter.set_all(1);
        let cpus = counter.sum();
        assert!(cpus >= 1);

        // Whichever CPU this is.
        assert_eq!(counter.add_return(4), 5);
        assert_eq!(counter.sum(), cpus + 4);

        counter.set_all(-3);
        counter.set(i64::from(u32::MAX));
        assert_eq!(counter.sum(), i64::from(u32::MAX) - 3 * (cpus - 1));
        Ok(())
    }

    #[test]
    fn nothing_is_lost_when_many_add() -> Result {
        let sum = Sum::new()?;
        let mut threads = KVec::new();
        for _ in 0..Sum::THREADS {
            threads.push(Thread::spawn(c"tk_kunit", sum.clone())?, GFP_KERNEL)?;
        }
        let all = || sum.done.load(Acquire) == Sum::THREADS;
        let waited = sum.queue.wait_killable(Some(Delta::from_secs(60)), all);
        assert!(waited == Waited::Ready);
        drop(threads);
        let expected = Sum::ROUNDS * i64::try_from(Sum::THREADS)?;
        assert_eq!(sum.counter.sum(), expected);
        Ok(())
    }
}
