// SPDX-License-Identifier: GPL-2.0

//! Walking through sets of CPUs.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use super::bindings;
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask, //
};

/// The CPUs of a set, in order.
pub(crate) fn iter(cpus: &Cpumask) -> impl Iterator<Item = CpuId> + '_ {
    let mut next = -1;
    core::iter::from_fn(move || {
        // SAFETY: The set is valid, and `next` is -1 or a CPU of it.
        next = unsafe { bindings::tk_helper_cpumask_next(next, cpus.as_raw()) };
        CpuId::from_i32(next)
    })
}

/// Sets `cpus` to those that are online.
pub(crate) fn online(cpus: &mut Cpumask) {
    // SAFETY: The set is valid.
    unsafe { bindings::tk_helper_cpumask_online(cpus.as_raw()) };
}

/// Sets `cpus` to those that may ever be there.
pub(crate) fn possible(cpus: &mut Cpumask) {
    // SAFETY: The set is valid.
    unsafe { bindings::tk_helper_cpumask_possible(cpus.as_raw()) };
}

/// How many of the first `count` of `cpus` are in the package of `cpu`, and how many cores these are.
pub(crate) fn neighbours(cpus: &Cpumask, count: u32, cpu: CpuId) -> (u32, u32) {
    let (mut siblings, mut cores) = (0, 0);
    // SAFETY: The set is valid, and the function writes to the numbers.
    unsafe {
        bindings::tk_helper_cpu_neighbours(
            cpus.as_raw(),
            count,
            cpu.as_u32(),
            &mut siblings,
            &mut cores,
        );
    }
    (siblings, cores)
}
