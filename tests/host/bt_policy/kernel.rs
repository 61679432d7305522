// SPDX-License-Identifier: GPL-2.0

//! What bt_sched_shim's policy needs of the `kernel` crate, for tests on this machine.

pub mod cpumask {
    /// Up to 64 CPUs.
    #[derive(Clone, Copy)]
    pub struct Cpumask(pub u64);
}

pub mod prelude {
    #[derive(Clone, Copy, Debug)]
    pub struct Error;

    pub const EINVAL: Error = Error;

    pub type Result<T = (), E = Error> = core::result::Result<T, E>;
}

pub mod sync {
    pub mod atomic {
        use std::sync::atomic::{
            AtomicU64,
            Ordering, //
        };

        pub mod ordering {
            pub struct Relaxed;
        }

        /// Of numbers of 64 bits only.
        pub struct Atomic<T>(AtomicU64, core::marker::PhantomData<T>);

        impl Atomic<u64> {
            pub fn new(value: u64) -> Self {
                Self(AtomicU64::new(value), core::marker::PhantomData)
            }

            pub fn load(&self, _: ordering::Relaxed) -> u64 {
                self.0.load(Ordering::Relaxed)
            }

            pub fn store(&self, value: u64, _: ordering::Relaxed) {
                self.0.store(value, Ordering::Relaxed);
            }

            pub fn add(&self, value: u64, _: ordering::Relaxed) {
                self.0.fetch_add(value, Ordering::Relaxed);
            }

            pub fn cmpxchg(&self, old: u64, new: u64, _: ordering::Relaxed) -> Result<u64, u64> {
                self.0
                    .compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed)
            }
        }
    }
}
