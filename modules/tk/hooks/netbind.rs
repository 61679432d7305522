// SPDX-License-Identifier: GPL-2.0

//! The hook where binding to a port needs `CAP_NET_BIND_SERVICE`.
//!
//! C header: `include/linux/tkernel/netbind.h`

use super::{
    super::{
        bindings,
        net::Net,
        rcu::AtomicContext, //
    },
    RawHook, //
};
use kernel::ffi::{
    c_int,
    c_ushort,
    c_void, //
};

/// Decides who may bind.
pub(crate) trait NetbindHook: Send + Sync {
    /// Whether current may bind a socket of `net` to `port`, which is below
    /// `net.ipv4.ip_unprivileged_port_start`, without the capability.
    ///
    /// Context: that of who binds, preemption off; the socket may be locked.
    fn allows(&self, context: &AtomicContext, net: &Net, port: u16) -> bool;
}

/// Holds the netbind hook.
pub(crate) type Registration<T> = super::Registration<Hook, T>;

/// The netbind hook.
pub(crate) struct Hook;

// SAFETY: `allows()` gets back the `T` that `ops()` was given; the functions are the hook's.
unsafe impl<T: NetbindHook> RawHook<T> for Hook {
    type Ops = bindings::tkernel_netbind_ops;

    fn ops(data: *mut c_void) -> Self::Ops {
        Self::Ops {
            data,
            allows: Some(allows::<T>),
        }
    }

    unsafe fn register(ops: *const Self::Ops) -> c_int {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_netbind_register(ops) }
    }

    unsafe fn unregister(ops: *const Self::Ops) {
        // SAFETY: The caller's promise.
        unsafe { bindings::tkernel_netbind_unregister(ops) };
    }
}

/// # Safety
///
/// Called by the hook: `data` is the `T` of the registration, `net` is valid, preemption is off.
unsafe extern "C" fn allows<T: NetbindHook>(
    net: *mut bindings::net,
    port: c_ushort,
    data: *mut c_void,
) -> bool {
    // SAFETY: The caller's promise, for the time of this call.
    let (this, context, net) = unsafe {
        (
            &*data.cast::<T>(),
            AtomicContext::assume(),
            Net::from_raw(net),
        )
    };
    this.allows(&context, net, port)
}
