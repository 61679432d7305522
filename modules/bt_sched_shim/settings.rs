// SPDX-License-Identifier: GPL-2.0

//! What can be set, and its files in `/proc/sys/kernel`.

use super::{
    offline::Offline,
    tk::{
        capability::Capability,
        hooks::sched_slot::{
            self,
            Options, //
        },
        sysctl::{
            File,
            Sysctls, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// After how long a task that waits in kernel mode runs as a normal one, in microseconds.
const LIFT_US: i32 = 4_000;

/// How long tasks get nothing until their CPU counts for twice as much, in nanoseconds: half of it.
const GRANULARITY_NS: i32 = 4_000_000;

/// The settings. Each is a number of its own, so those who read them while they are changed see
/// the old one or the new one; there is no rule between two of them that must always hold.
pub(crate) struct Settings {
    period_us: Atomic<i32>,
    runtime_us: Atomic<i32>,
    floor_us: Atomic<i32>,
    lift_us: Atomic<i32>,
    granularity_ns: Atomic<i32>,
    smt_guard: Atomic<i32>,
    psi: Atomic<i32>,
    cpufreq: Atomic<i32>,
    generation: Atomic<u64>,
    leave_needs_cap: bool,
    also_ext_number: bool,
}

impl Settings {
    pub(crate) fn new(leave_needs_cap: bool, also_ext_number: bool) -> Self {
        Self {
            period_us: Atomic::new(1_000_000),
            runtime_us: Atomic::new(-1),
            floor_us: Atomic::new(0),
            lift_us: Atomic::new(LIFT_US),
            granularity_ns: Atomic::new(GRANULARITY_NS),
            smt_guard: Atomic::new(0),
            psi: Atomic::new(1),
            cpufreq: Atomic::new(1),
            generation: Atomic::new(1),
            leave_needs_cap,
            also_ext_number,
        }
    }

    /// Tells the slot what it does by itself.
    pub(crate) fn apply(&self) {
        Options {
            lift_after: micros(self.lift_us.load(Relaxed).unsigned_abs()),
            leave_needs_cap: self.leave_needs_cap,
            also_ext_number: self.also_ext_number,
            guard: self.smt_guard.load(Relaxed) != 0,
            hide: self.psi.load(Relaxed) == 0,
            freq: self.cpufreq.load(Relaxed) != 0,
        }
        .set();
    }

    /// The period in nanoseconds, never 0.
    pub(crate) fn period(&self) -> u64 {
        // A negative one counts as a huge unsigned one, as in TencentOS.
        micros(unsigned(self.period_us.load(Relaxed))).max(1000)
    }

    /// The period and the time in it that the class may have at most, in nanoseconds, neither of
    /// them 0; [`None`] for no limit.
    pub(crate) fn limit(&self) -> Option<(u64, u64)> {
        let runtime = u32::try_from(self.runtime_us.load(Relaxed)).ok()?;
        let (period, runtime) = (self.period(), micros(runtime.max(1)));
        (runtime < period).then_some((period, runtime))
    }

    /// Changes when the limit does.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// The time in each period that the class shall have at least, in nanoseconds.
    pub(crate) fn floor(&self) -> u64 {
        micros(self.floor_us.load(Relaxed).unsigned_abs())
    }

    /// Half of the time that tasks get nothing until their CPU counts for twice as much, in
    /// nanoseconds, never 0.
    pub(crate) fn granularity(&self) -> u64 {
        u64::from(self.granularity_ns.load(Relaxed).unsigned_abs()).max(1)
    }

    /// A new limit holds at once, and what was used under the old one is forgotten.
    pub(crate) fn limit_changed(&self) {
        self.generation.add(1, Relaxed);
        sched_slot::unthrottle_all();
    }
}

fn micros(number: u32) -> u64 {
    u64::from(number) * 1000
}

impl Sysctls for Offline {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[
        File::int(
            c"sched_bt_period_us",
            i32::MIN..=i32::MAX,
            |offline| offline.settings().period_us.load(Relaxed),
            |offline, value| {
                let settings = offline.settings();
                if value == 0 || settings.floor_us.load(Relaxed).unsigned_abs() > unsigned(value) {
                    return Err(EINVAL);
                }
                settings.period_us.store(value, Relaxed);
                settings.limit_changed();
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_runtime_us",
            i32::MIN..=i32::MAX,
            |offline| offline.settings().runtime_us.load(Relaxed),
            |offline, value| {
                if value == 0 {
                    return Err(EINVAL);
                }
                offline.settings().runtime_us.store(value, Relaxed);
                offline.settings().limit_changed();
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_floor_us",
            0..=i32::MAX,
            |offline| offline.settings().floor_us.load(Relaxed),
            |offline, value| {
                let settings = offline.settings();
                if value.unsigned_abs() > unsigned(settings.period_us.load(Relaxed)) {
                    return Err(EINVAL);
                }
                settings.floor_us.store(value, Relaxed);
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_lift_us",
            0..=1_000_000,
            |offline| offline.settings().lift_us.load(Relaxed),
            |offline, value| {
                offline.settings().lift_us.store(value, Relaxed);
                offline.settings().apply();
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_granularity_ns",
            100_000..=i32::MAX,
            |offline| offline.settings().granularity_ns.load(Relaxed),
            |offline, value| {
                offline.settings().granularity_ns.store(value, Relaxed);
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_smt_guard",
            0..=1,
            |offline| offline.settings().smt_guard.load(Relaxed),
            |offline, value| {
                offline.settings().smt_guard.store(value, Relaxed);
                offline.settings().apply();
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_psi",
            0..=1,
            |offline| offline.settings().psi.load(Relaxed),
            |offline, value| {
                offline.settings().psi.store(value, Relaxed);
                offline.settings().apply();
                Ok(())
            },
        ),
        File::int(
            c"sched_bt_cpufreq",
            0..=1,
            |offline| offline.settings().cpufreq.load(Relaxed),
            |offline, value| {
                offline.settings().cpufreq.store(value, Relaxed);
                offline.settings().apply();
                Ok(())
            },
        ),
    ];
}

/// A period as it is meant.
fn unsigned(period_us: i32) -> u32 {
    period_us as u32
}
