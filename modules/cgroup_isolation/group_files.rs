// SPDX-License-Identifier: GPL-2.0

//! The files in each cgroup: what a container there would see, for who mounts them over the files
//! in `/proc` himself, and for who looks from outside; and what is set for one cgroup.

use super::{
    diskstats,
    files,
    groups::{
        Setting,
        UNSET, //
    },
    isolation::Isolation,
    meminfo,
    stat,
    tk::{
        capability::{
            capable,
            Capability, //
        },
        cgroup::{
            Cgroup,
            Cpu,
            Cpuset,
            IoController, //
        },
        cgroup_files::{
            self,
            CgroupFiles,
            File,
            Of, //
        },
        text::{
            self,
            Text, //
        },
    },
    view::{
        self,
        View, //
    },
    vmstat, //
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    sync::Arc, //
};

/// Holds the files of all controllers.
pub(crate) struct Registrations {
    _memory: cgroup_files::Registration<Isolation>,
    _cpuset: cgroup_files::Registration<Isolation, Of<Cpuset>>,
    _cpu: cgroup_files::Registration<Isolation, Of<Cpu>>,
    _io: cgroup_files::Registration<Isolation, Of<IoController>>,
}

impl Registrations {
    /// Makes the files. May sleep.
    pub(crate) fn new(isolation: &Arc<Isolation>) -> Result<Self> {
        Ok(Self {
            _memory: cgroup_files::Registration::new(isolation.clone())?,
            _cpuset: cgroup_files::Registration::new(isolation.clone())?,
            _cpu: cgroup_files::Registration::new(isolation.clone())?,
            _io: cgroup_files::Registration::new(isolation.clone())?,
        })
    }
}

impl CgroupFiles for Isolation {
    const FILES: &'static [File<Self>] = &[
        File::read_only(c"meminfo", |_, memcg, file| {
            meminfo::show(memcg, &mut Text::new(file));
            text::show_meminfo(file);
            Ok(())
        }),
        File::read_only(c"vmstat", |isolation, memcg, file| {
            vmstat::show(&view_of(isolation, memcg.cgroup())?, &mut Text::new(file))
        }),
        File::number(
            c"stats_isolated",
            |isolation, memcg, file| {
                show_setting(isolation, memcg.cgroup(), Setting::StatsIsolated, 1, file)
            },
            |isolation, memcg, value| {
                set(isolation, memcg.cgroup(), Setting::StatsIsolated, value, 1)
            },
        ),
    ];
}

impl CgroupFiles<Of<Cpuset>> for Isolation {
    const FILES: &'static [File<Self, Of<Cpuset>>] = &[
        File::read_only(c"stat", |isolation, cgroup, file| {
            stat::show(&view_of(isolation, cgroup)?, &mut Text::new(file))
        }),
        File::read_only(c"cpuinfo", |isolation, cgroup, file| {
            let shown = view_of(isolation, cgroup)?.cpus()?;
            for (cpu, number) in shown.iter() {
                text::show_cpuinfo(file, &shown.described(cpu, number));
            }
            Ok(())
        }),
        File::read_only(c"loadavg", |isolation, cgroup, file| {
            files::loadavg(&view_of(isolation, cgroup)?, &mut Text::new(file));
            Ok(())
        }),
    ];
}

impl CgroupFiles<Of<Cpu>> for Isolation {
    const FILES: &'static [File<Self, Of<Cpu>>] = &[
        File::read_only(c"uptime", |isolation, cgroup, file| {
            files::uptime(&view_of(isolation, cgroup)?, &mut Text::new(file))
        }),
        File::number(
            c"quota_aware",
            |isolation, cgroup, file| {
                let default = isolation.settings().cpu_quota_aware();
                show_setting(isolation, cgroup, Setting::QuotaAware, default, file)
            },
            |isolation, cgroup, value| set(isolation, cgroup, Setting::QuotaAware, value, 2),
        ),
    ];
}

impl CgroupFiles<Of<IoController>> for Isolation {
    const FILES: &'static [File<Self, Of<IoController>>] =
        &[File::read_only(c"diskstats", |isolation, cgroup, file| {
            diskstats::show_all(&view_of(isolation, cgroup)?, &mut Text::new(file));
            Ok(())
        })];
}

fn view_of<'a>(isolation: &'a Isolation, cgroup: &Cgroup) -> Result<View<'a>> {
    View::of_cgroup(isolation, cgroup)
}

/// What holds for the cgroup: set for it, for one above, or for all.
fn show_setting(
    isolation: &Isolation,
    cgroup: &Cgroup,
    setting: Setting,
    default: i32,
    file: &SeqFile,
) -> Result {
    let value = isolation.groups().setting(cgroup, setting);
    let value = u64::try_from(value.unwrap_or(default))?;
    Text::new(file).number(value).put(b"\n");
    Ok(())
}

/// Sets it for the cgroup and those below. Only who may set the machine's limits may: in a
/// container it is refused, whoever the files belong to.
fn set(isolation: &Isolation, cgroup: &Cgroup, setting: Setting, value: u64, max: i32) -> Result {
    let value = i32::try_from(value)
        .ok()
        .filter(|value| (UNSET + 1..=max).contains(value))
        .ok_or(EINVAL)?;
    if !capable(Capability::SysAdmin) || view::is_in_container() {
        return Err(EPERM);
    }
    isolation.groups().set(cgroup, setting, value)
}
