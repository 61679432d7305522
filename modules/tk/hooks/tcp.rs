// SPDX-License-Identifier: GPL-2.0

//! The hook in decisions of TCP, and settings that it has for each network namespace.
//!
//! C header: `include/linux/tkernel/tcp.h`

use super::{
    super::{
        bindings,
        net::Net,
        rcu::AtomicContext, //
    },
    RawHook, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*, //
};

/// Decides for the connections of a network namespace.
///
/// Context of all methods: any but interrupts and NMI, nearly always softirq; preemption off, a
/// socket of the namespace locked.
pub(crate) trait TcpHook: Send + Sync {
    /// The congestion window in segments that a connection begins with, or goes on with after having
    /// been idle. `cwnd` is the kernel's own.
    fn init_cwnd(&self, context: &AtomicContext, net: &Net, cwnd: u32) -> u32;

    /// The window after a timeout has cut it to `cwnd`. Less than that counts as that.
    fn loss_cwnd(&self, context: &AtomicContext, net: &Net, cwnd: u32) -> u32;

    /// Whether what was received is acknowledged without delay.
    fn acks_at_once(&self, context: &AtomicContext, net: &Net) -> bool;

    /// The namespace has one orphan more, unless that is one too many: `false`, and it is reset, and
    /// wasn't told of. Those that are `known` were there before the hook was held, and stay.
    fn orphan(&self, context: &AtomicContext, net: &Net, known: bool) -> bool;

    /// One that was told of is gone.
    fn orphan_gone(&self, context: &AtomicContext, net: &Net);

    /// Whether an orphan has to go because there are too many, were there `1 << shift` times as many
    /// as there are.
    fn too_many_orphans(&self, context: &AtomicContext, net: &Net, shift: u32) -> bool;
}

/// Holds the tcp hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The tcp hook.
pub(crate) struct Hook;

// SAFETY: The functions get back the `T` that `ops()` was given; `register()` and `unregister()` are
// the hook's.
unsafe impl<T: TcpHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_tcp_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            init_cwnd: Some(init_cwnd::<T>),
            loss_cwnd: Some(loss_cwnd::<T>),
            acks_at_once: Some(acks_at_once::<T>),
            orphan: Some(orphan::<T>),
            orphan_gone: Some(orphan_gone::<T>),
            too_many_orphans: Some(too_many_orphans::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_tcp_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_tcp_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `net` is valid, preemption is off, all
/// of that until `f` returns.
#[inline(always)]
unsafe fn call<T: TcpHook, R>(
    net: *mut bindings::net,
    data: *mut c_void,
    f: impl FnOnce(&T, &AtomicContext, &Net) -> R,
) -> R {
    // SAFETY: The caller's promise.
    let (this, context, net) = unsafe {
        (
            &*data.cast::<T>(),
            AtomicContext::assume(),
            Net::from_raw(net),
        )
    };
    f(this, &context, net)
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn init_cwnd<T: TcpHook>(
    net: *mut bindings::net,
    cwnd: u32,
    data: *mut c_void,
) -> u32 {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.init_cwnd(context, net, cwnd)
        })
    }
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn loss_cwnd<T: TcpHook>(
    net: *mut bindings::net,
    cwnd: u32,
    data: *mut c_void,
) -> u32 {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.loss_cwnd(context, net, cwnd)
        })
    }
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn acks_at_once<T: TcpHook>(net: *mut bindings::net, data: *mut c_void) -> bool {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.acks_at_once(context, net)
        })
    }
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn orphan<T: TcpHook>(
    net: *mut bindings::net,
    known: bool,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.orphan(context, net, known)
        })
    }
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn orphan_gone<T: TcpHook>(net: *mut bindings::net, data: *mut c_void) {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.orphan_gone(context, net)
        })
    }
}

/// # Safety
///
/// As [`call`].
unsafe extern "C" fn too_many_orphans<T: TcpHook>(
    net: *mut bindings::net,
    shift: c_uint,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise.
    unsafe {
        call(net, data, |this: &T, context, net| {
            this.too_many_orphans(context, net, shift)
        })
    }
}

/// `net.ipv4.tcp_rto_min_us` of a namespace.
pub(crate) fn rto_min_us(net: &Net) -> i32 {
    // SAFETY: The namespace is alive.
    unsafe { bindings::tkernel_tcp_rto_min_us(net.as_ptr()) }
}

/// Sets it, for sockets that are listening or connected and have the old value, too. At least 1.
///
/// Process context, sleeps. `EINTR` if the task was killed while it waited for others.
pub(crate) fn set_rto_min_us(net: &Net, us: i32) -> Result {
    // SAFETY: The namespace is alive, and this is process context.
    to_result(unsafe { bindings::tkernel_tcp_set_rto_min_us(net.as_ptr(), us) })
}

/// `net.ipv4.tcp_rto_max_ms` of a namespace.
pub(crate) fn rto_max_ms(net: &Net) -> i32 {
    // SAFETY: The namespace is alive.
    unsafe { bindings::tkernel_tcp_rto_max_ms(net.as_ptr()) }
}

/// Sets it as [`set_rto_min_us`] does. 1000 to 120000.
pub(crate) fn set_rto_max_ms(net: &Net, ms: i32) -> Result {
    // SAFETY: The namespace is alive, and this is process context.
    to_result(unsafe { bindings::tkernel_tcp_set_rto_max_ms(net.as_ptr(), ms) })
}

/// The machine's limit of orphans.
pub(crate) fn max_orphans() -> i32 {
    // SAFETY: No requirements.
    unsafe { bindings::tkernel_tcp_max_orphans() }
}
