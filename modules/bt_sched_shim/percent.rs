// SPDX-License-Identifier: GPL-2.0

//! How much of a CPU the class may have at most, each CPU its own: `/proc/offline/cpuN`.

use super::{
    offline::Offline,
    tk::{
        cpus,
        hooks::sched_slot,
        proc_cpu_files::ProcCpuFiles,
        text::Text, //
    },
};
use kernel::{
    cpu::CpuId,
    cpumask::CpumaskVar,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// All of it.
const WHOLE: u32 = 100;

/// A percentage for each CPU.
pub(crate) struct Percent(KVec<Atomic<u32>>);

impl Percent {
    /// All of each CPU.
    pub(crate) fn new() -> Result<Self> {
        let mut possible = CpumaskVar::new_zero(GFP_KERNEL)?;
        cpus::possible(&mut possible);
        let last = cpus::iter(&possible).last().map_or(0, |cpu| cpu.as_u32());
        let mut percent = KVec::new();
        for _ in 0..=last {
            percent.push(Atomic::new(WHOLE), GFP_KERNEL)?;
        }
        Ok(Self(percent))
    }

    /// What is set for a CPU, if that is less than all of it.
    pub(crate) fn of(&self, cpu: u32) -> Option<u64> {
        let percent = self.0.get(usize::try_from(cpu).ok()?)?.load(Relaxed);
        (percent < WHOLE).then_some(percent.into())
    }

    fn get(&self, cpu: CpuId) -> Result<&Atomic<u32>> {
        self.0.get(usize::try_from(cpu.as_u32())?).ok_or(ENODEV)
    }
}

impl ProcCpuFiles for Offline {
    const DIRECTORY: &'static CStr = c"offline";

    // It was 0400 in TencentOS, where root could write all the same.
    const MODE: u16 = 0o600;

    fn show(&self, cpu: CpuId, text: &mut Text<'_>) -> Result {
        let percent = self.percent().get(cpu)?.load(Relaxed);
        text.number(percent.into()).put(b"\n");
        Ok(())
    }

    fn write(&self, cpu: CpuId, text: &[u8]) -> Result {
        let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
        let percent: u32 = text.trim().parse().map_err(|_| EINVAL)?;
        if percent > WHOLE {
            return Err(EINVAL);
        }
        self.percent().get(cpu)?.store(percent, Relaxed);
        sched_slot::bar(cpu, percent == 0);
        self.settings().limit_changed();
        Ok(())
    }
}
