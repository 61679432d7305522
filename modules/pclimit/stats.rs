// SPDX-License-Identifier: GPL-2.0

//! What the limit did, and what it cost: `/proc/pagecache_limit`.

use super::{
    limiter::Limiter,
    tk::{
        proc_file::ProcFile,
        reclaim::Reclaimed, //
    },
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    time::Delta,
};

/// A number that only grows.
pub(crate) struct Counter(Atomic<u64>);

impl Default for Counter {
    fn default() -> Self {
        Self(Atomic::new(0))
    }
}

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.add(n as u64, Relaxed);
    }

    pub(crate) fn count(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Times that something took.
#[derive(Default)]
pub(crate) struct Times {
    count: Counter,
    nanos: Counter,
    longest: Counter,
}

impl Times {
    pub(crate) fn record(&self, time: Delta) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(0);
        self.count.count();
        self.nanos.0.add(nanos, Relaxed);
        let mut longest = self.longest.get();
        while nanos > longest {
            match self.longest.0.cmpxchg(longest, nanos, Relaxed) {
                Ok(_) => break,
                Err(now) => longest = now,
            }
        }
    }
}

/// Who reclaims.
#[derive(Clone, Copy)]
pub(crate) enum Reclaimer {
    /// A task that inserts into the page cache.
    Insert,
    /// `kpclimitd`.
    Thread,
    /// kswapd.
    Kswapd,
    /// A task that changes a setting.
    Setting,
    /// The worker.
    Worker,
}

/// The counters.
#[derive(Default)]
pub(crate) struct Stats {
    /// Looks at the machine's counters, one for many insertions.
    pub(crate) checks: Counter,
    /// Those that found usage where reclaim begins, or above.
    pub(crate) over_limit: Counter,
    /// Calls of the kernel's reclaim, by who made them.
    calls: [Counter; 5],
    /// Pages that they freed.
    freed: [Counter; 5],
    scanned: Counter,
    /// The time that reclaim took.
    pub(crate) reclaim: Times,
    /// What insertions were held up.
    pub(crate) stalls: Times,
    /// Waits for room that others make.
    pub(crate) busy_waits: Times,
    /// Waits for dirty pages to be written.
    pub(crate) dirty_waits: Times,
    /// Somebody else reclaimed, and the insertion went on.
    pub(crate) skipped_busy: Counter,
    /// The insertion must not sleep.
    pub(crate) skipped_atomic: Counter,
    /// The inserting process was being killed.
    pub(crate) skipped_killed: Counter,
    /// There was nothing to reclaim a moment ago.
    pub(crate) skipped_exhausted: Counter,
    /// Reclaim found nothing more that it may take, or only what the disk is at.
    pub(crate) failures: Counter,
    /// `kpclimitd` was woken.
    pub(crate) wakeups: Counter,
}

impl Stats {
    pub(crate) fn reclaimed(&self, who: Reclaimer, result: &Reclaimed) {
        self.calls[who as usize].count();
        self.freed[who as usize].add(result.freed);
        self.scanned.add(result.scanned);
    }
}

impl ProcFile for Limiter {
    const NAME: &'static CStr = c"pagecache_limit";

    fn show(&self, text: &SeqFile) -> Result {
        let stats = self.stats();
        let limit = self.limit();
        seq_print!(text, "nr_usage {}\n", self.usage());
        seq_print!(text, "nr_limit {}\n", limit.map_or(0, |limit| limit.max));
        seq_print!(text, "nr_target {}\n", limit.map_or(0, |limit| limit.stop));
        for (name, counter) in [
            ("checks", &stats.checks),
            ("over_limit", &stats.over_limit),
            ("reclaim_insert", &stats.calls[0]),
            ("reclaim_kpclimitd", &stats.calls[1]),
            ("reclaim_kswapd", &stats.calls[2]),
            ("reclaim_setting", &stats.calls[3]),
            ("reclaim_worker", &stats.calls[4]),
            ("pgscan", &stats.scanned),
            ("pgfree_insert", &stats.freed[0]),
            ("pgfree_kpclimitd", &stats.freed[1]),
            ("pgfree_kswapd", &stats.freed[2]),
            ("pgfree_setting", &stats.freed[3]),
            ("pgfree_worker", &stats.freed[4]),
            ("skipped_busy", &stats.skipped_busy),
            ("skipped_atomic", &stats.skipped_atomic),
            ("skipped_killed", &stats.skipped_killed),
            ("skipped_exhausted", &stats.skipped_exhausted),
            ("failures", &stats.failures),
            ("kpclimitd_wakeups", &stats.wakeups),
        ] {
            seq_print!(text, "{} {}\n", name, counter.get());
        }
        for (name, times) in [
            ("reclaim", &stats.reclaim),
            ("stall", &stats.stalls),
            ("wait_busy", &stats.busy_waits),
            ("wait_dirty", &stats.dirty_waits),
        ] {
            seq_print!(text, "{}_count {}\n", name, times.count.get());
            seq_print!(text, "{}_ns {}\n", name, times.nanos.get());
            seq_print!(text, "{}_max_ns {}\n", name, times.longest.get());
        }
        Ok(())
    }
}
