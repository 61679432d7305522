// SPDX-License-Identifier: GPL-2.0

//! On which CPU a task waits for time that others leave.
//!
//! The best one is idle. Then comes one that runs offline work only, the fewer tasks the better. On
//! one that has online work a task waits for nobody knows how long.

use super::{
    offline::queue,
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

/// How long a CPU's offline tasks get nothing before they go where they share with others, in
/// nanoseconds. Online work that is done before isn't worth the way.
const PATIENCE: u64 = 8_000_000;

/// Where a task that wakes up goes.
pub(crate) fn wake_up(previous: u32, wake: Wake, allowed: &Cpumask) -> u32 {
    let here = Facts::of(previous);
    if here.is_some_and(|facts| facts.idle && !facts.throttled) {
        return previous;
    }
    // A new task has no cache to come back to, so it doesn't stay for its own sake.
    let mut best = match here {
        Some(facts) if !facts.throttled && facts.online == 0 && !wake.new => {
            Some((previous, facts.queued))
        }
        _ => None,
    };
    let mut idle = None;
    for cpu in cpus_from(allowed, previous).take(LOOK) {
        let Some(facts) = Facts::of(cpu) else {
            continue;
        };
        if facts.throttled {
            continue;
        }
        if facts.idle {
            if share_cache(previous, cpu) {
                return cpu;
            }
            idle = idle.or(Some(cpu));
        } else if facts.online == 0 && best.is_none_or(|(_, queued)| facts.queued < queued) {
            best = Some((cpu, facts.queued));
        }
    }
    idle.or(best.map(|(cpu, _)| cpu)).unwrap_or(previous)
}

/// From which CPU one that has nothing to do fetches a task.
pub(crate) fn fetch_from(queue: &Queue, waiting: &Cpumask) -> Option<u32> {
    let mut best: Option<(u32, u32)> = None;
    for cpu in cpus_from(waiting, queue.cpu()).take(LOOK) {
        let Some(facts) = Facts::of(cpu) else {
            continue;
        };
        // Where one task runs or is about to, and no other waits, there's nothing to be won.
        if facts.queued < 2 && facts.online == 0 && !facts.throttled {
            continue;
        }
        let near = u32::from(share_cache(queue.cpu(), cpu));
        let score = facts.queued.saturating_mul(2).saturating_add(near);
        if best.is_none_or(|(_, other)| score > other) {
            best = Some((cpu, score));
        }
    }
    best.map(|(cpu, _)| cpu)
}

/// Where a task that waits on the queue should go, if anywhere.
pub(crate) fn move_to(queue: &Queue, allowed: &Cpumask) -> Option<u32> {
    let now = queue.now();
    let starves = queue.waiting() == queue.queued()
        && now.saturating_sub(queue.numbers()[queue::RAN_AT]) >= PATIENCE;
    let mut idle = None;
    let mut best: Option<(u32, u32)> = None;
    for cpu in cpus_from(allowed, queue.cpu()).take(LOOK) {
        if cpu == queue.cpu() {
            continue;
        }
        let Some(facts) = Facts::of(cpu) else {
            continue;
        };
        if facts.throttled {
            continue;
        }
        if facts.idle {
            if share_cache(queue.cpu(), cpu) {
                return Some(cpu);
            }
            idle = idle.or(Some(cpu));
        } else if facts.online == 0 && best.is_none_or(|(_, queued)| facts.queued < queued) {
            best = Some((cpu, facts.queued));
        }
    }
    // Among CPUs that have offline work only a move must leave the numbers closer than before.
    idle.or(best
        .filter(|(_, queued)| starves || queued.saturating_add(1) < queue.queued())
        .map(|(cpu, _)| cpu))
}
