// SPDX-License-Identifier: GPL-2.0

//! Reclaim on one node, by one task at a time.

use super::tk::{
    memcg::MemCgroup,
    memory::{
        Gfp,
        Node, //
    },
    reclaim::{
        Depth,
        Reclaimed,
        Request,
        Walk, //
    },
    wait_queue::{
        WaitQueue,
        Waited, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Mutex, //
    },
    time::Delta, //
};

/// How to reclaim.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    /// How many pages to free.
    pub(crate) pages: usize,
    /// How many pages to look at, at most.
    pub(crate) scan: usize,
    /// What may be freed in the end.
    pub(crate) deepest: Depth,
    /// Whether the limit is exceeded, so that there is no time to look everywhere before going
    /// deeper.
    pub(crate) urgent: bool,
    /// Whether slab caches shrink as well.
    pub(crate) slab: bool,
    /// What the caller may do.
    pub(crate) gfp: Gfp,
}

impl Order {
    /// Whether it makes room far ahead of the limit, where what programs have mapped stays.
    pub(crate) fn spares_mapped(&self) -> bool {
        self.deepest < Depth::Mapped
    }
}

/// Why there is nothing to free.
#[derive(Clone, Copy)]
pub(crate) enum Reason {
    /// All was looked at, as deep as allowed, and hardly anything could be freed.
    Nothing,
    /// What was found is dirty, or being written.
    Disk,
}

/// What came of it.
pub(crate) enum Outcome {
    /// Reclaim was tried.
    Done {
        result: Reclaimed,
        /// Why there is no use in going on at once.
        exhausted: Option<Reason>,
    },
    /// Somebody else reclaims on this node.
    Busy,
}

/// The reclaimer of a node.
///
/// Freeing begins with what is cold and goes deeper only when all of the node was looked at and
/// gave next to nothing. It comes back to the cold as soon as that gives something again.
#[pin_data]
pub(crate) struct NodeReclaimer {
    node: Node,
    #[pin]
    state: Mutex<State>,
    /// When who has that began, in nanoseconds as its callers count them; 0 if nobody has.
    begun: Atomic<i64>,
    /// For who comes by while that one waits for a CPU.
    #[pin]
    beside: Mutex<State>,
    /// Where those wait who found it busy.
    #[pin]
    free: WaitQueue,
}

struct State {
    walk: Walk,
    depth: Depth,
    /// Pages looked at, tried, and freed, since the depth was chosen or gave enough.
    scanned: usize,
    taken: usize,
    freed: usize,
    /// Dirty pages that may be looked at.
    dirty_left: usize,
    /// Empty turns of the walk in a row.
    empty_turns: u32,
    /// Orders done at this depth.
    orders: u32,
    /// Orders after which the cold is tried again.
    patience: u32,
    /// The same, after the next time that it goes deeper in haste.
    haste: u32,
}

/// Less than one in so many of the pages that were tried is next to nothing.
const POOR: usize = 16;

/// Pages that have to be tried at least before a depth is given up.
const MIN_TRIED: usize = 1024;

/// The same, if the limit is exceeded: a few of the largest folios, one of which somebody may be reading
/// just now.
const MIN_TRIED_URGENTLY: usize = 2048;

/// Dirty pages that are looked at, after all were, before the disk is left to itself again.
const MIN_DIRTY: usize = 256;

/// Orders after which a deep reclaimer tries the cold again, at first, and when that was in vain each
/// time.
const PATIENCE: u32 = 16;
const MAX_PATIENCE: u32 = 1024;

/// The same for one that went deep in haste: what it found in vain says little of the rest.
const HASTE: u32 = 2;

/// Many times what an insertion's order takes.
pub(crate) const LONG: Delta = Delta::from_millis(2);

impl NodeReclaimer {
    pub(crate) fn new(node: Node, root: Option<ARef<MemCgroup>>) -> impl PinInit<Self> {
        let state = State::new(Walk::new(node, root.clone()));
        let beside = State::new(Walk::new(node, root));
        pin_init!(Self {
            node,
            state <- new_mutex!(state),
            begun: Atomic::new(0),
            beside <- new_mutex!(beside),
            free <- WaitQueue::new(),
        })
    }

    pub(crate) fn node(&self) -> Node {
        self.node
    }

    /// Carries an order out, unless somebody else is at it. `size` says how much there is. May sleep
    /// if the order's gfp allows it.
    pub(crate) fn reclaim(&self, order: &Order, now: Delta, size: impl Fn() -> usize) -> Outcome {
        let Some(mut state) = self.state.try_lock() else {
            return Outcome::Busy;
        };
        self.begun.store(now.as_nanos(), Relaxed);
        let outcome = state.carry_out(order, size);
        self.begun.store(0, Relaxed);
        drop(state);
        if self.free.has_waiters() {
            self.free.wake_one();
        }
        outcome
    }

    /// The same, but beside somebody who has been at it for so long that most likely he waits for a
    /// CPU. There may be one who does this at a time.
    pub(crate) fn reclaim_beside(
        &self,
        order: &Order,
        now: Delta,
        size: impl Fn() -> usize,
    ) -> Outcome {
        let begun = self.begun.load(Relaxed);
        if begun == 0 || now.as_nanos() - begun < LONG.as_nanos() {
            return Outcome::Busy;
        }
        match self.beside.try_lock() {
            Some(mut state) => state.carry_out(order, size),
            None => Outcome::Busy,
        }
    }

    /// Waits until nobody is at it, but not longer than `timeout`. May sleep.
    pub(crate) fn wait(&self, timeout: Delta) -> Waited {
        self.free
            .wait_briefly(timeout, || self.state.try_lock().is_some())
    }

    /// Waits until the condition is true, which is looked at when an order was done, and at the end,
    /// but not longer than `timeout`. May sleep.
    pub(crate) fn wait_until(&self, timeout: Delta, condition: impl FnMut() -> bool) -> Waited {
        self.free.wait_killable(Some(timeout), condition)
    }

    /// Forgets where it was.
    pub(crate) fn rest(&self) {
        for state in [&self.state, &self.beside] {
            let mut state = state.lock();
            state.walk.rest();
            state.go_to(Depth::Cold);
        }
    }
}

impl State {
    fn new(walk: Walk) -> Self {
        Self {
            walk,
            depth: Depth::Cold,
            scanned: 0,
            taken: 0,
            freed: 0,
            dirty_left: usize::MAX,
            empty_turns: 0,
            orders: 0,
            patience: PATIENCE,
            haste: HASTE,
        }
    }

    fn carry_out(&mut self, order: &Order, size: impl Fn() -> usize) -> Outcome {
        self.orders += 1;
        if self.depth > order.deepest || self.is_time_for_the_cold() {
            self.go_to(Depth::Cold);
        }
        let mut total = Reclaimed::default();
        loop {
            let result = self.walk.reclaim(&Request {
                free: order.pages - total.freed,
                scan: order.scan - total.scanned,
                depth: self.depth,
                slab: order.slab,
                gfp: order.gfp,
            });
            total.freed += result.freed;
            total.scanned += result.scanned;
            total.taken += result.taken;
            total.dirty += result.dirty;
            total.turns += result.turns;
            let exhausted = if self.learn(&result, &size) && !self.go_deeper(order.deepest) {
                Some(Reason::Nothing)
            } else if self.is_held_by_disk(&result, &size) {
                Some(Reason::Disk)
            } else {
                None
            };
            if exhausted.is_none() && order.urgent && self.looks_vain() {
                self.go_deeper_in_haste(order.deepest);
            }
            if exhausted.is_some() || total.freed >= order.pages || total.scanned >= order.scan {
                return Outcome::Done {
                    result: total,
                    exhausted,
                };
            }
            // The primitive ended early: at the end of a turn, or for want of cgroups to look at.
            if result.scanned == 0 && result.turns == 0 {
                return Outcome::Done {
                    result: total,
                    exhausted: None,
                };
            }
        }
    }

    /// Whether this depth has nothing more to give.
    fn learn(&mut self, result: &Reclaimed, size: impl Fn() -> usize) -> bool {
        self.scanned += result.scanned;
        self.taken += result.tried();
        self.freed += result.freed;
        if result.scanned > 0 {
            self.empty_turns = 0;
        } else {
            self.empty_turns += result.turns;
        }
        if self.freed > 0 && self.freed * POOR >= self.taken {
            if self.depth == Depth::Cold {
                self.patience = PATIENCE;
                self.haste = HASTE;
            }
            // What counts is what comes from now on.
            self.scanned = 0;
            self.taken = 0;
            self.freed = 0;
            return false;
        }
        // What is looked at and not tried was used again, and is out of the way for a while: there
        // may be much of it in one place.
        if self.empty_turns >= 2 {
            return true;
        }
        if self.scanned < MIN_TRIED {
            return false;
        }
        let size = size();
        // Mapped folios are spared the first time if they were used, and taken the second.
        let enough = if self.depth >= Depth::Mapped {
            size * 2
        } else {
            size / 8
        };
        self.taken >= MIN_TRIED.max(enough) || self.scanned >= MIN_TRIED.max(size * 3)
    }

    /// Whether there is little hope that this depth gives enough, when there is no time to be sure.
    fn looks_vain(&self) -> bool {
        self.taken >= MIN_TRIED_URGENTLY
    }

    /// Whether so much was dirty, or being written, that to look at it again and again doesn't help:
    /// what the disk has goes first to where reclaim looks first.
    ///
    /// After a look at as much as there is, there is a look at so many for each page freed.
    fn is_held_by_disk(&mut self, result: &Reclaimed, size: impl Fn() -> usize) -> bool {
        self.dirty_left = self.dirty_left.saturating_add(result.freed * POOR);
        if result.dirty > 0 {
            let most = MIN_TRIED.max(size());
            self.dirty_left = self.dirty_left.min(most).saturating_sub(result.dirty);
        }
        let is_held = self.dirty_left == 0;
        if is_held {
            self.dirty_left = MIN_DIRTY;
        }
        is_held
    }

    /// Whether it has been deep for long.
    fn is_time_for_the_cold(&self) -> bool {
        self.depth > Depth::Cold && self.orders > self.patience
    }

    /// Goes one deeper, if that is allowed.
    fn go_deeper(&mut self, deepest: Depth) -> bool {
        let next = match self.depth {
            Depth::Cold => Depth::Active,
            Depth::Active => Depth::Mapped,
            Depth::Mapped | Depth::Dirty => Depth::Dirty,
        };
        if next == self.depth || next > deepest {
            self.go_to(Depth::Cold);
            return false;
        }
        if self.depth == Depth::Cold {
            self.patience = (self.patience * 2).clamp(PATIENCE * 2, MAX_PATIENCE);
        }
        self.go_to(next);
        true
    }

    /// The same, but stays where it is otherwise, and is soon back.
    fn go_deeper_in_haste(&mut self, deepest: Depth) {
        if self.depth < deepest.min(Depth::Mapped) {
            let is_cold = self.depth == Depth::Cold;
            self.go_deeper(deepest);
            if is_cold {
                self.patience = self.haste;
                self.haste = (self.haste * 2).min(PATIENCE);
            }
        }
    }

    fn go_to(&mut self, depth: Depth) {
        self.depth = depth;
        self.scanned = 0;
        self.taken = 0;
        self.freed = 0;
        self.empty_turns = 0;
        self.orders = 0;
    }
}
