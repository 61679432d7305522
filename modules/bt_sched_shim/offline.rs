// SPDX-License-Identifier: GPL-2.0

//! What the module answers the slot.

use super::{
    bandwidth::Bandwidth,
    fairness, group_limit, group_weight,
    percent::Percent,
    placement::Placement,
    settings::Settings,
    stats::Waits,
    tk::hooks::sched_slot::{
        Class,
        Level,
        Member,
        Queue,
        Shared,
        Wake,
        Why, //
    },
};
use kernel::{
    cpumask::Cpumask,
    prelude::*, //
};

/// The class. What it knows of a CPU, a level, a task or a group it keeps in their numbers, by the
/// indices in [`queue`], [`level`], [`member`] and [`shared`].
pub(crate) struct Offline {
    settings: Settings,
    percent: Percent,
    waits: Waits,
}

/// What the numbers of a run queue are. Others see the first two.
pub(crate) mod queue {
    /// The sum of the weights in its own level: of groups there by what they have on this CPU.
    pub(crate) const LOAD: usize = 0;
    /// When one of its tasks last ran, or the first of them came, by the clock that all share.
    pub(crate) const RAN_AT: usize = 1;
    /// When the period of the limit began.
    pub(crate) const PERIOD_START: usize = 2;
    /// What has been used of the period's time.
    pub(crate) const USED: usize = 3;
    /// The limit that these two are of: see `Settings::generation()`.
    pub(crate) const GENERATION: usize = 4;
    /// When the period of the floor began.
    pub(crate) const FLOOR_START: usize = 5;
    /// What was had in it.
    pub(crate) const FLOOR_HAD: usize = 6;
    /// What of that was granted and hasn't been charged yet.
    pub(crate) const FLOOR_GRANTED: usize = 7;
    /// Since when its task shares a core, as far as it matters: see [`super::Placement::spread`].
    pub(crate) const SHARED_SINCE: usize = 8;
}

/// What the numbers of a level are.
pub(crate) mod level {
    /// No member's key is due to be before this one. It only grows.
    pub(crate) const LEAST_KEY: usize = 0;
    /// The sum of the weights of its members.
    pub(crate) const WEIGHT: usize = 1;
}

/// What the numbers of a member are.
pub(crate) mod member {
    /// For how long it has run since it was picked.
    pub(crate) const RAN: usize = 0;
    /// When it fell asleep.
    pub(crate) const ASLEEP_AT: usize = 1;
    /// Of a group: what others know of the sum of the weights in it on this CPU.
    pub(crate) const TOLD: usize = 2;
    /// Of a group: what this CPU has left of the time that it took of the group's, in two's
    /// complement: it may have used more.
    pub(crate) const LEFT: usize = 3;
}

/// What the numbers are that a group has for all CPUs.
pub(crate) mod shared {
    /// What it weighs among those that it competes with; 0 stands for 1024.
    pub(crate) const SHARES: usize = 0;
    /// The sum of the weights in it on all CPUs, as they have told.
    pub(crate) const WEIGHT: usize = 1;
    /// The time that it may have of each period, in nanoseconds; 0 for no limit.
    pub(crate) const RUNTIME: usize = 2;
    /// The period, in nanoseconds.
    pub(crate) const PERIOD: usize = 3;
    /// What CPUs have taken of the time: see [`super::group_limit`].
    pub(crate) const TAKEN: usize = 4;
}

impl Offline {
    /// With the defaults of all settings but the given ones, which don't change.
    pub(crate) fn new(leave_needs_cap: bool, also_ext_number: bool) -> Result<Self> {
        Ok(Self {
            settings: Settings::new(leave_needs_cap, also_ext_number),
            percent: Percent::new()?,
            waits: Waits::default(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn percent(&self) -> &Percent {
        &self.percent
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    fn bandwidth(&self) -> Bandwidth<'_> {
        Bandwidth::new(&self.settings, &self.percent)
    }
}

/// The weights in a level may be others: tells those who look for the CPU with the least to do.
fn tell_load(queue: &mut Queue, level: &Level) {
    if level.is_top() {
        queue.numbers_mut()[queue::LOAD] = level.numbers()[level::WEIGHT];
    }
}

impl Class for Offline {
    fn enqueue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, why: Why) {
        fairness::join(queue, level, member, why);
        tell_load(queue, level);
        if !member.is_group() && queue.queued() == 0 {
            queue.numbers_mut()[queue::RAN_AT] = queue.clock();
        }
    }

    fn dequeue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, _why: Why) {
        fairness::leave(queue, level, member);
        tell_load(queue, level);
    }

    fn run(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, waited: u64) {
        member.numbers_mut()[member::RAN] = 0;
        fairness::advance_least(level, member.key());
        if !member.is_group() {
            queue.numbers_mut()[queue::RAN_AT] = queue.clock();
            self.waits.record(waited);
        }
    }

    fn charge(&self, _queue: &mut Queue, level: &mut Level, member: &mut Member, ran: u64) {
        fairness::charge(level, member, ran);
    }

    fn tick(&self, _queue: &mut Queue, level: &mut Level, member: &mut Member) -> bool {
        fairness::has_run_enough(level, member)
    }

    fn preempt(
        &self,
        _queue: &mut Queue,
        _level: &mut Level,
        running: &mut Member,
        woken: &Member,
    ) -> bool {
        fairness::is_far_ahead(running, woken)
    }

    fn give_way(&self, _queue: &mut Queue, level: &mut Level, task: &mut Member) {
        fairness::give_way(level, task);
    }

    fn weigh(
        &self,
        queue: &mut Queue,
        above: &mut Level,
        group: &mut Member,
        own: &Level,
        shared: &Shared,
    ) -> bool {
        let changed = group_weight::weigh(above, group, own, shared);
        tell_load(queue, above);
        changed
    }

    fn share(&self, group: &Member, own: &Level, load: u64) -> u64 {
        group_weight::share(group, own, load)
    }

    fn spend(&self, queue: &mut Queue, ran: u64) -> u64 {
        queue.numbers_mut()[queue::RAN_AT] = queue.clock();
        self.bandwidth().charge(queue, ran)
    }

    fn spend_of(&self, queue: &mut Queue, group: &mut Member, shared: &Shared, ran: u64) -> u64 {
        group_limit::spend(queue, group, shared, ran)
    }

    fn idle(&self, queue: &mut Queue, group: &mut Member, shared: &Shared) {
        group_limit::give_back(queue, group, shared);
    }

    fn select_cpu(&self, _task: &Member, previous: u32, wake: Wake, allowed: &Cpumask) -> u32 {
        Placement(&self.settings).wake_up(previous, wake, allowed)
    }

    fn newidle(&self, queue: &mut Queue, waiting: &Cpumask) -> Option<u32> {
        Placement(&self.settings).fetch_from(queue, waiting)
    }

    fn push(&self, queue: &mut Queue, load: u64, allowed: &Cpumask) -> Option<u32> {
        Placement(&self.settings).move_to(queue, load, allowed)
    }

    fn spread(&self, queue: &mut Queue, shared: bool, allowed: &Cpumask) -> Option<u32> {
        Placement(&self.settings).spread(queue, shared, allowed)
    }

    fn floor(&self, queue: &mut Queue, _waited: u64) -> u64 {
        self.bandwidth().grant(queue)
    }
}
