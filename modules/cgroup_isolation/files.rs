// SPDX-License-Identifier: GPL-2.0

//! The short files: `/proc/uptime`, `/proc/loadavg`, `/proc/swaps`, and what sysinfo(2) tells.

use super::{
    load::ONE,
    memory::Memory,
    tk::{
        hooks::procview::Sysinfo,
        machine,
        memcg::Item,
        text::Text, //
    },
    view::View,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

const SECOND: u64 = 1_000_000_000;

/// `/proc/uptime`: how long the container has existed, and how long its CPUs were idle. May sleep.
pub(crate) fn uptime(view: &View<'_>, text: &mut Text<'_>) -> Result {
    let shown = view.cpus()?;
    let start = u64::try_from(view.start()).unwrap_or(0);
    let idle: u64 = view
        .group()
        .times
        .lock()
        .sample(view.cgroup(), &shown, start)?
        .iter()
        .map(|cpu| cpu.idle)
        .sum();
    text.hundredths(view.uptime() / (SECOND / 100))
        .put(b" ")
        .hundredths(idle / (SECOND / 100))
        .put(b"\n");
    Ok(())
}

/// `/proc/loadavg`. May sleep.
pub(crate) fn loadavg(view: &View<'_>, text: &mut Text<'_>) {
    for load in view.load() {
        // Rounded as the kernel does.
        let load = load + ONE / 200;
        let places = (load % ONE) * 100 / ONE;
        text.hundredths(load / ONE * 100 + places).put(b" ");
    }
    let tasks = view.group().tasks();
    text.number(tasks.running.max(1) as u64)
        .put(b"/")
        .number(tasks.threads as u64)
        .put(b" ")
        .number(machine::last_pid().into())
        .put(b"\n");
}

/// `/proc/swaps`: one device, which is all that the container may swap to. [`None`] if the
/// container's memory isn't counted.
pub(crate) fn swaps(view: &View<'_>, text: &mut Text<'_>) -> Option<()> {
    let memory = view.memory()?;
    // All at once, in place of the heading.
    if text.index() > 0 {
        return Some(());
    }
    text.put(b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    let swap = Memory::of(memory.memcg());
    if swap.swap_total > 0 {
        let kb = |pages: usize| (pages * (PAGE_SIZE / 1024)) as u64;
        text.put(b"none                                    virtual\t\t");
        for number in [kb(swap.swap_total), kb(swap.swap_total - swap.swap_free)] {
            text.number(number)
                .put(if number < 10_000_000 { b"\t\t" } else { b"\t" });
        }
        text.put(b"0\n");
    }
    Some(())
}

/// What sysinfo(2) tells. May sleep.
pub(crate) fn sysinfo(view: &View<'_>) -> Option<Sysinfo> {
    let memory = view.memory()?;
    let memcg = memory.memcg();
    memcg.flush();
    let sizes = Memory::of(memcg);
    let now = machine::boot_time();
    Some(Sysinfo {
        uptime: view.uptime_at(now).div_ceil(SECOND),
        loads: view.load().map(|load| load * (65536 / ONE)),
        total: sizes.total,
        free: sizes.free,
        shared: memcg.get(Item::Shmem),
        buffers: 0,
        swap_total: sizes.swap_total,
        swap_free: sizes.swap_free,
        threads: view.group().tasks_at(now).threads,
    })
}
