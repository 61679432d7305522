// SPDX-License-Identifier: GPL-2.0

//! How much of each CPU the class may have at most, and shall have at least.
//!
//! Both are a time per period. Who takes more of a period than the limit, since it is a tick that
//! ends it, gets that much less of the next ones, so on average the limit is kept. The floor is
//! given in pieces: a task that waits behind online work runs for so long as a normal task.
//!
//! All times are in nanoseconds.

use super::{
    offline::queue,
    percent::Percent,
    settings::Settings,
    tk::hooks::sched_slot::Queue, //
};

/// The shortest time that is worth a switch, and the longest that online work waits for one.
const SHORTEST_GRANT: u64 = 1_000_000;
const LONGEST_GRANT: u64 = 4_000_000;

/// The rules about time, as they are set.
pub(crate) struct Bandwidth<'a> {
    settings: &'a Settings,
    percent: &'a Percent,
}

impl<'a> Bandwidth<'a> {
    pub(crate) fn new(settings: &'a Settings, percent: &'a Percent) -> Self {
        Self { settings, percent }
    }

    /// The period and the time in it that the class may have at most of a CPU, neither of them 0;
    /// [`None`] for no limit.
    fn limit(&self, cpu: u32) -> Option<(u64, u64)> {
        let limit = self.settings.limit();
        // A CPU of which it may have nothing is barred.
        let Some(percent) = self.percent.of(cpu).filter(|percent| *percent != 0) else {
            return limit;
        };
        let period = self.settings.period();
        let runtime = scale(period, percent * 1000, 100 * 1000).max(1);
        Some(limit.map_or((period, runtime), |(period, all)| {
            (period, all.min(runtime))
        }))
    }

    /// The class ran for so long. Returns for how long it may not run now, or 0.
    pub(crate) fn charge(&self, queue: &mut Queue, ran: u64) -> u64 {
        let now = queue.now();
        let limit = self.limit(queue.cpu());
        let floor = self.settings.floor();
        let numbers = queue.numbers_mut();
        if floor != 0 {
            let granted = numbers[queue::FLOOR_GRANTED].min(ran);
            numbers[queue::FLOOR_GRANTED] -= granted;
            numbers[queue::FLOOR_HAD] = numbers[queue::FLOOR_HAD].saturating_add(ran - granted);
        }

        let Some((period, runtime)) = limit else {
            return 0;
        };
        let generation = self.settings.generation();
        if numbers[queue::GENERATION] != generation {
            numbers[queue::GENERATION] = generation;
            numbers[queue::PERIOD_START] = now;
            numbers[queue::USED] = 0;
        }
        let used = numbers[queue::USED].saturating_add(ran);
        let start = numbers[queue::PERIOD_START];
        let periods = now.saturating_sub(start) / period;
        let used = used.saturating_sub(periods.saturating_mul(runtime));
        let start = start.saturating_add(periods.saturating_mul(period));
        numbers[queue::PERIOD_START] = start;
        numbers[queue::USED] = used;
        if used < runtime {
            return 0;
        }
        // Until the beginning of the period in which there is something left.
        start
            .saturating_add((used / runtime).saturating_mul(period))
            .saturating_sub(now)
    }

    /// For how long the first that waits behind online work is to run as a normal task, or 0.
    pub(crate) fn grant(&self, queue: &mut Queue) -> u64 {
        let floor = self.settings.floor();
        if floor == 0 {
            return 0;
        }
        let period = self.settings.period();
        let now = queue.now();
        let numbers = queue.numbers_mut();
        if now.saturating_sub(numbers[queue::FLOOR_START]) >= period {
            numbers[queue::FLOOR_START] = now;
            numbers[queue::FLOOR_HAD] = 0;
            numbers[queue::FLOOR_GRANTED] = 0;
        }
        // Spread over the period: what is due by now.
        let elapsed = now.saturating_sub(numbers[queue::FLOOR_START]);
        let due = scale(elapsed, floor, period);
        let missing = due.saturating_sub(numbers[queue::FLOOR_HAD]);
        if missing < SHORTEST_GRANT {
            return 0;
        }
        let grant = missing.min(LONGEST_GRANT);
        numbers[queue::FLOOR_HAD] = numbers[queue::FLOOR_HAD].saturating_add(grant);
        numbers[queue::FLOOR_GRANTED] = numbers[queue::FLOOR_GRANTED].saturating_add(grant);
        grant
    }
}

/// `time * part / whole`. In microseconds, so that it doesn't overflow for periods of an hour.
fn scale(time: u64, part: u64, whole: u64) -> u64 {
    let (time, part) = (time / 1000, part / 1000);
    time.saturating_mul(part) / (whole / 1000).max(1) * 1000
}
