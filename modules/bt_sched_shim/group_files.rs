// SPDX-License-Identifier: GPL-2.0

//! The files of the cpu controller in each cgroup: whether it is offline, what it weighs and may have
//! among those that are, and what it has had.

#[cfg(CONFIG_CGROUP_CPUACCT)]
use super::tk::cgroup::Cpuacct;
use super::{
    group_limit::{
        self,
        Limit, //
    },
    group_weight,
    offline::Offline,
    tk::{
        capability::{
            capable,
            Capability, //
        },
        cgroup::{
            Cgroup,
            Controlled,
            Controller,
            Cpu, //
        },
        cgroup_files::{
            self,
            CgroupFiles,
            File,
            Of, //
        },
        cpus,
        math,
        sched_group::GroupTime,
        text::Text, //
    },
};
use kernel::{
    cpumask::CpumaskVar,
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

/// A tick in which times are given to users, in nanoseconds.
const USER_TICK: u64 = 10_000_000;

/// The period of a limit that is written without one, in microseconds.
const DEFAULT_PERIOD_US: u64 = 100_000;

/// A part of a group's time.
#[derive(Clone, Copy)]
enum Part {
    All,
    User,
    System,
}

impl Part {
    /// In nanoseconds: the scheduler's clock, shared out as ticks found it.
    fn of(self, time: GroupTime) -> u64 {
        let ticks = time.user_ticks.saturating_add(time.system_ticks);
        // Too short for a tick: most of what runs is in user mode.
        let system = if ticks == 0 {
            0
        } else {
            math::share(time.exec, time.system_ticks, ticks)
        };
        match self {
            Self::All => time.exec,
            Self::User => time.exec - system,
            Self::System => system,
        }
    }
}

/// Holds the files of all hierarchies.
pub(crate) struct Registrations {
    _unified: cgroup_files::Registration<Offline, Of<Cpu>>,
    _legacy: cgroup_files::Registration<Offline, Of<Cpu>>,
    #[cfg(CONFIG_CGROUP_CPUACCT)]
    _accounts: cgroup_files::Registration<Offline, Of<Cpuacct>>,
}

impl Registrations {
    /// Makes the files. May sleep.
    pub(crate) fn new(offline: &Arc<Offline>) -> Result<Self> {
        Ok(Self {
            _unified: cgroup_files::Registration::new(offline.clone())?,
            _legacy: cgroup_files::Registration::legacy(offline.clone(), &SETTINGS)?,
            #[cfg(CONFIG_CGROUP_CPUACCT)]
            _accounts: cgroup_files::Registration::legacy(offline.clone(), ACCOUNTS)?,
        })
    }
}

/// What is set, in v1 and v2.
const SETTINGS: [File<Offline, Of<Cpu>>; 3] = [
    File::number(
        c"offline",
        |_, group, file| show_number(file, controlled(group)?.is_offline().into()),
        |_, group, value| {
            need_nice()?;
            match value {
                0 | 1 => controlled(group)?.set_offline(value == 1),
                _ => Err(EINVAL),
            }
        },
    ),
    File::number(
        c"bt_shares",
        |_, group, file| {
            let shares = controlled(group)?.with_shared(group_weight::shares)?;
            show_number(file, shares)
        },
        |_, group, value| {
            need_nice()?;
            controlled(group)?.with_shared(|shared| group_weight::set_shares(shared, value))
        },
    ),
    File::text(
        c"bt_max",
        |_, group, file| show_limit(group, file),
        |_, group, text| write_limit(group, text),
    ),
];

/// What is counted: in v1 files of the cpuacct controller, which have to be in the same hierarchy as
/// the cpu controller, or fail with `ENODEV`.
const fn accounts<C: Controller + 'static>() -> [File<Offline, Of<C>>; 7] {
    [
        File::number(
            c"bt_usage",
            |_, group, file| show_number(file, total(group, Part::All)?),
            |_, group, value| {
                if value != 0 {
                    return Err(EINVAL);
                }
                controlled(group)?.reset_time();
                Ok(())
            },
        ),
        File::read_only(c"bt_usage_user", |_, group, file| {
            show_number(file, total(group, Part::User)?)
        }),
        File::read_only(c"bt_usage_sys", |_, group, file| {
            show_number(file, total(group, Part::System)?)
        }),
        File::read_only(c"bt_usage_percpu", |_, group, file| {
            show_each(group, Part::All, file)
        }),
        File::read_only(c"bt_usage_percpu_user", |_, group, file| {
            show_each(group, Part::User, file)
        }),
        File::read_only(c"bt_usage_percpu_sys", |_, group, file| {
            show_each(group, Part::System, file)
        }),
        File::read_only(c"bt_stat", |_, group, file| {
            Text::new(file)
                .put(b"bt_user ")
                .number(total(group, Part::User)? / USER_TICK)
                .put(b"\nbt_system ")
                .number(total(group, Part::System)? / USER_TICK)
                .put(b"\n");
            Ok(())
        }),
    ]
}

#[cfg(CONFIG_CGROUP_CPUACCT)]
const ACCOUNTS: &[File<Offline, Of<Cpuacct>>] = &accounts();

/// In v2 all are the cpu controller's.
impl CgroupFiles<Of<Cpu>> for Offline {
    const FILES: &'static [File<Self, Of<Cpu>>] = {
        let [offline, shares, limit] = SETTINGS;
        let [a, b, c, d, e, f, g] = accounts();
        &[offline, shares, limit, a, b, c, d, e, f, g]
    };
}

fn controlled(group: &Cgroup) -> Result<Controlled<Cpu>> {
    group.controlled().ok_or(ENODEV)
}

/// It would be the way out for who was put into the class, or out of a limit.
fn need_nice() -> Result {
    capable(Capability::SysNice).then_some(()).ok_or(EPERM)
}

fn show_number(file: &SeqFile, number: u64) -> Result {
    Text::new(file).number(number).put(b"\n");
    Ok(())
}

fn show_limit(group: &Cgroup, file: &SeqFile) -> Result {
    let limit = controlled(group)?
        .with_shared(Limit::of)?
        .map(Limit::micros);
    let mut text = Text::new(file);
    match limit {
        Some((runtime, _)) => text.number(runtime),
        None => text.put(b"max"),
    }
    .put(b" ")
    .number(limit.map_or(DEFAULT_PERIOD_US, |(_, period)| period))
    .put(b"\n");
    Ok(())
}

/// `RUNTIME` or `max`, and after a space the period, as `cpu.max` takes them.
fn write_limit(group: &Cgroup, text: &[u8]) -> Result {
    need_nice()?;
    let group = controlled(group)?;
    let number = |word: &str| word.parse::<u64>().map_err(|_| EINVAL);

    let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
    let mut words = text.split_ascii_whitespace();
    let runtime = words.next().ok_or(EINVAL)?;
    let period = match words.next() {
        Some(period) => number(period)?,
        None => group
            .with_shared(Limit::of)?
            .map_or(DEFAULT_PERIOD_US, |limit| limit.micros().1),
    };
    if words.next().is_some() {
        return Err(EINVAL);
    }
    let limit = match runtime {
        // The period has to be a valid one all the same.
        "max" => {
            Limit::new(group_limit::SHORTEST_US, period)?;
            None
        }
        runtime => Some(Limit::new(number(runtime)?, period)?),
    };
    group.limit(|shared| {
        group_limit::set(shared, limit);
        limit.is_some()
    })
}

/// What all CPUs have run together.
fn total(group: &Cgroup, part: Part) -> Result<u64> {
    let group = controlled(group)?;
    let mut possible = CpumaskVar::new_zero(GFP_KERNEL)?;
    cpus::possible(&mut possible);
    Ok(cpus::iter(&possible)
        .map(|cpu| part.of(group.time(cpu)))
        .fold(0, u64::saturating_add))
}

/// A number and a space for each CPU that may be there.
fn show_each(group: &Cgroup, part: Part, file: &SeqFile) -> Result {
    let group = controlled(group)?;
    let mut possible = CpumaskVar::new_zero(GFP_KERNEL)?;
    cpus::possible(&mut possible);
    let mut text = Text::new(file);
    for cpu in cpus::iter(&possible) {
        text.number(part.of(group.time(cpu))).put(b" ");
    }
    text.put(b"\n");
    Ok(())
}
