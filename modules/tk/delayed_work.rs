// SPDX-License-Identifier: GPL-2.0

//! Work for a worker of the kernel, some time later.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::{
    ffi::c_void,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Msecs, //
    },
};

/// Asks for runs of some work. While there is no [`DelayedWork`] for it that does nothing.
///
/// # Invariants
///
/// `work` is initialised. It is enabled exactly while a [`DelayedWork`] has it, of which there is
/// never more than one.
pub(crate) struct Timer {
    work: NonNull<bindings::tk_helper_delayed_work>,
    is_taken: Atomic<bool>,
}

// SAFETY: The kernel's functions for work may be called from any thread.
unsafe impl Send for Timer {}
// SAFETY: As above.
unsafe impl Sync for Timer {}

impl Timer {
    /// Creates one that has no work yet. The work gets a worker that comes before ordinary tasks;
    /// `name` is that of its queue. May sleep.
    pub(crate) fn new(name: &CStr) -> Result<Arc<Self>> {
        // SAFETY: The name is a C string, which is copied.
        let work = unsafe { bindings::tk_helper_delayed_work_new(name.as_char_ptr()) };
        // INVARIANT: Made just now, and disabled.
        let timer = Self {
            work: NonNull::new(work).ok_or(ENOMEM)?,
            is_taken: Atomic::new(false),
        };
        Ok(Arc::new(timer, GFP_KERNEL)?)
    }

    /// Asks for a run some time from now, rounded up to a tick, unless one is due already. Any
    /// context but NMI.
    pub(crate) fn run_in(&self, delay: Delta) {
        let millis = Msecs::try_from(delay.as_millis_ceil().max(0)).unwrap_or(Msecs::MAX);
        // SAFETY: Initialised, by the type's invariant.
        unsafe {
            bindings::tk_helper_delayed_work_queue(self.work.as_ptr(), msecs_to_jiffies(millis));
        }
    }

    /// Asks for a run at once. Any context but NMI.
    pub(crate) fn run_now(&self) {
        // SAFETY: Initialised, by the type's invariant.
        unsafe { bindings::tk_helper_delayed_work_hasten(self.work.as_ptr()) };
    }
}

impl Drop for Timer {
    /// May sleep.
    fn drop(&mut self) {
        // SAFETY: By the type's invariant disabled, since a `DelayedWork` holds a reference.
        unsafe { bindings::tk_helper_delayed_work_free(self.work.as_ptr()) };
    }
}

/// What is done.
pub(crate) trait Work: Send + Sync + 'static {
    /// Runs in a kernel worker, never twice at a time for one [`DelayedWork`]. May sleep, and may
    /// ask for another run.
    fn run(&self);
}

/// Does work when a timer asks for it. When it is dropped there is no run any more, nor will there
/// be one.
///
/// # Invariants
///
/// The timer's work calls into `target`.
pub(crate) struct DelayedWork<T: Work> {
    timer: Arc<Timer>,
    target: Arc<T>,
}

impl<T: Work> DelayedWork<T> {
    /// Work for a timer that has none and never had: else `EBUSY`. May sleep.
    pub(crate) fn new(timer: Arc<Timer>, target: Arc<T>) -> Result<Self> {
        if timer.is_taken.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: Disabled until now. The target isn't dropped before the work is disabled again.
        unsafe {
            bindings::tk_helper_delayed_work_enable(
                timer.work.as_ptr(),
                Some(run::<T>),
                Arc::as_ptr(&target).cast_mut().cast(),
            );
        }
        // INVARIANT: As was just set.
        Ok(Self { timer, target })
    }
}

impl<T: Work> Drop for DelayedWork<T> {
    fn drop(&mut self) {
        // SAFETY: Initialised. Waits for a run, whose wish for another one has no effect then.
        // Dropped where one may sleep.
        unsafe { bindings::tk_helper_delayed_work_disable(self.timer.work.as_ptr()) };
    }
}

/// # Safety
///
/// Called by a worker: `data` is the `T` of a [`DelayedWork`].
unsafe extern "C" fn run<T: Work>(data: *mut c_void) {
    // SAFETY: The caller's promise; the target stays while this runs.
    let target = unsafe { &*data.cast::<T>() };
    target.run();
}
