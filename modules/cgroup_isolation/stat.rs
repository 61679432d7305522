// SPDX-License-Identifier: GPL-2.0

//! `/proc/stat`, as `fs/proc/stat.c` of this kernel has it.

use super::{
    times::CpuTimes,
    tk::{
        machine,
        text::Text, //
    },
    view::View,
};
use kernel::prelude::*;

/// Nanoseconds of what user space calls a clock tick.
const TICK: u64 = 10_000_000;

/// `softirq` has the sum and one number for each kind.
const SOFTIRQS: usize = 1 + 10;

/// Writes the file. May sleep.
pub(crate) fn show(view: &View<'_>, text: &mut Text<'_>) -> Result {
    let shown = view.cpus()?;
    {
        let mut times = view.group().times.lock();
        let start = u64::try_from(view.start()).unwrap_or(0);
        let cpus = times.sample(view.cgroup(), &shown, start)?;
        let all = cpus.iter().fold(CpuTimes::default(), CpuTimes::plus);
        line(text.put(b"cpu "), &all);
        for (cpu, (_, number)) in cpus.iter().zip(shown.iter()) {
            line(text.put(b"cpu").number(number.into()), cpu);
        }
    }

    // Interrupts are the machine's.
    text.put(b"intr 0");
    zeros(text, machine::interrupts() as usize);

    let tasks = view.group().tasks();
    let booted_at = machine::booted_at().saturating_add_signed(view.boot());
    text.put(b"\nctxt ").number(tasks.switches);
    text.put(b"\nbtime ").number(booted_at / 1_000_000_000);
    text.put(b"\nprocesses ").number(machine::last_pid().into());
    // At least current runs.
    text.put(b"\nprocs_running ")
        .number(tasks.running.max(1) as u64);
    text.put(b"\nprocs_blocked ").number(tasks.iowait as u64);
    text.put(b"\nsoftirq");
    zeros(text, SOFTIRQS);
    text.put(b"\n");
    Ok(())
}

fn line(text: &mut Text<'_>, times: &CpuTimes) {
    let columns = [
        times.user,
        times.nice,
        times.system,
        times.idle,
        times.iowait,
        // Time in interrupts is part of the time of the thread that they interrupt.
        0,
        0,
        times.steal,
        // Guests of a container are its threads' user time.
        0,
        0,
    ];
    for time in columns {
        text.put(b" ").number(time / TICK);
    }
    text.put(b"\n");
}

fn zeros(text: &mut Text<'_>, mut count: usize) {
    const ZEROS: &[u8; 64] = b" 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";
    while count > 0 {
        let some = count.min(ZEROS.len() / 2);
        text.put(&ZEROS[..2 * some]);
        count -= some;
    }
}
