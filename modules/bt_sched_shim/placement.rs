// SPDX-License-Identifier: GPL-2.0

//! On which CPU a task waits for time that others leave.
//!
//! The best one is idle: rather one whose core is, too, and near to where the task's memory is. Then
//! comes one that runs offline work only, the less the better. On one that has online work a task
//! waits for nobody knows how long.
//!
//! What a CPU has to do is the sum of the weights of those that compete on it: a group counts for what
//! it has of its shares there, and each task in it for a part of that. One that gets nothing done counts
//! for the more the longer that lasts, so that its tasks are taken to others first.

use super::{
    offline::queue,
    settings::Settings,
    tk::hooks::sched_slot::{
        cpus_from,
        share_cache,
        Facts,
        Queue,
        Wake, //
    },
};
use kernel::cpumask::Cpumask;

/// How many CPUs are looked at before the best of these is good enough.
const LOOK: usize = 64;

/// How much one that gets nothing done may count for: so many times as much, as a power of two.
const MOST_SHIFT: u64 = 12;

/// For how long a task shares its core before it is worth to take it to another one, in nanoseconds: what
/// runs for a moment on the other thread doesn't count.
const SHARED_FOR: u64 = 8_000_000;

/// After how many times as long one for which there was no other core is asked about again.
const ASK_AGAIN: u64 = 8;

/// The rules, as they are set.
pub(crate) struct Placement<'a>(pub(crate) &'a Settings);

/// How good an idle CPU is for a task that ran on another one, the more the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// On another node.
    Far,
    /// On the same node.
    Near,
    /// It shares the cache.
    Cache,
    /// On another node, and its core is idle: half of a core costs more than memory that is far, and
    /// than a cold cache.
    FarCore,
    /// On the same node, and its core is idle.
    NearCore,
    /// It shares the cache, and its core is idle.
    CacheCore,
}

impl Fit {
    fn of(cpu: u32, facts: &Facts, last: u32, last_facts: Option<&Facts>) -> Self {
        let near = || last_facts.is_some_and(|last| last.node == facts.node);
        match (facts.core_idle, share_cache(last, cpu)) {
            (true, true) => Self::CacheCore,
            (true, false) if near() => Self::NearCore,
            (true, false) => Self::FarCore,
            (false, true) => Self::Cache,
            (false, false) if near() => Self::Near,
            (false, false) => Self::Far,
        }
    }
}

/// The best that was found.
#[derive(Default)]
struct Found {
    idle: Option<(Fit, u32)>,
    /// The CPU with offline work only that has the least to do, and what that is.
    busy: Option<(u64, u32)>,
}

impl Found {
    /// Looks at `allowed` CPUs, from `last` on.
    fn look(allowed: &Cpumask, last: u32, last_facts: Option<&Facts>) -> Self {
        let mut found = Self::default();
        for cpu in cpus_from(allowed, last).take(LOOK) {
            let Some(facts) = Facts::of(cpu) else {
                continue;
            };
            // One that would do without ticks is for those who were sent there.
            if facts.barred || (facts.nohz_full && cpu != last) {
                continue;
            }
            if facts.idle {
                let fit = Fit::of(cpu, &facts, last, last_facts);
                if found.idle.is_none_or(|(best, _)| fit > best) {
                    found.idle = Some((fit, cpu));
                }
                if fit == Fit::CacheCore {
                    break;
                }
            } else if facts.online == 0 && cpu != last {
                let mut load = facts.numbers[queue::LOAD];
                // What is far away has to be worth the way.
                if last_facts.is_some_and(|last| last.node != facts.node) {
                    load = load.saturating_add(load / 4);
                }
                if found.busy.is_none_or(|(least, _)| load < least) {
                    found.busy = Some((load, cpu));
                }
            }
        }
        found
    }
}

impl Placement<'_> {
    /// What a CPU has to do, given since when none of its tasks has run.
    fn load(&self, load: u64, idle_for: Option<u64>) -> u64 {
        let shift = idle_for.map_or(0, |time| time / self.0.granularity() / 2);
        load.saturating_mul(1 << shift.min(MOST_SHIFT))
    }

    /// Where a task that wakes up goes.
    pub(crate) fn wake_up(&self, previous: u32, wake: Wake, allowed: &Cpumask) -> u32 {
        let here = Facts::of(previous);
        if here.is_some_and(|facts| facts.idle && !facts.barred && (facts.core_idle || !wake.new)) {
            return previous;
        }
        let found = Found::look(allowed, previous, here.as_ref());
        if let Some((_, cpu)) = found.idle {
            return cpu;
        }
        // A new task has no cache to come back to, so it doesn't stay for its own sake.
        let stay = here.filter(|facts| !facts.barred && facts.online == 0);
        match (found.busy, stay) {
            (Some((load, cpu)), Some(stay)) => {
                let mine = stay.numbers[queue::LOAD];
                // One that was here stays unless it is worth the way.
                let others = if wake.new {
                    load
                } else {
                    load.saturating_add(load / 8)
                };
                if others < mine {
                    cpu
                } else {
                    previous
                }
            }
            (Some((_, cpu)), None) => cpu,
            (None, _) => previous,
        }
    }

    /// From which CPU one that has nothing to do fetches a task.
    pub(crate) fn fetch_from(&self, queue: &Queue, waiting: &Cpumask) -> Option<u32> {
        let here = Facts::of(queue.cpu())?;
        if here.nohz_full {
            return None;
        }
        let mut best: Option<(u64, u32)> = None;
        for cpu in cpus_from(waiting, queue.cpu()).take(LOOK) {
            let Some(facts) = Facts::of(cpu) else {
                continue;
            };
            let starves = facts.online != 0 || facts.barred;
            // Where one task runs or is about to, and no other waits, there's nothing to be won.
            if facts.queued < 2 && !starves || facts.queued == 0 {
                continue;
            }
            let ran_at = facts.numbers[queue::RAN_AT];
            let idle_for = starves.then(|| queue.clock().saturating_sub(ran_at));
            let mut load = self.load(facts.numbers[queue::LOAD], idle_for);
            if share_cache(queue.cpu(), cpu) {
                load = load.saturating_add(load / 4);
            } else if facts.node != here.node {
                load -= load / 4;
            }
            if best.is_none_or(|(most, _)| load > most) {
                best = Some((load, cpu));
            }
        }
        best.map(|(_, cpu)| cpu)
    }

    /// Where a task that waits on the queue should go, if anywhere. `task` is its part of the load.
    pub(crate) fn move_to(&self, queue: &Queue, task: u64, allowed: &Cpumask) -> Option<u32> {
        let cpu = queue.cpu();
        let here = Facts::of(cpu);
        let found = Found::look(allowed, cpu, here.as_ref());
        if let Some((_, idle)) = found.idle {
            return (idle != cpu).then_some(idle);
        }
        let numbers = queue.numbers();
        let starves = queue.waiting() >= queue.queued();
        let idle_for = starves.then(|| queue.clock().saturating_sub(numbers[queue::RAN_AT]));
        let load = self.load(numbers[queue::LOAD], idle_for);
        // A move must leave what both have closer than before. But where nothing runs because of
        // another thread of the core nobody ticks, so this is the last chance.
        let is_stuck = queue.online() == 0 && here.is_some_and(|facts| facts.barred);
        found
            .busy
            .filter(|(other, _)| is_stuck || other.saturating_add(task) < load)
            .map(|(_, cpu)| cpu)
    }

    /// Where a task that runs should go on, if it shares its core and another one is idle.
    pub(crate) fn spread(&self, queue: &mut Queue, shared: bool, allowed: &Cpumask) -> Option<u32> {
        let (cpu, now) = (queue.cpu(), queue.clock());
        let since = &mut queue.numbers_mut()[queue::SHARED_SINCE];
        if !shared {
            *since = 0;
            return None;
        }
        if *since == 0 {
            *since = now;
        }
        if now.saturating_sub(*since) < SHARED_FOR {
            return None;
        }
        let found = Found::look(allowed, cpu, Facts::of(cpu).as_ref());
        let core = found.idle.filter(|(fit, _)| *fit >= Fit::FarCore);
        *since = match core {
            Some(_) => 0,
            None => now.saturating_add(SHARED_FOR * (ASK_AGAIN - 1)),
        };
        core.map(|(_, cpu)| cpu)
    }
}
