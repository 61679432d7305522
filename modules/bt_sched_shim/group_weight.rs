// SPDX-License-Identifier: GPL-2.0

//! What a group weighs on one CPU: the part of its shares that its members there are of all.
//!
//! So two groups with the same shares get the same time of all CPUs together, however many tasks each
//! has and wherever these are, as long as they meet.

use super::{
    offline::{
        level,
        member,
        shared, //
    },
    tk::hooks::sched_slot::{
        Level,
        Member,
        Shared, //
    },
};
use kernel::sync::atomic::ordering::Relaxed;

/// The shares that may be set, and those of a group for which none were.
pub(crate) const MIN_SHARES: u64 = 2;
pub(crate) const MAX_SHARES: u64 = 1 << 18;
const DEFAULT_SHARES: u64 = 1024;

/// The others needn't know of changes by less than one in so many.
const NEGLIGIBLE: u64 = 16;

pub(crate) fn shares(shared: &Shared) -> u64 {
    match shared.numbers()[shared::SHARES].load(Relaxed) {
        0 => DEFAULT_SHARES,
        shares => shares.clamp(MIN_SHARES, MAX_SHARES),
    }
}

/// Holds from when the weight is computed next on each CPU: at the latest in the next tick there.
pub(crate) fn set_shares(shared: &Shared, shares: u64) {
    shared.numbers()[shared::SHARES].store(shares.clamp(MIN_SHARES, MAX_SHARES), Relaxed);
}

/// Computes the weight of a group with these members; returns whether it is another one.
pub(crate) fn weigh(above: &mut Level, group: &mut Member, own: &Level, shared: &Shared) -> bool {
    let here = own.numbers()[level::WEIGHT];
    let told = group.numbers()[member::TOLD];
    let total = &shared.numbers()[shared::WEIGHT];
    if here != told && (here == 0 || here.abs_diff(told) > told / NEGLIGIBLE) {
        total.add(here.wrapping_sub(told), Relaxed);
        group.numbers_mut()[member::TOLD] = here;
    }
    // Without members it has no part of anything, and keeps its weight for the way out.
    if here == 0 {
        return false;
    }
    // Another CPU may be about to add its part.
    let total = total.load(Relaxed).max(here);
    let weight = (shares(shared) * here / total).max(MIN_SHARES);
    let old = group.weight();
    if weight == old {
        return false;
    }
    // No more than the shares, which fit.
    group.set_weight(u32::try_from(weight).unwrap_or(u32::MAX));
    if group.has_joined() {
        let sum = &mut above.numbers_mut()[level::WEIGHT];
        *sum = sum.saturating_sub(old).saturating_add(weight);
    }
    true
}

/// What a part of the weights in a group is of those that the group competes with, on this CPU.
pub(crate) fn share(group: &Member, own: &Level, load: u64) -> u64 {
    let all = own.numbers()[level::WEIGHT].max(1);
    // Weights and shares have 18 bits each, and there are fewer than 2^22 tasks.
    load.saturating_mul(group.weight()) / all
}
