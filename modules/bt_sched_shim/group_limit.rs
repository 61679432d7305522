// SPDX-License-Identifier: GPL-2.0

//! How much a group may have of all CPUs together.
//!
//! The time of each period is handed out to CPUs in slices. A CPU that has used its slice up takes
//! another; if there is none the group doesn't run there until the next period. What it ran beyond its
//! slice, since it is a tick that ends it, it takes first: without that it doesn't get to run, so
//! on average the limit is kept. What a CPU has left when the group's last member leaves goes back.
//!
//! What has been taken is one word, the number of the period in its upper bits, so that CPUs need no
//! lock. Periods are numbered by the clock that all CPUs share, and begin at the same moment for all.
//!
//! All times are in nanoseconds.

use super::{
    offline::{
        member,
        shared, //
    },
    tk::hooks::sched_slot::{
        Member,
        Queue,
        Shared, //
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// What a CPU takes at a time.
const SLICE: u64 = 1_000_000;

/// The limits that may be set, in microseconds: those of `cpu.max`.
pub(crate) const SHORTEST_US: u64 = 1_000;
pub(crate) const LONGEST_PERIOD_US: u64 = 1_000_000;
pub(crate) const LONGEST_RUNTIME_US: u64 = 1 << 29;

/// Of the word: how many bits say what has been taken. 18 minutes fit.
const TAKEN_BITS: u32 = 40;
const TAKEN_MASK: u64 = (1 << TAKEN_BITS) - 1;

/// A limit: the time in each period.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    runtime: u64,
    period: u64,
}

impl Limit {
    /// From microseconds; `EINVAL` for what may not be set.
    pub(crate) fn new(runtime_us: u64, period_us: u64) -> Result<Self> {
        if !(SHORTEST_US..=LONGEST_RUNTIME_US).contains(&runtime_us)
            || !(SHORTEST_US..=LONGEST_PERIOD_US).contains(&period_us)
        {
            return Err(EINVAL);
        }
        Ok(Self {
            runtime: runtime_us * 1000,
            period: period_us * 1000,
        })
    }

    /// The one that is set for a group.
    pub(crate) fn of(shared: &Shared) -> Option<Self> {
        let runtime = shared.numbers()[shared::RUNTIME].load(Relaxed);
        let period = shared.numbers()[shared::PERIOD].load(Relaxed);
        (runtime != 0 && period != 0).then_some(Self { runtime, period })
    }

    /// The time and the period, in microseconds.
    pub(crate) fn micros(self) -> (u64, u64) {
        (self.runtime / 1000, self.period / 1000)
    }
}

/// Sets a group's limit, or none. What has been taken so far counts for the new one as well.
pub(crate) fn set(shared: &Shared, limit: Option<Limit>) {
    let numbers = shared.numbers();
    // Who reads in between has no limit for a moment.
    numbers[shared::RUNTIME].store(0, Relaxed);
    if let Some(limit) = limit {
        numbers[shared::PERIOD].store(limit.period, Relaxed);
        numbers[shared::TAKEN].store(0, Relaxed);
        numbers[shared::RUNTIME].store(limit.runtime, Relaxed);
    }
}

/// The group ran for so long. Returns for how long it may not run on this CPU, or 0.
pub(crate) fn spend(queue: &Queue, group: &mut Member, shared: &Shared, ran: u64) -> u64 {
    let Some(limit) = Limit::of(shared) else {
        return 0;
    };
    let left = signed(group.numbers()[member::LEFT]).saturating_sub_unsigned(ran);
    let left = if left > 0 {
        left
    } else {
        let wanted = left.unsigned_abs().saturating_add(SLICE);
        left.saturating_add_unsigned(take(shared, limit, queue.clock(), wanted))
    };
    group.numbers_mut()[member::LEFT] = unsigned(left);
    if left > 0 {
        return 0;
    }
    limit.period - queue.clock() % limit.period
}

/// The group's last member on this CPU left.
pub(crate) fn give_back(queue: &Queue, group: &mut Member, shared: &Shared) {
    let left = signed(group.numbers()[member::LEFT]);
    let (Some(limit), Ok(left @ 1..)) = (Limit::of(shared), u64::try_from(left)) else {
        return;
    };
    group.numbers_mut()[member::LEFT] = 0;
    let period = period_number(limit, queue.clock());
    update(&shared.numbers()[shared::TAKEN], |number, taken| {
        (number == period).then(|| (number, taken.saturating_sub(left)))
    });
}

/// Takes as much of the period's time as there is, up to `wanted`.
fn take(shared: &Shared, limit: Limit, clock: u64, wanted: u64) -> u64 {
    let now = period_number(limit, clock);
    let mut got = 0;
    update(&shared.numbers()[shared::TAKEN], |number, taken| {
        // In a new period all is there again. The clock of another CPU may be a little ahead.
        let (number, taken) = if is_later(now, number) {
            (now, 0)
        } else {
            (number, taken)
        };
        got = wanted.min(limit.runtime.min(TAKEN_MASK).saturating_sub(taken));
        (got != 0).then(|| (number, taken + got))
    });
    got
}

/// Changes the two parts of the word, unless `change` leaves them.
fn update(word: &Atomic<u64>, mut change: impl FnMut(u64, u64) -> Option<(u64, u64)>) {
    let mut old = word.load(Relaxed);
    while let Some((number, taken)) = change(old >> TAKEN_BITS, old & TAKEN_MASK) {
        let new = number << TAKEN_BITS | taken & TAKEN_MASK;
        match word.cmpxchg(old, new, Relaxed) {
            Ok(_) => return,
            Err(other) => old = other,
        }
    }
}

/// The number of the period, as far as it fits into the word.
fn period_number(limit: Limit, clock: u64) -> u64 {
    clock / limit.period & u64::MAX >> TAKEN_BITS
}

/// Whether a period comes after another one; numbers wrap.
fn is_later(a: u64, b: u64) -> bool {
    let ahead = a.wrapping_sub(b) & u64::MAX >> TAKEN_BITS;
    ahead != 0 && ahead < 1 << (63 - TAKEN_BITS)
}

/// A number of a member as the difference that it is, and back.
fn signed(number: u64) -> i64 {
    number as i64
}

fn unsigned(number: i64) -> u64 {
    number as u64
}
