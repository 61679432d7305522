// SPDX-License-Identifier: GPL-2.0

//! What bt_sched_shim's policy needs of the `kernel` crate, for tests on this machine.

pub mod cpumask {
    /// Up to 64 CPUs.
    #[derive(Clone, Copy)]
    pub struct Cpumask(pub u64);
}
