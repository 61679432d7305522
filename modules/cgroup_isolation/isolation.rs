// SPDX-License-Identifier: GPL-2.0

//! Answers to the hook: who asks is shown its container, file by file.

use super::{
    diskstats,
    files,
    groups::{
        Group,
        Groups, //
    },
    load::PERIOD_MS,
    meminfo,
    settings::Settings,
    stat,
    tk::{
        cgroup_files::CgroupEnd,
        delayed_work::{
            Timer,
            Work, //
        },
        hooks::procview::{
            File,
            ProcviewHook,
            ShownCpu,
            Sysinfo, //
        },
        text::Text,
        vmstat::Counters,
    },
    view::View,
    vmstat, //
};
use kernel::{
    cpu::CpuId,
    cpumask::Cpumask,
    prelude::*,
    sync::Arc,
    time::Delta, //
};

/// All that the module keeps.
#[pin_data]
pub(crate) struct Isolation {
    settings: Settings,
    #[pin]
    groups: Groups,
    timer: Arc<Timer>,
}

impl Isolation {
    pub(crate) fn new() -> Result<impl PinInit<Self, Error>> {
        let timer = Timer::new(c"cgroup_isolation")?;
        Ok(try_pin_init!(Self {
            settings: Settings::new(),
            groups <- Groups::new(),
            timer,
        }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Asks for runs of the sampling of loads.
    pub(crate) fn timer(&self) -> Arc<Timer> {
        self.timer.clone()
    }

    /// Has the load of a group sampled from now on. May sleep.
    pub(crate) fn watch(&self, group: &Arc<Group>) -> Result {
        self.groups.watch(group)?;
        self.timer.run_in(Delta::from_millis(PERIOD_MS));
        Ok(())
    }
}

impl ProcviewHook for Isolation {
    fn show(&self, file: File<'_>, text: &mut Text<'_>) -> Option<()> {
        let view = View::of_reader(self)?;
        match file {
            File::Meminfo => meminfo::show(view.memory()?.memcg(), text),
            File::Stat => stat::show(&view, text).ok()?,
            File::Loadavg => files::loadavg(&view, text),
            File::Uptime => files::uptime(&view, text).ok()?,
            File::Swaps => files::swaps(&view, text)?,
            File::Diskstats(disk) => diskstats::show(&view, disk, text)?,
            File::DiskStat { disk, is_partition } => {
                diskstats::show_numbers(&view, disk, is_partition, text)?;
            }
        }
        Some(())
    }

    fn vmstat(&self, counters: &mut Counters<'_>) -> Option<()> {
        vmstat::fill(&View::of_reader(self)?, counters)
    }

    fn cpu(&self, index: u32) -> Option<Option<ShownCpu>> {
        let shown = View::of_reader(self)?.cpus().ok()?;
        let index = usize::try_from(index).ok()?;
        let found = shown.iter().nth(index);
        Some(found.map(|(cpu, number)| shown.described(cpu, number)))
    }

    fn cpus(&self, cpus: &mut Cpumask) -> Option<()> {
        for (cpu, number) in View::of_reader(self)?.cpus().ok()?.iter() {
            // Numbers are those of CPUs, or less.
            cpus.set(CpuId::from_u32(number).unwrap_or(cpu));
        }
        Some(())
    }

    fn sysinfo(&self) -> Option<Sysinfo> {
        files::sysinfo(&View::of_reader(self)?)
    }

    fn start(&self) -> u64 {
        // In a time namespace the kernel itself has moved it, by a negative start.
        View::of_reader(self).map_or(0, |view| u64::try_from(view.boot()).unwrap_or(0))
    }
}

impl Work for Isolation {
    fn run(&self) {
        // Without memory for it a sample is left out.
        if self.groups.sample().unwrap_or(true) {
            self.timer.run_in(Delta::from_millis(PERIOD_MS));
        }
    }
}

impl CgroupEnd for Isolation {
    fn removed(&self, cgroup_id: u64) {
        self.groups.remove(cgroup_id);
    }
}
