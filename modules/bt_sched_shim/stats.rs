// SPDX-License-Identifier: GPL-2.0

//! What the class had, and how long its tasks waited: `/proc/bt_stat` and `/proc/bt_starvation`.

use super::{
    offline::Offline,
    tk::{
        cpus,
        hooks::sched_slot,
        proc_file::ProcFile, //
    },
};
use kernel::{
    cpumask::CpumaskVar,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    },
};

/// A wait this long, in nanoseconds, is counted.
const LONG: u64 = 1_000_000_000;

/// How long tasks waited before they ran.
pub(crate) struct Waits {
    long: Atomic<u64>,
    longest: Atomic<u64>,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            long: Atomic::new(0),
            longest: Atomic::new(0),
        }
    }
}

impl Waits {
    /// A task waited for so many nanoseconds. Any context.
    pub(crate) fn record(&self, waited: u64) {
        if waited >= LONG {
            self.long.add(1, Relaxed);
        }
        // Nearly always one read of what nobody writes.
        let mut longest = self.longest.load(Relaxed);
        while waited > longest {
            match self.longest.cmpxchg(longest, waited, Relaxed) {
                Ok(_) => break,
                Err(other) => longest = other,
            }
        }
    }
}

/// `/proc/bt_stat`: `/proc/stat` with the time of the class at the end of each CPU's line.
pub(crate) struct Stat;

impl ProcFile for Stat {
    const NAME: &'static CStr = c"bt_stat";

    fn show(&self, text: &SeqFile) -> Result {
        sched_slot::show_stat(text);
        Ok(())
    }
}

/// `/proc/bt_starvation`: a name and a number on each line.
pub(crate) struct Starvation(pub(crate) Arc<Offline>);

impl ProcFile for Starvation {
    const NAME: &'static CStr = c"bt_starvation";

    fn show(&self, text: &SeqFile) -> Result {
        let waits = self.0.waits();
        let (mut lifts, mut pulls, mut pushes, mut longest_balance) = (0, 0, 0, 0);
        // What a CPU counted stays when it goes off line.
        let mut possible = CpumaskVar::new_zero(GFP_KERNEL)?;
        cpus::possible(&mut possible);
        for cpu in cpus::iter(&possible) {
            let stat = sched_slot::stat(cpu);
            lifts += stat.lifts;
            pulls += stat.pulls;
            pushes += stat.pushes;
            longest_balance = longest_balance.max(stat.longest_balance);
        }
        seq_print!(text, "waiting {}\n", sched_slot::waiting());
        seq_print!(text, "waits_over_1s {}\n", waits.long.load(Relaxed));
        seq_print!(
            text,
            "longest_wait_us {}\n",
            waits.longest.load(Relaxed) / 1000
        );
        seq_print!(text, "lifts {lifts}\n");
        seq_print!(text, "pulls {pulls}\n");
        seq_print!(text, "pushes {pushes}\n");
        seq_print!(text, "longest_balance_ns {longest_balance}\n");
        Ok(())
    }
}
