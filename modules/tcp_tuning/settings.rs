// SPDX-License-Identifier: GPL-2.0

//! The numbers of each network namespace.

use super::tk::{
    hooks::tcp::{
        self,
        TcpHook, //
    },
    net::{
        Net,
        PerNet, //
    },
    net_sysctl::{
        NetSysctls,
        OfNet, //
    },
    rcu::AtomicContext,
    sysctl::File,
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// A larger window than this doesn't help any network, and may hurt each.
const MAX_CWND: i32 = 65_535;

/// What TencentOS 4.14 has as the least `tcp_rto_min`.
const RTO_MIN_MS: i32 = 4;

const US_PER_MS: i32 = 1000;

const MS_PER_S: i32 = 1000;

/// The kernel's own bounds of `net.ipv4.tcp_rto_max_ms`, in seconds.
const RTO_MAX_S: core::ops::RangeInclusive<i32> = 1..=120;

/// The settings, and last how many orphans there are.
const NUMBERS: usize = 5;

type Numbers = [Atomic<u64>; NUMBERS];

/// A number that each namespace has. What is kept is the difference to the default, so that the
/// zeroes of a new namespace are the defaults.
struct Setting {
    place: fn(&Numbers) -> &Atomic<u64>,
    default: i32,
}

const INIT_CWND: Setting = Setting {
    place: |[it, ..]| it,
    default: 10,
};

const LOSS_CWND: Setting = Setting {
    place: |[_, it, ..]| it,
    default: 1,
};

const ACKS_AT_ONCE: Setting = Setting {
    place: |[_, _, it, ..]| it,
    default: 0,
};

/// No limit beside the machine's.
const MAX_ORPHANS: Setting = Setting {
    place: |[.., it, _]| it,
    default: i32::MAX,
};

/// The settings of all namespaces.
pub(crate) struct Settings {
    numbers: PerNet<NUMBERS>,
}

impl Settings {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            numbers: PerNet::new()?,
        })
    }

    #[inline(always)]
    fn get(&self, net: &Net, setting: &Setting) -> i32 {
        let kept = (setting.place)(self.numbers.of(net)).load(Relaxed);
        // What was cut off when it was kept is the sign's extension.
        setting.default.wrapping_add(kept as i32)
    }

    fn set(&self, net: &Net, setting: &Setting, number: i32) {
        let kept = number.wrapping_sub(setting.default) as u32;
        (setting.place)(self.numbers.of(net)).store(kept.into(), Relaxed);
    }

    fn orphans<'a>(&'a self, net: &'a Net) -> &'a Atomic<u64> {
        let [.., orphans] = self.numbers.of(net);
        orphans
    }

    fn are_too_many(&self, net: &Net, orphans: u64) -> bool {
        // Never below zero; were it, no connection should be reset for that.
        let orphans = u64::try_from(orphans as i64).unwrap_or(0);
        u64::try_from(self.get(net, &MAX_ORPHANS)).is_ok_and(|limit| orphans > limit)
    }
}

/// As many segments as a setting says; all are positive.
fn segments(number: i32) -> u32 {
    number.unsigned_abs()
}

impl TcpHook for Settings {
    fn init_cwnd(&self, _context: &AtomicContext, net: &Net, _cwnd: u32) -> u32 {
        segments(self.get(net, &INIT_CWND))
    }

    fn loss_cwnd(&self, _context: &AtomicContext, net: &Net, _cwnd: u32) -> u32 {
        segments(self.get(net, &LOSS_CWND))
    }

    fn acks_at_once(&self, _context: &AtomicContext, net: &Net) -> bool {
        self.get(net, &ACKS_AT_ONCE) != 0
    }

    // One too many isn't counted for a moment, in which another of them, whose timer ends, would go
    // for it.
    fn orphan(&self, _context: &AtomicContext, net: &Net, known: bool) -> bool {
        let orphans = self.orphans(net);
        let mut before = orphans.load(Relaxed);
        while known || !self.are_too_many(net, before.wrapping_add(1)) {
            match orphans.cmpxchg(before, before.wrapping_add(1), Relaxed) {
                Ok(_) => return true,
                Err(now) => before = now,
            }
        }
        false
    }

    fn orphan_gone(&self, _context: &AtomicContext, net: &Net) {
        self.orphans(net).fetch_sub(1, Relaxed);
    }

    fn too_many_orphans(&self, _context: &AtomicContext, net: &Net, shift: u32) -> bool {
        // There are never so many that the shift, which is small, cuts something off.
        self.are_too_many(net, self.orphans(net).load(Relaxed).wrapping_shl(shift))
    }
}

impl NetSysctls for Settings {
    const PATH: &'static CStr = c"net/ipv4";

    const FILES: &'static [File<OfNet<Self>>] = &[
        File::int(
            c"tcp_init_cwnd",
            1..=MAX_CWND,
            |of| of.get(of.net(), &INIT_CWND),
            |of, number| {
                of.set(of.net(), &INIT_CWND, number);
                Ok(())
            },
        ),
        File::int(
            c"tcp_loss_init_cwnd",
            1..=MAX_CWND,
            |of| of.get(of.net(), &LOSS_CWND),
            |of, number| {
                of.set(of.net(), &LOSS_CWND, number);
                Ok(())
            },
        ),
        File::int(
            c"tcp_no_delay_ack",
            0..=1,
            |of| of.get(of.net(), &ACKS_AT_ONCE),
            |of, number| {
                of.set(of.net(), &ACKS_AT_ONCE, number);
                Ok(())
            },
        ),
        File::int(
            c"tcp_rto_min",
            RTO_MIN_MS..=i32::MAX / US_PER_MS,
            |of| tcp::rto_min_us(of.net()) / US_PER_MS,
            |of, ms| tcp::set_rto_min_us(of.net(), ms.saturating_mul(US_PER_MS)),
        ),
        File::int(
            c"tcp_rto_max",
            RTO_MAX_S,
            |of| tcp::rto_max_ms(of.net()) / MS_PER_S,
            |of, s| tcp::set_rto_max_ms(of.net(), s.saturating_mul(MS_PER_S)),
        ),
    ];

    // In the initial namespace there is the kernel's own, which is the machine's limit.
    const FILES_OF_OTHERS: &'static [File<OfNet<Self>>] = &[File::int(
        c"tcp_max_orphans",
        0..=i32::MAX,
        |of| of.get(of.net(), &MAX_ORPHANS).min(tcp::max_orphans()),
        |of, number| {
            of.set(of.net(), &MAX_ORPHANS, number);
            Ok(())
        },
    )];
}
