// SPDX-License-Identifier: GPL-2.0

//! What the module answers the slot.

use super::{
    bandwidth::Bandwidth,
    fairness, placement,
    settings::Settings,
    stats::Waits,
    tk::hooks::sched_slot::{
        Class,
        Entity,
        Queue,
        Wake,
        Why, //
    },
};
use kernel::cpumask::Cpumask;

/// The class. What it knows of a CPU or a task it keeps in their numbers, by the indices in
/// [`queue`] and [`task`].
pub(crate) struct Offline {
    settings: Settings,
    waits: Waits,
}

/// What the numbers of a run queue are.
pub(crate) mod queue {
    /// The sum of the weights of its tasks. Others see this one.
    pub(crate) const WEIGHT: usize = 0;
    /// No task's key is due to be before this one. It only grows.
    pub(crate) const LEAST_KEY: usize = 1;
    /// When one of its tasks last ran.
    pub(crate) const RAN_AT: usize = 2;
    /// When the period of the limit began.
    pub(crate) const PERIOD_START: usize = 3;
    /// What has been used of the period's time.
    pub(crate) const USED: usize = 4;
    /// The limit that these two are of: see `Settings::generation()`.
    pub(crate) const GENERATION: usize = 5;
    /// When the period of the floor began.
    pub(crate) const FLOOR_START: usize = 6;
    /// What was had in it.
    pub(crate) const FLOOR_HAD: usize = 7;
    /// What of that was granted and hasn't been charged yet.
    pub(crate) const FLOOR_GRANTED: usize = 8;
}

/// What the numbers of a task are.
pub(crate) mod task {
    /// For how long it has run since it was picked.
    pub(crate) const RAN: usize = 0;
    /// When it fell asleep.
    pub(crate) const ASLEEP_AT: usize = 1;
}

impl Offline {
    /// With the defaults of all settings but the given ones, which don't change.
    pub(crate) fn new(leave_needs_cap: bool, also_ext_number: bool) -> Self {
        Self {
            settings: Settings::new(leave_needs_cap, also_ext_number),
            waits: Waits::default(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }
}

impl Class for Offline {
    fn enqueue(&self, queue: &mut Queue, task: &mut Entity, why: Why) {
        fairness::join(queue, task, why);
    }

    fn dequeue(&self, queue: &mut Queue, task: &mut Entity, _why: Why) {
        fairness::leave(queue, task);
    }

    fn run(&self, queue: &mut Queue, task: &mut Entity, waited: u64) {
        task.numbers_mut()[task::RAN] = 0;
        queue.numbers_mut()[queue::RAN_AT] = queue.now();
        fairness::advance_least(queue, task.key());
        self.waits.record(waited);
    }

    fn charge(&self, queue: &mut Queue, task: &mut Entity, ran: u64) -> u64 {
        queue.numbers_mut()[queue::RAN_AT] = queue.now();
        fairness::charge(queue, task, ran);
        Bandwidth(&self.settings).charge(queue, ran)
    }

    fn tick(&self, queue: &mut Queue, task: &mut Entity) -> bool {
        fairness::has_run_enough(queue, task)
    }

    fn preempt(&self, _queue: &mut Queue, running: &mut Entity, woken: &Entity) -> bool {
        fairness::is_far_ahead(running, woken)
    }

    fn give_way(&self, queue: &mut Queue, task: &mut Entity) {
        fairness::give_way(queue, task);
    }

    fn select_cpu(&self, _task: &Entity, previous: u32, wake: Wake, allowed: &Cpumask) -> u32 {
        placement::wake_up(previous, wake, allowed)
    }

    fn newidle(&self, queue: &mut Queue, waiting: &Cpumask) -> Option<u32> {
        placement::fetch_from(queue, waiting)
    }

    fn push(&self, queue: &mut Queue, _task: &Entity, allowed: &Cpumask) -> Option<u32> {
        placement::move_to(queue, allowed)
    }

    fn floor(&self, queue: &mut Queue, _waited: u64) -> u64 {
        Bandwidth(&self.settings).grant(queue)
    }
}
