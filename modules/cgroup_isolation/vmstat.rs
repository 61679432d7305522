// SPDX-License-Identifier: GPL-2.0

//! `/proc/vmstat`: what the kernel counts for a cgroup; the rest is 0.

use super::{
    memory::Memory,
    tk::{
        cgroup::IoController,
        memcg::Item,
        text::Text,
        vmstat::{
            Counters,
            Table,
            Zone, //
        },
    },
    view::View,
};
use kernel::prelude::*;

/// Fills in the counters. [`None`] if the container's memory isn't counted. May sleep.
pub(crate) fn fill(view: &View<'_>, counters: &mut Counters<'_>) -> Option<()> {
    let memory = view.memory()?;
    let memcg = memory.memcg();
    memcg.flush();
    counters.fill(memcg);
    counters.set_zone(Zone::FreePages, Memory::of(memcg).free);
    for (zone, item) in [
        (Zone::InactiveAnon, Item::InactiveAnon),
        (Zone::ActiveAnon, Item::ActiveAnon),
        (Zone::InactiveFile, Item::InactiveFile),
        (Zone::ActiveFile, Item::ActiveFile),
        (Zone::Unevictable, Item::Unevictable),
    ] {
        counters.set_zone(zone, memcg.get(item));
    }
    let io = view.cgroup().controlled::<IoController>();
    if let Some(io) = io.filter(|io| !io.is_root()) {
        io.flush();
        let [read, written, _] = io.with_all().bytes;
        counters.set_io((read / 1024) as usize, (written / 1024) as usize);
    }
    Some(())
}

/// Writes the file for a cgroup. May sleep.
pub(crate) fn show(view: &View<'_>, text: &mut Text<'_>) -> Result {
    let mut table = Table::new()?;
    fill(view, &mut table.counters()).ok_or(ENODEV)?;
    for (name, number) in table.iter() {
        text.put(name).put(b" ").number(number as u64).put(b"\n");
    }
    text.put(b"nr_unstable 0\n");
    Ok(())
}
