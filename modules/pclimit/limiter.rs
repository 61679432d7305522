// SPDX-License-Identifier: GPL-2.0

//! Who makes room, when, and how much.
//!
//! `docs/pclimit.md` argues why nobody is held up for long and why the limit holds all the same.

use super::{
    groups::Groups,
    pool::{
        Pool,
        BUSY_WAIT, //
    },
    reclaimer::{
        Order,
        LONG, //
    },
    settings::{
        Brief,
        Limit,
        Published,
        Settings, //
    },
    stats::{
        Reclaimer,
        Stats, //
    },
    tk::{
        delayed_work::{
            Timer,
            Work, //
        },
        hooks::pagecache::{
            Growth,
            PagecacheHook, //
        },
        kthread::{
            Main,
            Stop, //
        },
        memcg::MemCgroup,
        memory::{
            self,
            Gfp,
            Node, //
        },
        percpu::PerCpuCounter,
        reclaim::Depth,
        task,
        wait_queue::WaitQueue,
    },
    usage::Usage, //
};
use kernel::{
    current,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Arc, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// Pages that a CPU inserts between two looks, at least and at most.
pub(crate) const MIN_BATCH: usize = 32;
const MAX_BATCH: usize = 4096;

/// The most while a cgroup has a limit of its own, which may be much smaller.
const MAX_BATCH_WITH_GROUPS: usize = 64;

/// Pages that one insertion frees at most: what bounds how long it is held up.
pub(crate) const MAX_PAYMENT: usize = 512;

/// Of those, how many at a time: in between others may have their turn.
const BITE: usize = 128;

/// Pages that are freed at a time where nobody waits for the result.
pub(crate) const CHUNK: usize = 512;

/// How often the worker looks while what is being written may lift usage above the limit, or there was
/// nothing to free.
const TRIM: Delta = Delta::from_millis(4);

/// How long a write that lowers the limit frees what is too much: so long, and longer by this for each
/// chunk by which usage came down.
const SETTLE: Delta = Delta::from_millis(200);
const SETTLE_CHUNK: Delta = Delta::from_millis(10);

/// How long `kpclimitd` rests when there was nothing to free, unless it is needed before.
const THREAD_REST: Delta = Delta::from_millis(20);

/// The limit of the machine.
#[pin_data]
pub(crate) struct Limiter {
    settings: Published,
    /// Whether there is a limit. While there is none an insertion costs a look at this.
    limited: Atomic<bool>,
    /// Whether the module goes.
    retired: Atomic<bool>,
    /// Pages that each CPU may insert before it looks at the machine's counters.
    budget: PerCpuCounter,
    /// From when usage was found where reclaim begins until it is found low enough.
    reclaiming: Atomic<bool>,
    pool: Pool,
    #[pin]
    groups: Groups,
    /// Where `kpclimitd` waits for work.
    #[pin]
    work: WaitQueue,
    /// Where those wait who insert, for the worker or `kpclimitd` to make room.
    #[pin]
    room: WaitQueue,
    /// Asks for the work that brings usage down in synchronous mode.
    trim: Arc<Timer>,
    /// Whether that was asked to begin at once, and hasn't.
    is_hastened: Atomic<bool>,
    stats: Stats,
}

/// What a look found, in pages.
#[derive(Clone, Copy)]
struct Watch {
    settings: Brief,
    /// What counts, and what the disk is at and will count in a moment: room is made ahead.
    usage: usize,
    /// What is dirty and will count later.
    soon: usize,
    limit: Limit,
}

impl Watch {
    fn is_over(&self) -> bool {
        self.usage > self.limit.start
    }

    /// Whether the worker doesn't come in time, so that those who insert begin to pay.
    fn is_late(&self) -> bool {
        self.usage > self.limit.start.midpoint(self.limit.max)
    }

    fn is_enough(&self) -> bool {
        self.usage <= self.limit.stop
    }

    /// Whether the limit isn't at stake at all.
    fn is_far(&self) -> bool {
        self.usage <= self.limit.far()
    }

    /// Whether the limit itself is at stake.
    fn is_serious(&self) -> bool {
        self.usage > self.limit.max
    }

    /// Whether who inserts has to wait: in synchronous mode if the limit is exceeded, else if
    /// `kpclimitd` doesn't keep up.
    fn has_to_wait(&self) -> bool {
        if self.settings.wants_thread() {
            self.usage > self.limit.too_much()
        } else {
            self.is_serious()
        }
    }

    /// Whether usage may get above the limit with nothing inserted, as dirty pages are written.
    fn may_rise(&self) -> bool {
        self.soon > 0 && self.usage + self.soon > self.limit.max
    }

    fn excess(&self) -> usize {
        self.usage.saturating_sub(self.limit.stop)
    }

    fn order(&self, pages: usize, scan: usize, gfp: Gfp) -> Order {
        Order {
            pages,
            scan,
            // What programs have mapped goes for the limit, not for a margin far below it: they would
            // never have what they need.
            deepest: if self.is_far() {
                Depth::Active
            } else if self.settings.counts_dirty() {
                Depth::Dirty
            } else {
                Depth::Mapped
            },
            urgent: self.is_serious(),
            slab: self.settings.counts_slab(),
            gfp,
        }
    }
}

impl Limiter {
    pub(crate) fn new() -> Result<impl PinInit<Self, Error>> {
        let pool = Pool::new(None)?;
        let budget = PerCpuCounter::new()?;
        let trim = Timer::new(c"pclimit")?;
        Ok(try_pin_init!(Self {
            settings: Published::new(&Settings::DEFAULT),
            limited: Atomic::new(false),
            retired: Atomic::new(false),
            budget,
            reclaiming: Atomic::new(false),
            pool,
            groups <- Groups::new(),
            work <- WaitQueue::new(),
            room <- WaitQueue::new(),
            trim,
            is_hastened: Atomic::new(false),
            stats: Stats::default(),
        }? Error))
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Pages that count against the limit, whether there is one or not.
    pub(crate) fn usage(&self) -> usize {
        Usage::read(self.settings.brief()).now
    }

    /// The limit, if there is one.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.settings.limit(memory::total_pages())
    }

    /// Takes over new settings.
    pub(crate) fn publish(&self, settings: &Settings) {
        self.settings.store(settings);
        self.reclaiming.store(false, Relaxed);
        self.pool.renew();
        if !settings.is_limited() {
            self.pool.rest();
        }
        self.limits_changed();
    }

    /// There are more or fewer limits now.
    pub(crate) fn limits_changed(&self) {
        let limited = self.limit().is_some() || self.groups.has_any();
        self.limited
            .store(limited && !self.retired.load(Relaxed), Relaxed);
        // A CPU that is just inserting may miss this, and looks a batch later.
        self.budget.set_all(0);
    }

    /// The limits of cgroups.
    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Whether waits and long work should end.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// Shrinks the cache to the limit in the current task, which changed it.
    pub(crate) fn settle(&self) {
        let Some(watch) = self.watch() else {
            return;
        };
        if !watch.is_over() {
            return;
        }
        if self.settings.brief().wants_thread() {
            self.wake_thread();
            return;
        }
        // Others may insert as fast as this frees, or take the CPU meanwhile. So there is an end, long
        // after the time that this takes by itself; the worker goes on.
        let start = Instant::<Monotonic>::now();
        let mut time = SETTLE;
        let mut lowest = watch.usage;
        let may_go_on = |watch: &Watch| {
            while watch.usage + CHUNK <= lowest {
                lowest -= CHUNK;
                time += SETTLE_CHUNK;
            }
            !self.is_retired() && !current!().signal_pending() && start.elapsed() < time
        };
        if !self.shrink(Reclaimer::Setting, may_go_on) && !self.is_retired() {
            self.hasten();
        }
    }

    /// Shrinks a cgroup's cache to its limit in the current task, which changed it.
    pub(crate) fn settle_group(&self, memcg: &MemCgroup) -> Result {
        let Some(group) = self.groups.get(memcg) else {
            return Ok(());
        };
        let may_go_on = || !self.is_retired();
        group.settle(&self.stats, memcg, self.retries(), may_go_on)
    }

    /// Frees as much of a cgroup's cache as goes, in the current task.
    pub(crate) fn drop_cache(&self, memcg: &MemCgroup) -> Result {
        let group = self.groups.get_or_add(memcg)?;
        let may_go_on = || !self.is_retired();
        group.shrink(&self.stats, 0, self.retries(), may_go_on)
    }

    fn retries(&self) -> usize {
        self.settings.retries()
    }

    /// What asks for the work.
    pub(crate) fn timer(&self) -> Arc<Timer> {
        self.trim.clone()
    }

    /// Lets everybody go on who waits, for good.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.limited.store(false, Relaxed);
    }

    fn watch(&self) -> Option<Watch> {
        let total = memory::total_pages();
        let limit = self.settings.limit(total)?;
        let settings = self.settings.brief();
        let usage = Usage::read(settings);
        Some(Watch {
            usage: usage.now + usage.imminent,
            soon: usage.soon - usage.imminent,
            settings,
            limit,
        })
    }

    /// Looks at the machine's counters. Returns what it found if there is something to do.
    fn look(&self) -> Option<Watch> {
        self.stats.checks.count();
        let watch = self.watch();
        let near = watch.is_some_and(|watch| self.has_work(&watch));
        let batch = match watch {
            Some(watch) if !near => {
                // Far from the limit a CPU may insert much before it looks again; all CPUs together
                // no more than a part of what is left.
                if watch.may_rise() {
                    self.trim.run_in(TRIM);
                }
                let left = watch.limit.start.saturating_sub(watch.usage + watch.soon);
                (left / (8 * memory::online_cpus().max(1))).clamp(MIN_BATCH, MAX_BATCH)
            }
            Some(_) => MIN_BATCH,
            None => MAX_BATCH,
        };
        let most = if self.groups.has_any() {
            MAX_BATCH_WITH_GROUPS
        } else {
            MAX_BATCH
        };
        self.budget.set(signed(batch.min(most)));
        watch.filter(|_| near)
    }

    /// Whether reclaim begins, or isn't done yet.
    fn has_work(&self, watch: &Watch) -> bool {
        if watch.is_over() {
            self.stats.over_limit.count();
            if !self.reclaiming.xchg(true, Relaxed) {
                self.hasten();
            }
        } else if self.reclaiming.load(Relaxed) && watch.is_enough() {
            self.reclaiming.store(false, Relaxed);
            self.pool.forgive();
        }
        self.reclaiming.load(Relaxed)
    }

    /// Makes room in the task that inserts, or waits for others to do so.
    fn make_room(&self, growth: &Growth, inserted: usize, watch: &Watch) {
        if !growth.gfp.may_block() {
            self.stats.skipped_atomic.count();
            return;
        }
        if task::is_killed() {
            self.stats.skipped_killed.count();
            return;
        }
        let held_by_disk = watch.settings.counts_dirty() && watch.is_serious();
        if !held_by_disk && self.pool.is_exhausted_for(inserted) {
            self.stats.skipped_exhausted.count();
            return;
        }
        let mut stall = Delta::ZERO;
        if held_by_disk && growth.gfp.is_for_write() {
            let order = watch.order(MAX_PAYMENT, MAX_PAYMENT * 4, growth.gfp);
            let is_over = || !self.is_retired() && self.is_over();
            stall += self.pool.hold(&self.stats, growth, &order, is_over);
        }
        if !stall.is_zero() {
            // The disk's speed is what counts.
        } else if watch.has_to_wait() {
            self.pool.is_a_crowd();
            self.hasten();
        } else if self.pool.is_crowded() {
            self.hasten();
        } else if !watch.settings.wants_thread() && watch.is_late() {
            stall += self.pay(growth, inserted, watch);
        }
        if watch.has_to_wait() {
            stall += self.wait_for_room();
        }
        if !stall.is_zero() {
            self.stats.stalls.record(stall);
        }
    }

    /// Frees what was inserted. Returns how long that took.
    fn pay(&self, growth: &Growth, inserted: usize, watch: &Watch) -> Delta {
        let mut stall = Delta::ZERO;
        let Some(due) = self.pool.owe(inserted) else {
            return stall;
        };
        let mut left = due.min(MAX_PAYMENT);
        while left > 0 {
            let pages = left.min(BITE);
            // To look at a mapped page and leave it costs more than to free one: what can't be had
            // for the price stays owed.
            let order = watch.order(pages, pages + MIN_BATCH, growth.gfp);
            let Some(turn) = self.pool.pay(&self.stats, growth, &order) else {
                self.stats.skipped_busy.count();
                self.pool.is_a_crowd();
                self.hasten();
                break;
            };
            stall += turn.time;
            if turn.freed < pages {
                break;
            }
            left = left.saturating_sub(turn.freed);
        }
        stall
    }

    /// Leaves the work to the worker, or to `kpclimitd`.
    ///
    /// Where many tasks compete for the CPUs, one that reclaims may have to wait for its turn in the
    /// middle of it, while nobody else can go on with it. The worker comes first.
    fn hasten(&self) {
        if self.settings.brief().wants_thread() {
            self.wake_thread();
        } else if !self.is_hastened.xchg(true, Relaxed) {
            self.trim.run_now();
        }
    }

    fn is_over(&self) -> bool {
        self.watch().is_some_and(|watch| watch.is_over())
    }

    /// Waits for a moment until the limit isn't exceeded any more, for which the worker sees, or
    /// `kpclimitd`. All others wait meanwhile, so that has a CPU. Returns how long that took.
    fn wait_for_room(&self) -> Delta {
        let has_room = || {
            let watch = self.watch();
            self.is_retired()
                || self.pool.is_exhausted()
                || !watch.is_some_and(|watch| watch.has_to_wait())
        };
        if has_room() {
            return Delta::ZERO;
        }
        let start = Instant::<Monotonic>::now();
        let _ = self.room.wait_briefly(BUSY_WAIT, has_room);
        let wait = start.elapsed();
        self.stats.busy_waits.record(wait);
        wait
    }

    /// Lets those go on who wait for room.
    fn there_is_room(&self) {
        if self.room.has_waiters() {
            self.room.wake_all();
        }
    }

    /// Reclaims until usage is where reclaim stops, there is nothing more to free, or it may not go
    /// on. Returns whether it is low enough: where it stops, or as near as it gets without taking
    /// what is mapped.
    fn shrink(&self, who: Reclaimer, mut may_go_on: impl FnMut(&Watch) -> bool) -> bool {
        while let Some(watch) = self.watch() {
            if !may_go_on(&watch) {
                return false;
            }
            if !watch.has_to_wait() {
                self.there_is_room();
            }
            if watch.is_enough() {
                self.reclaiming.store(false, Relaxed);
                return true;
            }
            let Some(node) = self.pool.fullest() else {
                return true;
            };
            let pages = watch.excess().min(CHUNK);
            let order = watch.order(pages, pages * 4 + MIN_BATCH, Gfp::KERNEL);
            match self.pool.reclaim(&self.stats, who, node, &order) {
                // Then the other one makes progress.
                None => {
                    let _ = node.wait(LONG);
                }
                Some(turn) if turn.is_all && order.spares_mapped() => {
                    self.reclaiming.store(false, Relaxed);
                    return true;
                }
                Some(_) if self.pool.is_exhausted() => {
                    self.there_is_room();
                    return false;
                }
                Some(_) => {}
            }
            task::cond_resched();
        }
        true
    }

    fn wake_thread(&self) {
        if self.work.has_waiters() {
            self.stats.wakeups.count();
            self.work.wake_all();
        }
    }

    fn is_work_for_thread(&self) -> bool {
        self.watch().is_some_and(|watch| {
            watch.is_over() || (self.reclaiming.load(Relaxed) && !watch.is_enough())
        })
    }
}

impl PagecacheHook for Limiter {
    #[inline(always)]
    fn check(&self, pages: usize) -> bool {
        self.limited.load(Relaxed) && self.budget.add_return(-signed(pages)) <= 0
    }

    fn insert(&self, growth: Growth) {
        // Near the limit a batch is `MIN_BATCH`: then this is what came since the last look.
        let left = self.budget.add_return(0);
        let inserted = MIN_BATCH + usize::try_from(-left).unwrap_or(0);
        let inserted = inserted.max(growth.pages);

        let watch = self.look();
        if self.groups.has_any() && !growth.kernel_file {
            // Far from the machine's limit it was a larger batch.
            let more = match watch {
                Some(_) => 0,
                None => MAX_BATCH_WITH_GROUPS - MIN_BATCH,
            };
            self.groups.insert(self, &growth, inserted + more);
        }
        let Some(watch) = watch else {
            return;
        };
        if !watch.settings.wants_thread() || watch.has_to_wait() {
            self.make_room(&growth, inserted, &watch);
        }
    }

    fn balance(&self, node: Node) {
        if !self.limited.load(Relaxed) || self.pool.is_exhausted() {
            return;
        }
        let Some(reclaimer) = self.pool.on(node) else {
            return;
        };
        // kswapd has its own work to do, so there is an end.
        for _ in 0..16 {
            let Some(watch) = self.watch().filter(Watch::is_over) else {
                return;
            };
            let pages = watch.excess().min(CHUNK);
            let order = watch.order(pages, pages * 4 + MIN_BATCH, Gfp::KERNEL);
            let stats = &self.stats;
            match self
                .pool
                .reclaim(stats, Reclaimer::Kswapd, reclaimer, &order)
            {
                Some(turn) if turn.freed > 0 => {}
                _ => return,
            }
        }
    }
}

impl Main for Limiter {
    fn run(&self, stop: &Stop) {
        while !stop.should_stop() {
            let _ = self
                .work
                .wait_in_thread(stop, None, || self.is_work_for_thread());
            if !self.shrink(Reclaimer::Thread, |_| !stop.should_stop()) {
                let _ = self
                    .work
                    .wait_in_thread(stop, Some(THREAD_REST), || !self.pool.is_exhausted());
            }
        }
    }
}

/// A number of pages, which is far from the largest one.
fn signed(pages: usize) -> i64 {
    pages as i64
}

impl Work for Limiter {
    fn run(&self) {
        self.is_hastened.store(false, Relaxed);
        let Some(watch) = self.watch() else {
            return;
        };
        if watch.settings.wants_thread() {
            return;
        }
        let mut is_done = !watch.is_over() && !self.reclaiming.load(Relaxed);
        if !is_done {
            is_done = self.shrink(Reclaimer::Worker, |_| !self.is_retired());
        }
        if !is_done || watch.may_rise() {
            self.trim.run_in(TRIM);
        }
    }
}
