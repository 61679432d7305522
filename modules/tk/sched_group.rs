// SPDX-License-Identifier: GPL-2.0

//! Groups of the cpu controller in the class of the scheduling slot.
//!
//! What the class decides about them is in [`super::hooks::sched_slot`]; this is what is set for one
//! and what is counted. All of it fails with `ENODEV`, or is nothing, while the slot is empty.
//!
//! C header: `include/linux/tkernel/sched_slot.h`

use super::{
    bindings,
    cgroup::{
        Controlled,
        Cpu, //
    },
    hooks::sched_slot::Shared,
};
use kernel::{
    cpu::CpuId,
    error::to_result,
    ffi::c_void,
    prelude::*, //
};

/// What a group and those below have run on a CPU in the class.
#[derive(Clone, Copy, Default)]
pub(crate) struct GroupTime {
    /// In nanoseconds.
    pub(crate) exec: u64,
    /// How many ticks found it in user mode.
    pub(crate) user_ticks: u64,
    /// How many ticks found it in the kernel.
    pub(crate) system_ticks: u64,
}

impl Controlled<Cpu> {
    /// Whether the normal tasks of the group are in the class.
    pub(crate) fn is_offline(&self) -> bool {
        // SAFETY: By the type's invariant a css of the cpu controller.
        unsafe { bindings::sched_bt_group_offline(self.as_ptr()) }
    }

    /// Puts the normal tasks of the group into the class, those there are and those that come, or
    /// takes them out. Groups that are made below inherit it. May sleep.
    pub(crate) fn set_offline(&self, offline: bool) -> Result {
        // SAFETY: By the type's invariant a css of the cpu controller.
        to_result(unsafe { bindings::sched_bt_group_set_offline(self.as_ptr(), offline) })
    }

    /// Calls `with` with what the class shares of the group. It may sleep, but must not call another
    /// of these. May sleep.
    pub(crate) fn with_shared<R, F: FnOnce(&Shared) -> R>(&self, with: F) -> Result<R> {
        let mut call = Call::new(with);
        // SAFETY: By the type's invariant a css of the cpu controller. The function calls
        // `call_shared` with `call` before it returns, or not at all.
        to_result(unsafe {
            bindings::sched_bt_group_use(
                self.as_ptr(),
                Some(call_shared::<R, F>),
                (&raw mut call).cast(),
            )
        })?;
        call.result.ok_or(ENODEV)
    }

    /// The same, but `set` returns whether the class is asked about the group's time from now on.
    /// Either way the group may run again on all CPUs. May sleep.
    pub(crate) fn limit<F: FnOnce(&Shared) -> bool>(&self, set: F) -> Result {
        let mut call = Call::new(set);
        // SAFETY: As in `with_shared()`.
        to_result(unsafe {
            bindings::sched_bt_group_limit(
                self.as_ptr(),
                Some(call_limit::<F>),
                (&raw mut call).cast(),
            )
        })
    }

    /// What has been counted. May sleep.
    pub(crate) fn time(&self, cpu: CpuId) -> GroupTime {
        // SAFETY: By the type's invariant a css of the cpu controller; a `CpuId` is a possible CPU.
        let stat = unsafe { bindings::sched_bt_group_stat(self.as_ptr(), cpu.as_u32() as c_int) };
        GroupTime {
            exec: stat.exec,
            user_ticks: stat.user_ticks,
            system_ticks: stat.system_ticks,
        }
    }

    /// Counts anew, from 0. May sleep.
    pub(crate) fn reset_time(&self) {
        // SAFETY: By the type's invariant a css of the cpu controller.
        unsafe { bindings::sched_bt_group_reset_stat(self.as_ptr()) };
    }
}

/// What is to be called, and then what it returned.
struct Call<R, F> {
    function: Option<F>,
    result: Option<R>,
}

impl<R, F: FnOnce(&Shared) -> R> Call<R, F> {
    fn new(function: F) -> Self {
        Self {
            function: Some(function),
            result: None,
        }
    }

    fn call(&mut self, shared: &Shared) {
        self.result = self.function.take().map(|function| function(shared));
    }
}

/// # Safety
///
/// `data` is a `Call<R, F>` that nobody else uses, and `shared` is the slot's and stays meanwhile.
unsafe extern "C" fn call_shared<R, F: FnOnce(&Shared) -> R>(
    shared: *mut bindings::sched_bt_shared,
    data: *mut c_void,
) {
    // SAFETY: The caller's promise.
    let (shared, call) = unsafe { (Shared::from_raw(shared), &mut *data.cast::<Call<R, F>>()) };
    call.call(shared);
}

/// # Safety
///
/// As for [`call_shared`].
unsafe extern "C" fn call_limit<F: FnOnce(&Shared) -> bool>(
    shared: *mut bindings::sched_bt_shared,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise.
    let (shared, call) = unsafe { (Shared::from_raw(shared), &mut *data.cast::<Call<bool, F>>()) };
    call.call(shared);
    call.result == Some(true)
}
