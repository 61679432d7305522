// SPDX-License-Identifier: GPL-2.0

//! Who runs next on one CPU: the key of a task, or of a group among those it competes with, is the
//! time that it has had, divided by its weight.
//!
//! While a member isn't in a level its key is the distance from the least one of the level that it
//! left, so that it means the same on another CPU.
//!
//! All times are in nanoseconds. A key counts those of a task of nice 0.

use super::{
    offline::{
        level,
        member, //
    },
    tk::hooks::sched_slot::{
        Level,
        Member,
        Queue,
        Why, //
    },
};

/// For how long a task runs at least while others wait.
const SLICE: u64 = 3_000_000;
/// How far a task must be behind the running one to take its place when it wakes up.
const WAKE_UP_LEAD: u64 = 4_000_000;
/// How far a task that has slept is put before the others at most, and how far after them one may
/// come back: more is forgotten.
const CREDIT: u64 = 3_000_000;
const DEBT: u64 = 1_000_000_000;
/// The weight of nice 0.
const NORMAL_WEIGHT: u64 = 1024;

/// What running for `time` adds to the key of a task of `weight`.
fn scaled(time: u64, weight: u64) -> u64 {
    // No time of interest is so long that this overflows: it takes half a year.
    if weight == NORMAL_WEIGHT {
        time
    } else {
        time.wrapping_mul(NORMAL_WEIGHT) / weight
    }
}

/// A number as what it is modulo 2^64: a key that isn't queued, or a time, which is far less.
fn signed(number: u64) -> i64 {
    number as i64
}

/// The distance from `b` to `a`, which wrap.
fn distance(a: u64, b: u64) -> i64 {
    signed(a.wrapping_sub(b))
}

/// Moves the least key of the level up to that of the running member, or of the first that waits.
pub(crate) fn advance_least(level: &mut Level, running: u64) {
    let mut key = running;
    if let Some(first) = level.first_key() {
        if distance(first, key) < 0 {
            key = first;
        }
    }
    let least = &mut level.numbers_mut()[level::LEAST_KEY];
    if distance(key, *least) > 0 {
        *least = key;
    }
}

pub(crate) fn join(queue: &Queue, level: &mut Level, member: &mut Member, why: Why) {
    let weight = member.weight();
    let mut ahead = signed(member.key());
    match why {
        // Behind those that are there, or a task that forks all the time would have it all.
        Why::Switch => ahead = signed(scaled(SLICE, weight)),
        Why::Sleep => {
            let slept = queue
                .now()
                .saturating_sub(member.numbers()[member::ASLEEP_AT])
                .min(DEBT);
            ahead = ahead.saturating_sub(signed(slept)).max(-signed(CREDIT));
        }
        Why::Migrate | Why::Change => {}
    }
    ahead = ahead.clamp(-signed(DEBT), signed(DEBT));
    let numbers = level.numbers_mut();
    member.set_key(numbers[level::LEAST_KEY].wrapping_add_signed(ahead));
    numbers[level::WEIGHT] = numbers[level::WEIGHT].saturating_add(weight);
}

pub(crate) fn leave(queue: &Queue, level: &mut Level, member: &mut Member) {
    member.numbers_mut()[member::ASLEEP_AT] = queue.now();
    let weight = member.weight();
    let numbers = level.numbers_mut();
    member.set_key(member.key().wrapping_sub(numbers[level::LEAST_KEY]));
    numbers[level::WEIGHT] = numbers[level::WEIGHT].saturating_sub(weight);
}

pub(crate) fn charge(level: &mut Level, member: &mut Member, ran: u64) {
    let key = member.key().wrapping_add(scaled(ran, member.weight()));
    member.set_key(key);
    let so_far = &mut member.numbers_mut()[member::RAN];
    *so_far = so_far.saturating_add(ran);
    advance_least(level, key);
}

/// Whether the running member should make place for the first that waits.
pub(crate) fn has_run_enough(level: &Level, member: &Member) -> bool {
    member.numbers()[member::RAN] >= SLICE
        && level
            .first_key()
            .is_some_and(|first| distance(member.key(), first) > 0)
}

/// Whether a member that woke up should run before the running one has run for long enough.
pub(crate) fn is_far_ahead(running: &Member, woken: &Member) -> bool {
    distance(running.key(), woken.key()) > signed(scaled(WAKE_UP_LEAD, woken.weight()))
}

/// The running task lets the first that waits go before it.
pub(crate) fn give_way(level: &Level, task: &mut Member) {
    if let Some(first) = level.first_key() {
        if distance(first, task.key()) > 0 {
            task.set_key(first);
        }
    }
}
