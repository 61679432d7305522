// SPDX-License-Identifier: GPL-2.0

//! Limits of cgroups: `memory.pagecache.*`.

use super::{
    limiter::{
        Limiter,
        CHUNK,
        MAX_PAYMENT,
        MIN_BATCH, //
    },
    pool::{
        Pool,
        BUSY_WAIT, //
    },
    reclaimer::Order,
    settings::Limit,
    stats::{
        Counter,
        Reclaimer,
        Stats, //
    },
    tk::{
        hooks::pagecache::Growth,
        memcg::MemCgroup,
        memory::Gfp,
        rcu_table::{
            Entry,
            RcuTable, //
        },
        reclaim::Depth,
        task, //
    },
};
use kernel::{
    current,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        rcu,
        Arc, //
    },
    time::Delta,
};

/// Percent of `memory.max`: no limit.
pub(crate) const NO_RATIO: u32 = 100;

/// How much below the limit reclaim begins, in percent of the limit, unless it is set.
pub(crate) const DEFAULT_RECLAIM_RATIO: u32 = 5;

/// The cgroups that have a limit, or had one.
#[pin_data]
pub(crate) struct Groups {
    #[pin]
    table: RcuTable<Member, ()>,
    /// How many there are.
    count: Atomic<usize>,
}

/// A cgroup's place in the table.
struct Member {
    cgroup_id: usize,
    group: Arc<Group>,
}

impl Entry for Member {
    fn key(&self) -> usize {
        self.cgroup_id
    }
}

/// What is kept for a cgroup with a limit.
pub(crate) struct Group {
    /// Tells it from another one with the same number of its cgroup.
    serial: u64,
    max_ratio: Atomic<u32>,
    reclaim_ratio: Atomic<u32>,
    /// Pages that may be inserted before usage is summed up again.
    budget: Atomic<i64>,
    reclaiming: Atomic<bool>,
    pool: Pool,
    events: Events,
}

/// What happened, as in `memory.pagecache.events`.
#[derive(Default)]
pub(crate) struct Events {
    /// Insertions that found the cgroup at its limit.
    pub(crate) max: Counter,
    /// Of those, for how many nothing could be freed.
    pub(crate) fail: Counter,
}

impl Groups {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- RcuTable::new(()),
            count: Atomic::new(0),
        })
    }

    /// Whether there are any.
    #[inline(always)]
    pub(crate) fn has_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// What is kept for a cgroup.
    pub(crate) fn get(&self, memcg: &MemCgroup) -> Option<Arc<Group>> {
        let read_side = rcu::read_lock();
        let member = self.table.get(key(memcg), &read_side)?;
        (member.group.serial == memcg.serial()).then(|| member.group.clone())
    }

    /// What is kept for a cgroup from now on. May sleep.
    pub(crate) fn get_or_add(&self, memcg: &MemCgroup) -> Result<Arc<Group>> {
        let mut table = self.table.lock();
        let old = table.get(key(memcg));
        if let Some(member) = old.filter(|member| member.group.serial == memcg.serial()) {
            return Ok(member.group.clone());
        }
        let is_new = old.is_none();
        let group = Arc::new(
            Group {
                serial: memcg.serial(),
                max_ratio: Atomic::new(NO_RATIO),
                reclaim_ratio: Atomic::new(DEFAULT_RECLAIM_RATIO),
                budget: Atomic::new(0),
                reclaiming: Atomic::new(false),
                pool: Pool::new(Some(memcg.into()))?,
                events: Events::default(),
            },
            GFP_KERNEL,
        )?;
        table.put(Member {
            cgroup_id: key(memcg),
            group: group.clone(),
        })?;
        if is_new {
            self.count.add(1, Relaxed);
        }
        Ok(group)
    }

    /// A cgroup is gone. May sleep. Returns whether it had a place here.
    pub(crate) fn remove(&self, cgroup_id: u64) -> bool {
        let removed = usize::try_from(cgroup_id).is_ok_and(|id| self.table.lock().remove(id));
        if removed {
            self.count.fetch_sub(1, Relaxed);
        }
        removed
    }

    /// Makes room in the cgroups that the current task's page cache is charged to.
    pub(crate) fn insert(&self, limiter: &Limiter, growth: &Growth, inserted: usize) {
        let Some(own) = MemCgroup::of_current_charges() else {
            return;
        };
        let mut next = Some(&*own);
        while let Some(memcg) = next {
            if let Some(group) = self.get(memcg) {
                group.insert(limiter, memcg, growth, inserted);
            }
            next = memcg.parent();
        }
    }
}

fn key(memcg: &MemCgroup) -> usize {
    usize::try_from(memcg.cgroup_id()).unwrap_or(0)
}

impl Group {
    pub(crate) fn max_ratio(&self) -> u32 {
        self.max_ratio.load(Relaxed)
    }

    pub(crate) fn set_max_ratio(&self, ratio: u32) {
        self.max_ratio.store(ratio, Relaxed);
        self.budget.store(0, Relaxed);
        self.pool.renew();
        if ratio == NO_RATIO {
            self.pool.rest();
        }
    }

    pub(crate) fn reclaim_ratio(&self) -> u32 {
        self.reclaim_ratio.load(Relaxed)
    }

    pub(crate) fn set_reclaim_ratio(&self, ratio: u32) {
        self.reclaim_ratio.store(ratio, Relaxed);
        self.budget.store(0, Relaxed);
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// The limit itself, in pages.
    fn max(&self, memcg: &MemCgroup) -> Option<usize> {
        let ratio = self.max_ratio();
        if ratio >= NO_RATIO || memcg.is_unlimited() {
            return None;
        }
        Some(part(memcg.max(), ratio))
    }

    /// Where reclaim begins and ends.
    fn limit(&self, max: usize) -> Limit {
        let start = part(max, 100 - self.reclaim_ratio().min(99)).max(16);
        Limit {
            max,
            start,
            stop: start - start / 64,
        }
    }

    fn insert(&self, limiter: &Limiter, memcg: &MemCgroup, growth: &Growth, inserted: usize) {
        let pages = inserted as i64;
        if self.budget.fetch_sub(pages, Relaxed) > pages {
            return;
        }
        let Some(max) = self.max(memcg) else {
            return;
        };
        let limit = self.limit(max);
        // A sum over all cgroups below. What all memory is below the limit, page cache is too.
        let all = memcg.usage();
        let usage = if all <= limit.start {
            all
        } else {
            self.pool.pages()
        };
        if usage > limit.start {
            self.reclaiming.store(true, Relaxed);
        } else if !self.reclaiming.load(Relaxed) || usage <= limit.stop {
            self.reclaiming.store(false, Relaxed);
            self.pool.forgive();
            let left = (limit.start - usage) / 4;
            self.budget.store(left as i64, Relaxed);
            return;
        }
        // Summing up takes its time where there are many cgroups below, so not for every page.
        let batch = (max / 512).clamp(MIN_BATCH, MAX_PAYMENT / 2);
        self.budget.store(batch as i64, Relaxed);
        self.pay(limiter, growth, inserted.max(batch), usage > max, || {
            self.pool.pages() > limit.start
        });
    }

    fn pay(
        &self,
        limiter: &Limiter,
        growth: &Growth,
        inserted: usize,
        serious: bool,
        is_over: impl Fn() -> bool,
    ) {
        let stats = limiter.stats();
        if serious {
            self.events.max.count();
        }
        if !growth.gfp.may_block() {
            stats.skipped_atomic.count();
            return;
        }
        if task::is_killed() {
            stats.skipped_killed.count();
            return;
        }
        if !(serious && growth.gfp.is_for_write()) && self.pool.is_exhausted_for(inserted) {
            stats.skipped_exhausted.count();
            return;
        }
        let Some(due) = self.pool.owe(if serious { inserted * 2 } else { inserted }) else {
            return;
        };
        let pages = due.min(MAX_PAYMENT);
        let mut order = order(pages, serious, growth.gfp);
        if !serious {
            // To look at a page that has to stay costs more than to free one.
            order.scan = pages + MIN_BATCH;
        }
        let mut stall = Delta::ZERO;
        match self.pool.pay(stats, growth, &order) {
            None if serious => stall += self.pool.pay_after(stats, &order, &is_over),
            None => stats.skipped_busy.count(),
            Some(turn) => {
                stall += turn.time;
                if serious && turn.freed == 0 {
                    self.events.fail.count();
                }
                if serious && turn.freed < pages / 2 {
                    let is_over = || !limiter.is_retired() && is_over();
                    stall += self.pool.hold(stats, growth, &order, is_over);
                }
            }
        }
        stats.stalls.record(stall);
    }

    /// Shrinks the cgroup's cache to its limit, or as far as it goes, in the current task. Gives up
    /// after `retries` attempts in a row that freed nothing, or if `may_go_on` says so.
    pub(crate) fn settle(
        &self,
        stats: &Stats,
        memcg: &MemCgroup,
        retries: usize,
        may_go_on: impl Fn() -> bool,
    ) -> Result {
        let Some(max) = self.max(memcg) else {
            return Ok(());
        };
        let limit = self.limit(max);
        if self.pool.pages() <= limit.start {
            return Ok(());
        }
        self.shrink(stats, limit.stop, retries, may_go_on)
    }

    /// Shrinks the cgroup's cache to `goal` pages.
    pub(crate) fn shrink(
        &self,
        stats: &Stats,
        goal: usize,
        retries: usize,
        may_go_on: impl Fn() -> bool,
    ) -> Result {
        let mut fruitless = 0;
        loop {
            let pages = self.pool.pages();
            if pages <= goal {
                return Ok(());
            }
            if current!().signal_pending() {
                return Err(EINTR);
            }
            if !may_go_on() {
                return Ok(());
            }
            let Some(node) = self.pool.fullest() else {
                return Ok(());
            };
            let order = order((pages - goal).min(CHUNK), false, Gfp::KERNEL);
            match self.pool.reclaim(stats, Reclaimer::Setting, node, &order) {
                None => {
                    let _ = node.wait(BUSY_WAIT);
                }
                Some(turn) if turn.freed > 0 => fruitless = 0,
                Some(_) => {
                    fruitless += 1;
                    if fruitless > retries {
                        self.events.fail.count();
                        return Ok(());
                    }
                }
            }
            task::cond_resched();
        }
    }
}

fn order(pages: usize, urgent: bool, gfp: Gfp) -> Order {
    Order {
        pages,
        scan: pages * 8 + MAX_PAYMENT,
        deepest: Depth::Dirty,
        urgent,
        slab: false,
        gfp,
    }
}

/// A part in percent, without overflow.
fn part(whole: usize, percent: u32) -> usize {
    let percent = percent as usize;
    whole / 100 * percent + whole % 100 * percent / 100
}
