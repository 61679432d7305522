// SPDX-License-Identifier: GPL-2.0

//! Runs the policy of bt_sched_shim, as it is, on a model of the slot: CPUs with a tree of waiting
//! tasks each, a tick every 4 ms, and online work that comes and goes. The model does what
//! `kernel/sched/bt.c` does, in steps of a quarter of a millisecond. Prints TAP.
//!
//! It shows what the numbers lead to in the long run; that the slot keeps its promises, the tests
//! in the guest show.

// Names that the model has no use for are in what it includes.
#![allow(dead_code, unused_imports)]

#[path = "../../../modules/bt_sched_shim/bandwidth.rs"]
mod bandwidth;
#[path = "../../../modules/bt_sched_shim/fairness.rs"]
mod fairness;
#[path = "../../../modules/bt_sched_shim/group_limit.rs"]
mod group_limit;
#[path = "../../../modules/bt_sched_shim/group_weight.rs"]
mod group_weight;
#[path = "../../../modules/bt_sched_shim/offline.rs"]
mod offline;
#[path = "../../../modules/bt_sched_shim/placement.rs"]
mod placement;
mod slot;

/// Where the policy looks for the slot.
mod tk {
    pub(crate) mod hooks {
        pub(crate) use crate::slot as sched_slot;
    }
}

/// The settings, without their files.
mod settings {
    #[derive(Clone, Copy, Default)]
    pub(crate) struct Settings {
        pub(crate) limit: Option<(u64, u64)>,
        pub(crate) floor: u64,
    }

    impl Settings {
        pub(crate) fn new(_leave_needs_cap: bool, _also_ext_number: bool) -> Self {
            crate::slot::settings()
        }

        pub(crate) fn limit(&self) -> Option<(u64, u64)> {
            self.limit
        }

        pub(crate) fn period(&self) -> u64 {
            1_000_000_000
        }

        pub(crate) fn floor(&self) -> u64 {
            self.floor
        }

        pub(crate) fn generation(&self) -> u64 {
            1
        }

        pub(crate) fn granularity(&self) -> u64 {
            4_000_000
        }
    }
}

/// What each CPU gives, as all of it.
mod percent {
    pub(crate) struct Percent;

    impl Percent {
        pub(crate) fn new() -> kernel::prelude::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn of(&self, _cpu: u32) -> Option<u64> {
            None
        }
    }
}

/// The counters, as none.
mod stats {
    #[derive(Default)]
    pub(crate) struct Waits;

    impl Waits {
        pub(crate) fn record(&self, _waited: u64) {}
    }
}

use settings::Settings;
use slot::{
    Machine,
    MS,
    SECOND, //
};

fn check(name: &str, passed: bool, saw: String, failed: &mut u32, count: &mut u32) {
    *count += 1;
    *failed += u32::from(!passed);
    let word = if passed { "ok" } else { "not ok" };
    println!("{word} {count} - {name}: {saw}");
}

fn off_by(part: f64, whole: f64) -> f64 {
    (part / whole - 1.0).abs()
}

fn main() {
    let (mut failed, mut count) = (0, 0);
    let mut result = |name: &str, passed, saw| check(name, passed, saw, &mut failed, &mut count);

    // Shares by weight, on one CPU.
    let weights = [1024, 526, 335, 110, 3121, 15];
    let mut machine = Machine::new(1, Settings::default());
    let tasks = weights.map(|weight| machine.add(0, weight));
    machine.run(60 * SECOND, |_, _| false);
    let all: u64 = weights.iter().sum();
    let worst = weights
        .iter()
        .zip(tasks)
        .map(|(&weight, task)| {
            let due = 60.0 * weight as f64 / all as f64;
            off_by(machine.seconds(task), due)
        })
        .fold(0.0, f64::max);
    result(
        "shares by weight within 3 %",
        worst < 0.03,
        format!("{:.2} %", worst * 100.0),
    );

    // One that sleeps gets a bit less than what it would have alone, 10 of 40 ms, since it shares
    // while it computes: at worst 10 of 50.
    let mut machine = Machine::new(1, Settings::default());
    let (sleeper, hog) = (machine.add(0, 1024), machine.add(0, 1024));
    machine.sleeps(sleeper, 10 * MS, 30 * MS);
    machine.run(30 * SECOND, |_, _| false);
    let (got, rest) = (machine.seconds(sleeper), machine.seconds(hog));
    result(
        "a sleeper gets its share at once",
        (5.9..7.6).contains(&got) && off_by(got + rest, 30.0) < 0.01,
        format!("{got:.2} s and {rest:.2} s of 30"),
    );

    // The limit.
    for (part, period_ms) in [(10, 1000), (50, 100), (3, 10), (1, 20)] {
        let period = period_ms * MS;
        let limit = Some((period, period * part / 100));
        let mut machine = Machine::new(1, Settings { limit, floor: 0 });
        let hogs = [machine.add(0, 1024), machine.add(0, 1024)];
        machine.run(60 * SECOND, |_, _| false);
        let got: f64 = hogs.iter().map(|&hog| machine.seconds(hog)).sum();
        let due = 60.0 * part as f64 / 100.0;
        result(
            &format!("a limit of {part} % of {period_ms} ms within 1 %"),
            off_by(got, due) < 0.01,
            format!("{got:.3} s of {due:.3}"),
        );
    }

    // The limit also of one that online work interrupts.
    let limit = Some((SECOND, SECOND / 5));
    let mut machine = Machine::new(1, Settings { limit, floor: 0 });
    let hog = machine.add(0, 1024);
    machine.run(60 * SECOND, |_, now| now / MS % 10 < 5);
    let got = machine.seconds(hog);
    result(
        "a limit beside online work",
        off_by(got, 12.0) < 0.01,
        format!("{got:.3} s of 12"),
    );

    // The floor.
    let mut machine = Machine::new(
        1,
        Settings {
            limit: None,
            floor: SECOND / 20,
        },
    );
    let hogs = [machine.add(0, 1024), machine.add(0, 1024)];
    machine.run(60 * SECOND, |_, _| true);
    let got: f64 = hogs.iter().map(|&hog| machine.seconds(hog)).sum();
    result(
        "a floor of 5 % within 10 %",
        off_by(got, 3.0) < 0.1,
        format!("{got:.3} s of 3"),
    );

    // No floor, no time.
    let mut machine = Machine::new(1, Settings::default());
    let hog = machine.add(0, 1024);
    machine.run(SECOND, |_, _| true);
    let got = machine.seconds(hog);
    result("nothing beside online work", got == 0.0, format!("{got} s"));

    // Four hogs from one CPU to four.
    let mut machine = Machine::new(4, Settings::default());
    for _ in 0..4 {
        machine.add(0, 1024);
    }
    machine.run(100 * MS, |_, _| false);
    let spread = machine.spread();
    result(
        "4 hogs on 4 CPUs within 100 ms",
        spread == [1, 1, 1, 1],
        format!("{spread:?}"),
    );

    // Away from two CPUs with online work, and back.
    machine.run(100 * MS, |cpu, _| cpu < 2);
    let spread = machine.spread();
    result(
        "away from online work",
        spread == [0, 0, 2, 2],
        format!("{spread:?}"),
    );
    machine.run(100 * MS, |_, _| false);
    let spread = machine.spread();
    result(
        "back when it is gone",
        spread == [1, 1, 1, 1],
        format!("{spread:?}"),
    );

    // Short online work doesn't drive them about.
    let before = machine.moves;
    machine.run(10 * SECOND, |_, now| now / MS % 10 < 2);
    let moves = machine.moves - before;
    result(
        "they stay beside short online work",
        moves < 100,
        format!("{moves} moves in 10 s"),
    );

    // An uneven number of hogs is worth no moves.
    let mut machine = Machine::new(4, Settings::default());
    for _ in 0..9 {
        machine.add(0, 1024);
    }
    machine.run(200 * MS, |_, _| false);
    let (mut spread, before) = (machine.spread(), machine.moves);
    spread.sort();
    machine.run(10 * SECOND, |_, _| false);
    let moves = machine.moves - before;
    result(
        "9 hogs on 4 CPUs are even",
        spread == [2, 2, 2, 3] && moves == 0,
        format!("{spread:?}, {moves} moves after that"),
    );

    // Two that share a core, while another one is idle; a third, for which there is none.
    let mut machine = Machine::new(4, Settings::default()).with_threads(2);
    machine.add(0, 1024);
    machine.add(1, 1024);
    machine.run(100 * MS, |_, _| false);
    let spread = machine.spread();
    result(
        "one leaves a core that two share",
        spread[0] + spread[1] == 1 && machine.moves == 1,
        format!("{spread:?}, {} moves", machine.moves),
    );
    machine.add(0, 1024);
    machine.run(10 * SECOND, |_, _| false);
    let spread = machine.spread();
    result(
        "nobody leaves it when there is no other",
        spread.iter().all(|&tasks| tasks <= 1) && machine.moves <= 2,
        format!("{spread:?}, {} moves", machine.moves),
    );

    // Online work on the other thread counts, but not for a moment.
    let mut machine = Machine::new(4, Settings::default()).with_threads(2);
    machine.add(1, 1024);
    machine.run(SECOND, |cpu, now| cpu == 0 && now / MS % 20 < 5);
    let before = machine.moves;
    machine.run(100 * MS, |cpu, _| cpu == 0);
    let spread = machine.spread();
    result(
        "one leaves a core that online work shares for long",
        before == 0 && spread[2] + spread[3] == 1,
        format!("{before} moves before, then {spread:?}"),
    );

    // Nothing is left idle while somebody waits.
    let mut machine = Machine::new(4, Settings::default());
    let hogs: Vec<_> = (0..8).map(|cpu| machine.add(cpu % 4, 1024)).collect();
    machine.run(20 * SECOND, |cpu, now| {
        (now / MS + 7 * u64::from(cpu)) % 40 < 12
    });
    let got: f64 = hogs.iter().map(|&hog| machine.seconds(hog)).sum();
    let due = 20.0 * 4.0 * 28.0 / 40.0;
    result(
        "all that online work leaves is used",
        off_by(got, due) < 0.01,
        format!("{got:.2} s of {due:.2}"),
    );

    println!("1..{count}");
    std::process::exit(i32::from(failed != 0));
}
