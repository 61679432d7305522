// SPDX-License-Identifier: GPL-2.0

//! Kernel threads.
//!
//! C header: [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use super::{
    bindings,
    task, //
};
use core::marker::PhantomData;
use kernel::{
    error::from_err_ptr,
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    task::Task,
    types::NotThreadSafe,
};

/// What a thread does.
pub(crate) trait Main: Send + Sync + 'static {
    /// Runs in the thread. Returns soon after `stop` says so; may return earlier.
    ///
    /// Sleeps by [`WaitQueue::wait_in_thread`](super::wait_queue::WaitQueue::wait_in_thread), which
    /// ends then too.
    fn run(&self, stop: &Stop);
}

/// Tells the current thread whether it is to stop.
///
/// # Invariants
///
/// Current is a kernel thread.
pub(crate) struct Stop(PhantomData<NotThreadSafe>);

impl Stop {
    /// Whether the thread is to stop: its [`Thread`] is being dropped, and waits for it.
    pub(crate) fn should_stop(&self) -> bool {
        // SAFETY: Current is a kernel thread, by the type's invariant.
        unsafe { bindings::kthread_should_stop() }
    }
}

/// Holds a kernel thread: when it is dropped the thread is told to stop, and has ended.
///
/// Must not be dropped by the thread itself, which would wait for its own end.
///
/// # Invariants
///
/// `task` came from `kthread_create_on_node()`, was woken since, and was not told to stop. What it
/// runs uses nothing but what `target` keeps alive.
pub(crate) struct Thread<T: Main> {
    task: ARef<Task>,
    target: Arc<T>,
}

impl<T: Main> Thread<T> {
    /// Starts a thread with that name in `/proc/PID/comm`.
    ///
    /// Returns `EINTR` if the current process was killed meanwhile. May sleep.
    pub(crate) fn spawn(name: &CStr, target: Arc<T>) -> Result<Self> {
        // SAFETY: The names are C strings, and the format fits the argument. The thread runs
        // before `target` is dropped, or not at all.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(run::<T>),
                Arc::as_ptr(&target).cast_mut().cast(),
                bindings::NUMA_NO_NODE,
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })?;
        // SAFETY: The thread sleeps until it is woken below, so it is there. With the reference
        // its task stays, even if it ends before it is told to.
        let task = ARef::from(unsafe { task::from_raw(task) });
        task.wake_up();
        // INVARIANT: As above.
        Ok(Self { task, target })
    }

    /// Lets the thread run before ordinary tasks, as nice(2) -20 does. May sleep.
    pub(crate) fn put_first(&self) {
        // SAFETY: We have a reference to the task, by the type's invariant.
        unsafe { bindings::set_user_nice(self.task.as_ptr(), -20) };
    }
}

impl<T: Main> Drop for Thread<T> {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant a kernel thread, to which we have a reference. Returns
        // when it has left the module's code for good, or never got there.
        unsafe { bindings::kthread_stop(self.task.as_ptr()) };
    }
}

/// # Safety
///
/// Called by the kernel in a new kernel thread: `data` is the `T` of a [`Thread`].
unsafe extern "C" fn run<T: Main>(data: *mut c_void) -> c_int {
    // SAFETY: The caller's promise; the `Thread` isn't gone before the thread has ended.
    let target = unsafe { &*data.cast::<T>() };
    // INVARIANT: The caller's promise.
    target.run(&Stop(PhantomData));
    0
}
