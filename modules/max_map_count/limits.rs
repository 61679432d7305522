// SPDX-License-Identifier: GPL-2.0

//! The numbers of the namespaces that have one of their own.

use super::tk::{
    capability::{
        capable,
        Capability, //
    },
    hooks::maps::{
        MapsHook,
        Stored, //
    },
    pid::{
        self,
        NamespaceId, //
    },
    rcu::{
        AtomicContext,
        ReadSide, //
    },
    rcu_table::{
        Entry,
        RcuTable, //
    },
    sysctl::{
        File,
        Sysctls, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        rcu, //
    },
};

/// What somebody wrote in a namespace.
struct Limit {
    namespace: NamespaceId,
    maps: i32,
}

impl Entry for Limit {
    fn key(&self) -> usize {
        self.namespace.as_usize()
    }
}

/// The numbers, and whether they count.
///
/// A namespace without one has that of the namespace around it; no one exceeds those around it,
/// also when theirs are lowered later.
#[pin_data]
pub(crate) struct Limits {
    isolate: Atomic<i32>,
    #[pin]
    written: RcuTable<Limit, ()>,
}

impl Limits {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            isolate: Atomic::new(1),
            written <- RcuTable::new(()),
        })
    }

    fn isolates(&self) -> bool {
        self.isolate.load(Relaxed) != 0
    }

    /// The least of `native` and those of the namespaces.
    fn least(
        &self,
        namespaces: impl Iterator<Item = NamespaceId>,
        native: i32,
        read_side: &impl ReadSide,
    ) -> i32 {
        namespaces
            .filter_map(|namespace| self.written.get(namespace.as_usize(), read_side))
            .map(|limit| limit.maps)
            .fold(native, i32::min)
    }
}

impl MapsHook for Limits {
    fn limit(&self, context: &AtomicContext, native: i32) -> i32 {
        if !self.isolates() {
            return native;
        }
        self.least(pid::namespaces_of_current(), native, context)
    }

    fn set_limit(&self, limit: i32, native: i32) -> Result<Stored> {
        let mut namespaces = pid::namespaces_of_current();
        let Some(namespace) = namespaces.next().filter(|_| self.isolates()) else {
            return Ok(Stored::Natively);
        };
        if !capable(Capability::SysAdmin) {
            return Err(EPERM);
        }
        // What is around may be lowered right now: reading takes the least anyway.
        if limit > self.least(namespaces, native, &rcu::read_lock()) {
            return Err(EINVAL);
        }
        self.written.lock().put(Limit {
            namespace,
            maps: limit,
        })?;
        Ok(Stored::Here)
    }

    fn release(&self, namespace: NamespaceId) {
        self.written.lock().remove(namespace.as_usize());
    }
}

impl Sysctls for Limits {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[File::int(
        c"isolate_max_map_count",
        0..=1,
        |limits| limits.isolate.load(Relaxed),
        |limits, value| {
            limits.isolate.store(value, Relaxed);
            Ok(())
        },
    )];
}
