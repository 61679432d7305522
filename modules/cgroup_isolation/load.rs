// SPDX-License-Identifier: GPL-2.0

//! Threads of a container, and the load that they are.

use super::tk::{
    cgroup::{
        Cgroup,
        Tasks, //
    },
    machine, //
};

/// A share of a CPU's time, one part in so many, that counting threads may take for a cgroup, how
/// many there and how often somebody asks.
const SHARE: u64 = 20;

/// Threads of a cgroup, as counted some time ago.
pub(crate) struct TaskCounts {
    tasks: Tasks,
    /// Until when they needn't be counted again.
    fresh_until: u64,
    /// What the context switches have been at most: those of a thread that ended are counted again
    /// only when somebody has waited for it.
    switches: u64,
}

impl TaskCounts {
    /// Counts them. May sleep.
    pub(crate) fn count(cgroup: &Cgroup) -> Self {
        let start = machine::boot_time();
        let tasks = cgroup.tasks();
        let end = machine::boot_time();
        Self {
            switches: tasks.switches,
            tasks,
            fresh_until: end + SHARE * (end - start),
        }
    }

    pub(crate) fn get(&self) -> &Tasks {
        &self.tasks
    }

    /// Counts them again unless that was done so short a time ago that it would take too much of
    /// a CPU's time. `now` is nanoseconds since boot. May sleep.
    pub(crate) fn get_fresh(&mut self, cgroup: &Cgroup, now: u64) -> &Tasks {
        if now > self.fresh_until {
            let switches = self.switches;
            *self = Self::count(cgroup);
            self.switches = self.switches.max(switches);
            self.tasks.switches = self.switches;
        }
        &self.tasks
    }
}

/// How often load is sampled, in milliseconds, as by the kernel.
pub(crate) const PERIOD_MS: i64 = 5000;

/// After how many samples that nobody looked at no more are taken.
const PATIENCE: u32 = 180;

/// Parts of 1: the unit of the averages.
pub(crate) const ONE: u64 = 1 << 11;

/// What is left of an average after a period, in parts of [`ONE`]: for 1, 5 and 15 minutes.
const DECAY: [u64; 3] = [1884, 2014, 2037];

/// Over how many seconds each is an average.
const SPANS: [u64; 3] = [60, 300, 900];

/// Load averages.
pub(crate) struct Load {
    averages: [u64; 3],
    /// Samples since somebody looked; [`None`] if none are taken.
    unread: Option<u32>,
}

impl Load {
    pub(crate) fn new() -> Self {
        Self {
            averages: [0; 3],
            unread: None,
        }
    }

    /// The averages, in parts of [`ONE`], and whether sampling has to begin. They then are what
    /// `used` says, the CPU time of the container and its age: those who used CPUs were active.
    pub(crate) fn read(&mut self, used: impl FnOnce() -> (u64, u64)) -> ([u64; 3], bool) {
        let begins = self.unread.replace(0).is_none();
        if begins {
            let (time, age) = used();
            self.averages =
                SPANS.map(|span| time / 1000 * ONE / (age.max(span * 1_000_000_000) / 1000));
        }
        (self.averages, begins)
    }

    /// Nobody takes samples after all.
    pub(crate) fn forget(&mut self) {
        self.unread = None;
    }

    /// A period has passed. Returns whether to go on.
    pub(crate) fn sample(&mut self, active: u64) -> bool {
        let unread = self.unread.unwrap_or(PATIENCE);
        if unread >= PATIENCE {
            self.unread = None;
            return false;
        }
        self.unread = Some(unread + 1);
        for (average, decay) in self.averages.iter_mut().zip(DECAY) {
            *average = next(*average, decay, active * ONE);
        }
        true
    }
}

/// The average after another period, rounded as the kernel does: up if it rises.
fn next(average: u64, decay: u64, active: u64) -> u64 {
    let sum = average * decay + active * (ONE - decay);
    let up = if active >= average { ONE - 1 } else { 0 };
    (sum + up) / ONE
}

/// Load averages.
#[kernel::macros::kunit_tests(cgroup_isolation_load)]
mod tests {
    use super::*;

    #[test]
    fn goes_to_what_is_active() {
        let mut load = Load::new();
        assert_eq!(load.read(|| (0, 0)), ([0; 3], true));
        for _ in 0..PATIENCE {
            assert!(load.sample(2));
        }
        assert_eq!(load.averages[0], 2 * ONE);
        assert!(load.averages[2] > ONE && load.averages[2] < 2 * ONE);
        assert!(!load.sample(2));
        assert!(load.read(|| (0, 0)).1);
    }

    #[test]
    fn begins_with_what_was_used() {
        const MINUTE: u64 = 60_000_000_000;
        let begin = |time, age| Load::new().read(|| (time, age)).0;
        assert_eq!(begin(120 * MINUTE, 60 * MINUTE), [2 * ONE; 3]);
        assert_eq!(begin(MINUTE, MINUTE), [ONE, ONE / 5, ONE / 15]);
    }
}
