// SPDX-License-Identifier: GPL-2.0

//! A container's CPU time: what its threads used, what was denied to them, and idle time, in which some
//! may have waited for I/O, so that together they are the time that has passed.
//!
//! The kernel counts what a cgroup used on each CPU, in nanoseconds, and how many ticks found it in
//! user mode and in the kernel. Idle time and steal time of a container are nowhere; they are made
//! here, from one read to the next: each CPU that is shown passes as much time as the clock, and
//! what the container didn't use of that was denied to it by `cpu.max` (steal), or it couldn't use it
//! because who could have waited for I/O (iowait), or it wasn't wanted (idle).

use super::{
    cpus::Shown,
    tk::{
        cgroup::{
            Cgroup,
            Cpu,
            CpuTime, //
        },
        machine,
        math::share, //
    },
};
use kernel::{
    cpu::{
        self,
        CpuId, //
    },
    prelude::*,
};

/// For how many nanoseconds a sample is good enough: a quarter of a tick of 100 Hz, the unit in
/// which times are shown.
const FRESH: u64 = 2_500_000;

/// By how much the clocks of two CPUs may differ at most.
const CLOCKS: u64 = 10_000_000;

/// What the kernel counts of waits on a CPU starts again after so many nanoseconds.
const ROUND: u64 = 1 << 32;

/// Times of one CPU that is shown, in nanoseconds. They never decrease.
#[derive(Clone, Copy, Default)]
pub(crate) struct CpuTimes {
    /// Not niced.
    pub(crate) user: u64,
    pub(crate) nice: u64,
    pub(crate) system: u64,
    pub(crate) idle: u64,
    pub(crate) iowait: u64,
    pub(crate) steal: u64,
    /// What the kernel counted, of which the first three are made.
    raw: CpuTime,
    /// Use beyond the time that has passed: of another CPU that isn't shown, or not yet passed.
    debt: u64,
}

impl CpuTimes {
    /// The sum of two.
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            user: self.user + other.user,
            nice: self.nice + other.nice,
            system: self.system + other.system,
            idle: self.idle + other.idle,
            iowait: self.iowait + other.iowait,
            steal: self.steal + other.steal,
            ..Self::default()
        }
    }

    /// More was used. User and system time share it as the ticks have it, but none decreases.
    fn add_use(&mut self, more: &CpuTime) {
        add(&mut self.raw, more);
        let ticks = self.raw.user + self.raw.system;
        let busy_user = self.user + self.nice;
        let user =
            share(self.raw.exec, self.raw.user, ticks).clamp(busy_user, busy_user + more.exec);
        let nice = share(user, self.raw.nice, self.raw.user)
            .clamp(self.nice, self.nice + (user - busy_user));
        self.nice = nice;
        self.user = user - nice;
        self.system = self.raw.exec - user;
    }

    /// Time has passed, `busy` of which was used. Up to `denied` of the rest counts as steal time,
    /// and up to `waited` of what is left then as time that I/O was waited for. Returns what is left
    /// of both.
    fn pass(&mut self, elapsed: u64, busy: u64, denied: u64, waited: u64) -> (u64, u64) {
        let busy = busy + self.debt;
        let rest = elapsed.saturating_sub(busy);
        self.debt = busy.saturating_sub(elapsed);
        let steal = denied.min(rest);
        let iowait = waited.min(rest - steal);
        self.steal += steal;
        self.iowait += iowait;
        self.idle += rest - steal - iowait;
        (denied - steal, waited - iowait)
    }
}

fn add(sum: &mut CpuTime, more: &CpuTime) {
    sum.exec += more.exec;
    sum.user += more.user;
    sum.nice += more.nice;
    sum.system += more.system;
}

fn less(this: &CpuTime, other: &CpuTime) -> CpuTime {
    CpuTime {
        exec: this.exec.saturating_sub(other.exec),
        user: this.user.saturating_sub(other.user),
        nice: this.nice.saturating_sub(other.nice),
        system: this.system.saturating_sub(other.system),
    }
}

fn least(this: &CpuTime, other: &CpuTime) -> CpuTime {
    CpuTime {
        exec: this.exec.min(other.exec),
        user: this.user.min(other.user),
        nice: this.nice.min(other.nice),
        system: this.system.min(other.system),
    }
}

/// The times of a container.
pub(crate) struct Times {
    /// By index of the CPUs that are shown, or were.
    cpus: KVec<CpuTimes>,
    /// By number of the CPU: what was counted at the last sample.
    seen: KVec<CpuTime>,
    seen_waits: KVec<u32>,
    seen_total: CpuTime,
    seen_denied: u64,
    seen_wait_total: u64,
    /// When that was; [`None`] before the first.
    at: Option<u64>,
}

impl Times {
    pub(crate) fn new() -> Self {
        Self {
            cpus: KVec::new(),
            seen: KVec::new(),
            seen_waits: KVec::new(),
            seen_total: CpuTime::default(),
            seen_denied: 0,
            seen_wait_total: 0,
            at: None,
        }
    }

    /// The times of the CPUs that are shown, now or a quarter of a tick ago. Before the first
    /// sample the container has existed since `start`. May sleep.
    pub(crate) fn sample(
        &mut self,
        cgroup: &Cgroup,
        shown: &Shown,
        start: u64,
    ) -> Result<&[CpuTimes]> {
        let count = usize::try_from(shown.count())?;
        let now = machine::boot_time();
        let since = self.at.unwrap_or(start);
        let is_fresh = self.at.is_some() && now.saturating_sub(since) < FRESH;
        if !is_fresh || self.cpus.len() < count {
            self.take(cgroup, shown, now, now.saturating_sub(since))?;
        }
        Ok(&self.cpus[..count.min(self.cpus.len())])
    }

    fn take(&mut self, cgroup: &Cgroup, shown: &Shown, now: u64, elapsed: u64) -> Result {
        let count = usize::try_from(shown.count())?;
        if self.cpus.len() < count {
            self.cpus.resize(count, CpuTimes::default(), GFP_KERNEL)?;
        }
        let all = usize::try_from(cpu::nr_cpu_ids())?;
        if self.seen.len() < all {
            self.seen.resize(all, CpuTime::default(), GFP_KERNEL)?;
        }
        if self.seen_waits.len() < all {
            self.seen_waits.resize(all, 0, GFP_KERNEL)?;
        }

        cgroup.flush_cpu_time();
        let total = cgroup.cpu_time(None);
        let mut left = less(&total, &self.seen_total);
        self.seen_total = total;
        let denied = denied(cgroup);
        let mut denied_now = denied.saturating_sub(self.seen_denied);
        self.seen_denied = denied;
        self.at = Some(now);

        // If all CPUs that it may use are shown, each has its own times; else they share.
        let mut used = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut waits = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut waited_now = 0;
        let mut waited_in_all = 0;
        for id in shown.usable() {
            let waited = self.waited(cgroup, id, elapsed)?;
            waited_in_all += waited;
            if shown.are_all() {
                waits.push(waited, GFP_KERNEL)?;
            } else {
                waited_now += waited;
            }
        }
        // Whole rounds of what is counted on a CPU, if this hasn't been looked at for so long.
        let wait_total = cgroup.io_wait_in_all();
        let missed = wait_total
            .saturating_sub(self.seen_wait_total)
            .saturating_sub(waited_in_all);
        self.seen_wait_total = wait_total;
        waited_now += (missed + ROUND / 2) / ROUND * ROUND;

        for (id, _) in shown.iter() {
            let mut now = CpuTime::default();
            if shown.are_all() {
                let seen = &mut self.seen[usize::try_from(id.as_u32())?];
                let counted = cgroup.cpu_time(Some(id));
                now = least(&less(&counted, seen), &left);
                *seen = counted;
                left = less(&left, &now);
            }
            used.push(now, GFP_KERNEL)?;
        }
        // The rest was used where no CPU is shown.
        for (index, used) in used.iter_mut().enumerate() {
            let share = (count - index) as u64;
            let more = CpuTime {
                exec: left.exec / share,
                user: left.user / share,
                nice: left.nice / share,
                system: left.system / share,
            };
            add(used, &more);
            left = less(&left, &more);
        }
        for (index, (cpu, used)) in self.cpus.iter_mut().zip(&used).enumerate() {
            cpu.add_use(used);
            let cpus_left = (count - index) as u64;
            let denied = denied_now / cpus_left;
            let shared = waited_now / cpus_left;
            let waited = waits.get(index).copied().unwrap_or(0) + shared;
            let left = cpu.pass(elapsed, used.exec, denied, waited);
            denied_now = denied_now - denied + left.0;
            waited_now = waited_now - shared + left.1.min(shared);
        }
        Ok(())
    }

    /// How long I/O was waited for on a CPU since the last sample.
    fn waited(&mut self, cgroup: &Cgroup, cpu: CpuId, elapsed: u64) -> Result<u64> {
        let counted = cgroup.io_wait(cpu);
        let seen = self.seen_waits.get_mut(usize::try_from(cpu.as_u32())?);
        let waited = seen.map_or(0, |seen| {
            u64::from(counted.wrapping_sub(core::mem::replace(seen, counted)))
        });
        // More than has passed is a step back by the difference of two CPUs' clocks.
        Ok(if waited > elapsed + CLOCKS { 0 } else { waited })
    }
}

/// How long `cpu.max` denied CPUs to the cgroup, by what it or one above has set.
fn denied(cgroup: &Cgroup) -> u64 {
    cgroup
        .lineage()
        .filter_map(|level| Some(level.controlled::<Cpu>()?.throttled()))
        .max()
        .unwrap_or(0)
}

/// Times of a CPU.
#[kernel::macros::kunit_tests(cgroup_isolation_times)]
mod tests {
    use super::*;

    fn used(exec: u64, user: u64, system: u64) -> CpuTime {
        CpuTime {
            exec,
            user,
            nice: 0,
            system,
        }
    }

    #[test]
    fn all_is_the_time_that_has_passed() {
        let mut cpu = CpuTimes::default();
        cpu.add_use(&used(700, 40, 30));
        assert_eq!(cpu.pass(1000, 700, 100, 0), (0, 0));
        assert_eq!((cpu.user, cpu.system), (400, 300));
        assert_eq!((cpu.steal, cpu.idle), (100, 200));
        // More than has passed is made up for later.
        cpu.add_use(&used(300, 0, 30));
        assert_eq!(cpu.pass(100, 300, 50, 60), (50, 60));
        cpu.add_use(&used(0, 0, 0));
        // 200 of these make up for it; 40 are left to wait.
        assert_eq!(cpu.pass(400, 0, 160, 60), (0, 20));
        assert_eq!(cpu.iowait, 40);
        assert_eq!(
            cpu.user + cpu.nice + cpu.system + cpu.steal + cpu.iowait + cpu.idle,
            1500
        );
    }

    #[test]
    fn none_decreases() {
        let mut cpu = CpuTimes::default();
        cpu.add_use(&used(100, 10, 0));
        assert_eq!(cpu.user, 100);
        cpu.add_use(&used(10, 0, 90));
        assert_eq!((cpu.user, cpu.system), (100, 10));
    }
}
