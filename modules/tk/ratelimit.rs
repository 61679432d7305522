// SPDX-License-Identifier: GPL-2.0

//! Limits for how often something is printed.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use super::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Lets a burst of 10 pass in 5 seconds, the kernel's usual limit for messages.
#[pin_data]
pub(crate) struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
    name: &'static CStr,
}

// SAFETY: The state has its own lock.
unsafe impl Send for RateLimit {}
// SAFETY: As above.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// Creates a limit; `name` stands in the kernel's message about what was left out.
    pub(crate) fn new(name: &'static CStr) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The slot is valid for writing, and pinned as the lock in it needs.
            state <- Opaque::ffi_init(|slot| unsafe {
                bindings::tk_helper_ratelimit_default_init(slot)
            }),
            name,
        })
    }

    /// Whether one more may pass now. May be called in any context.
    pub(crate) fn pass(&self) -> bool {
        // SAFETY: The state was initialised and is pinned; the name is a C string.
        unsafe { bindings::___ratelimit(self.state.get(), self.name.as_char_ptr()) != 0 }
    }
}
