// SPDX-License-Identifier: GPL-2.0

//! The counters of `/proc/vmstat`.
//!
//! C headers: [`include/linux/vmstat.h`](srctree/include/linux/vmstat.h),
//! `include/linux/tkernel/procview.h`

use super::{
    bindings,
    memcg::MemCgroup, //
};
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    str::CStr, //
};

/// All counters, to be filled in.
///
/// # Invariants
///
/// The arrays of `raw` have as many elements as there are counters of each kind, and nobody else
/// uses them for `'a`.
pub(crate) struct Counters<'a> {
    raw: bindings::tkernel_procview_vmstat,
    _arrays: PhantomData<&'a mut [usize]>,
}

/// Counters of zones that have a meaning for a cgroup.
#[derive(Clone, Copy)]
pub(crate) enum Zone {
    FreePages,
    InactiveAnon,
    ActiveAnon,
    InactiveFile,
    ActiveFile,
    Unevictable,
}

/// Counters of pages on a node, of events.
pub(crate) const NR_ZONE: usize = bindings::zone_stat_item_NR_VM_ZONE_STAT_ITEMS as usize;

impl Counters<'_> {
    /// # Safety
    ///
    /// `raw` is valid, and the arrays it leads to are for `'a`, where nobody else uses them.
    pub(super) unsafe fn from_raw(raw: *const bindings::tkernel_procview_vmstat) -> Self {
        // INVARIANT: The caller's promise.
        Self {
            // SAFETY: The caller's promise.
            raw: unsafe { *raw },
            _arrays: PhantomData,
        }
    }

    /// Sets all that the memory controller counts for a cgroup and those below, as of the last
    /// flush.
    pub(crate) fn fill(&mut self, memcg: &MemCgroup) {
        // SAFETY: The arrays are as large as the function expects, by the type's invariant.
        unsafe { bindings::tkernel_memcg_vmstat(memcg.as_ptr(), &self.raw) };
    }

    /// Sets a counter of zones.
    pub(crate) fn set_zone(&mut self, zone: Zone, pages: usize) {
        let index = match zone {
            Zone::FreePages => bindings::zone_stat_item_NR_FREE_PAGES,
            Zone::InactiveAnon => bindings::zone_stat_item_NR_ZONE_INACTIVE_ANON,
            Zone::ActiveAnon => bindings::zone_stat_item_NR_ZONE_ACTIVE_ANON,
            Zone::InactiveFile => bindings::zone_stat_item_NR_ZONE_INACTIVE_FILE,
            Zone::ActiveFile => bindings::zone_stat_item_NR_ZONE_ACTIVE_FILE,
            Zone::Unevictable => bindings::zone_stat_item_NR_ZONE_UNEVICTABLE,
        };
        // SAFETY: The number of a counter, by which the array is indexed.
        unsafe { self.raw.zone.add(index as usize).write(pages) };
    }

    /// Sets how many kB went from disks to memory, and back.
    pub(crate) fn set_io(&mut self, read: usize, written: usize) {
        // SAFETY: The numbers of counters, by which the array is indexed.
        unsafe {
            self.raw
                .event
                .add(bindings::vm_event_item_PGPGIN as usize)
                .write(read);
            self.raw
                .event
                .add(bindings::vm_event_item_PGPGOUT as usize)
                .write(written);
        }
    }
}

/// All counters, in memory of our own.
pub(crate) struct Table(KVec<usize>);

impl Table {
    /// All are 0. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(KVec::from_elem(0, Self::names().count(), GFP_KERNEL)?))
    }

    /// To fill them in.
    pub(crate) fn counters(&mut self) -> Counters<'_> {
        let mut raw = bindings::tkernel_procview_vmstat::default();
        // SAFETY: The vector has as many elements as there are counters.
        unsafe { bindings::tk_helper_vmstat_split(self.0.as_mut_ptr(), &mut raw) };
        // INVARIANT: As the kernel's own table is split; the vector is borrowed meanwhile.
        Counters {
            raw,
            _arrays: PhantomData,
        }
    }

    /// The counters with their names, in the order of `/proc/vmstat`.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static [u8], usize)> + '_ {
        Self::names().zip(self.0.iter().copied())
    }

    fn names() -> impl Iterator<Item = &'static [u8]> {
        // SAFETY: No requirements.
        let len = unsafe { bindings::tk_helper_vmstat_items() };
        (0..len).map(|index| {
            // SAFETY: The name of a counter, a string in static memory.
            unsafe { CStr::from_char_ptr(bindings::tk_helper_vmstat_name(index)) }.to_bytes()
        })
    }
}
