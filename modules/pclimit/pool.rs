// SPDX-License-Identifier: GPL-2.0

//! Page cache that has one limit: the machine's, or that of a cgroup and those below it.

use super::{
    reclaimer::{
        NodeReclaimer,
        Order,
        Outcome,
        Reason, //
    },
    stats::{
        Reclaimer,
        Stats, //
    },
    tk::{
        hooks::pagecache::Growth,
        memcg::MemCgroup,
        memory::Node,
        task,
        wait_queue::Waited, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How long an insertion waits for another task that reclaims, where the limit is at stake.
pub(crate) const BUSY_WAIT: Delta = Delta::from_millis(4);

/// How long an insertion waits for the disk at most, and how often it looks.
const DISK_WAIT: Delta = Delta::from_millis(1000);
const DISK_STEP: Delta = Delta::from_millis(10);

/// How long nobody tries again after there was nothing to free.
const EXHAUSTED: Delta = Delta::from_millis(10);

/// Unless so many pages were inserted meanwhile: those can be freed, whatever was there before.
const NEWS: i64 = 1024;

/// How long nobody tries again, if the disk is at it.
const DISK_REST: Delta = Delta::from_millis(3);

/// How long the worker reclaims for all after more than one wanted to.
const CROWDED: Delta = Delta::from_millis(20);

/// What insertions owe is kept in parts of a page: each owes a little more than it inserted, so
/// that usage comes down to where reclaim stops.
const PARTS: i64 = 512;
const SURPLUS: i64 = 1;

/// Fewer pages than this are left for the next one to free.
const WORTH_WHILE: usize = 16;

/// No more than so many pages are paid in advance, as when a large folio was freed.
const MAX_CREDIT: i64 = 1024;

/// What came of one order.
pub(crate) struct Turn {
    /// Pages.
    pub(crate) freed: usize,
    /// How long it took.
    pub(crate) time: Delta,
    /// Whether that was all that the order lets be freed.
    pub(crate) is_all: bool,
}

/// A reclaimer for each node.
pub(crate) struct Pool {
    nodes: KVec<Pin<KBox<NodeReclaimer>>>,
    root: Option<ARef<MemCgroup>>,
    /// What was inserted above the limit and not yet made room for.
    owed: Atomic<i64>,
    /// No earlier than this, counted from `since` in nanoseconds, is reclaim tried again.
    exhausted_until: Atomic<i64>,
    /// Pages that may be inserted until then before it is tried again all the same.
    news: Atomic<i64>,
    /// Until then more than one want to reclaim.
    crowded_until: Atomic<i64>,
    since: Instant<Monotonic>,
}

impl Pool {
    /// Of all cgroups, or of `root` and those below.
    pub(crate) fn new(root: Option<ARef<MemCgroup>>) -> Result<Self> {
        let mut nodes = KVec::new();
        for node in Node::possible() {
            let reclaimer = NodeReclaimer::new(node, root.clone());
            nodes.push(KBox::pin_init(reclaimer, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Self {
            nodes,
            root,
            owed: Atomic::new(0),
            exhausted_until: Atomic::new(0),
            news: Atomic::new(0),
            crowded_until: Atomic::new(0),
            since: Instant::now(),
        })
    }

    /// How much page cache there is on a node.
    fn pages_on(&self, node: Node) -> usize {
        match &self.root {
            None => node.file_pages(),
            Some(root) => root.file_pages(node),
        }
    }

    /// How much page cache there is on all nodes. May sleep.
    pub(crate) fn pages(&self) -> usize {
        Node::all().map(|node| self.pages_on(node)).sum()
    }

    /// The node with most page cache.
    pub(crate) fn fullest(&self) -> Option<&NodeReclaimer> {
        // With one node there is nothing to count.
        if let [only] = &self.nodes[..] {
            return Some(only);
        }
        self.on(Node::all().max_by_key(|&node| self.pages_on(node))?)
    }

    /// The reclaimer of a node.
    pub(crate) fn on(&self, node: Node) -> Option<&NodeReclaimer> {
        self.nodes
            .iter()
            .find(|reclaimer| reclaimer.node() == node)
            .map(|reclaimer| &**reclaimer)
    }

    /// Whether there was nothing to free a moment ago.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_before(&self.exhausted_until)
    }

    /// The same, for who inserts so many pages.
    pub(crate) fn is_exhausted_for(&self, inserted: usize) -> bool {
        if !self.is_exhausted() {
            return false;
        }
        let inserted = inserted as i64;
        if self.news.fetch_sub(inserted, Relaxed) > inserted {
            return true;
        }
        self.exhausted_until.store(0, Relaxed);
        false
    }

    /// Whether more than one wanted to reclaim a moment ago.
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_before(&self.crowded_until)
    }

    /// More than one want to.
    pub(crate) fn is_a_crowd(&self) {
        let until = self.since.elapsed() + CROWDED;
        self.crowded_until.store(until.as_nanos(), Relaxed);
    }

    fn is_before(&self, until: &Atomic<i64>) -> bool {
        // Nearly always there is no need to ask for the time.
        let until = until.load(Relaxed);
        until > 0 && self.since.elapsed().as_nanos() < until
    }

    /// Forgets what is owed, and that there was nothing to free.
    pub(crate) fn renew(&self) {
        self.exhausted_until.store(0, Relaxed);
        self.forgive();
    }

    /// Forgets what is owed, since usage is low enough.
    pub(crate) fn forgive(&self) {
        self.owed.store(0, Relaxed);
    }

    /// Owes what was inserted, and what others still owe. Returns the pages that are due now, if it
    /// is worth while.
    pub(crate) fn owe(&self, inserted: usize) -> Option<usize> {
        let more = inserted as i64 * (PARTS + SURPLUS);
        let due = (self.owed.fetch_add(more, Relaxed) + more) / PARTS;
        usize::try_from(due).ok().filter(|&due| due >= WORTH_WHILE)
    }

    fn paid(&self, pages: usize) {
        let paid = pages as i64 * PARTS;
        let before = self.owed.fetch_sub(paid, Relaxed);
        let least = -MAX_CREDIT * PARTS;
        if before - paid < least {
            self.owed.store(least, Relaxed);
        }
    }

    /// Forgets where the walks were.
    pub(crate) fn rest(&self) {
        for node in &self.nodes {
            node.rest();
        }
    }

    /// Reclaims on a node, and says what came of it; [`None`] if somebody else does.
    pub(crate) fn reclaim(
        &self,
        stats: &Stats,
        who: Reclaimer,
        node: &NodeReclaimer,
        order: &Order,
    ) -> Option<Turn> {
        let start = Instant::<Monotonic>::now();
        let now = start - self.since;
        let size = || self.pages_on(node.node());
        let mut outcome = node.reclaim(order, now, size);
        if let (Outcome::Busy, Reclaimer::Worker | Reclaimer::Thread) = (&outcome, who) {
            outcome = node.reclaim_beside(order, now, size);
        }
        match outcome {
            Outcome::Busy => None,
            Outcome::Done { result, exhausted } => {
                stats.reclaimed(who, &result);
                if let Reclaimer::Insert = who {
                    self.paid(result.freed);
                }
                let end = Instant::<Monotonic>::now();
                let time = end - start;
                stats.reclaim.record(time);
                let rest = match exhausted {
                    None => None,
                    Some(Reason::Disk) => Some((DISK_REST, i64::MAX)),
                    // What stays is below the limit, and there is more for those who get above it.
                    Some(Reason::Nothing) if order.spares_mapped() => None,
                    Some(Reason::Nothing) => Some((EXHAUSTED, NEWS)),
                };
                if let Some((rest, news)) = rest {
                    stats.failures.count();
                    let until = end - self.since + rest;
                    self.news.store(news, Relaxed);
                    self.exhausted_until.store(until.as_nanos(), Relaxed);
                }
                Some(Turn {
                    freed: result.freed,
                    time,
                    is_all: exhausted.is_some(),
                })
            }
        }
    }

    /// Reclaims for an insertion, unless somebody else is at it.
    pub(crate) fn pay(&self, stats: &Stats, growth: &Growth, order: &Order) -> Option<Turn> {
        let fullest = self.fullest()?;
        let paid = self.reclaim(stats, Reclaimer::Insert, fullest, order);
        if paid.is_some() || fullest.node() == growth.node {
            return paid;
        }
        // Where the folio is, there may be page cache too.
        self.reclaim(stats, Reclaimer::Insert, self.on(growth.node)?, order)
    }

    /// Waits for a moment for who is at it, and then reclaims if `is_over` still says so. Returns how
    /// long that took.
    pub(crate) fn pay_after(
        &self,
        stats: &Stats,
        order: &Order,
        is_over: impl Fn() -> bool,
    ) -> Delta {
        let Some(fullest) = self.fullest() else {
            return Delta::ZERO;
        };
        let start = Instant::<Monotonic>::now();
        let waited = fullest.wait(BUSY_WAIT);
        stats.busy_waits.record(start.elapsed());
        // The other one may have done enough.
        if waited == Waited::Ready && is_over() {
            self.reclaim(stats, Reclaimer::Insert, fullest, order);
        }
        start.elapsed()
    }

    /// Holds a program that makes pages dirty faster than the disk takes them, until `is_over` says
    /// no more. Returns for how long.
    pub(crate) fn hold(
        &self,
        stats: &Stats,
        growth: &Growth,
        order: &Order,
        is_over: impl Fn() -> bool,
    ) -> Delta {
        // Not in a page fault: others may need the memory map, such as ps(1).
        let gfp = growth.gfp;
        if !gfp.is_for_write() || !gfp.may_do_io() || !task::is_user_task() {
            return Delta::ZERO;
        }
        let Some(fullest) = self.fullest() else {
            return Delta::ZERO;
        };
        let start = Instant::<Monotonic>::now();
        while start.elapsed() < DISK_WAIT {
            if fullest.wait_until(DISK_STEP, || !is_over()) != Waited::TimedOut {
                break;
            }
            // What was written meanwhile can go, and the flusher threads hear of it again.
            self.reclaim(stats, Reclaimer::Insert, fullest, order);
        }
        let held = start.elapsed();
        stats.dirty_waits.record(held);
        held
    }
}
