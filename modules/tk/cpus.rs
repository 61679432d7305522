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
