// SPDX-License-Identifier: GPL-2.0

//! A hash table that is read under RCU and grows and shrinks with its contents.
//!
//! Looking up costs a multiplication and, in the usual case of a key that isn't there, one or two
//! loads, however many entries there are: there are at least four times as many buckets, so that
//! most are empty. It takes no lock and may happen in any context.
//! Changing the table takes a mutex and may sleep. Entries don't change once they are in: a change
//! is a new entry in place of the old one, and readers see the one or the other.
//!
//! # How it resizes under readers
//!
//! Each entry has two link fields. One bucket array links the entries through the first, the array
//! that replaces it through the second, the next one through the first again. So a new array is
//! complete before readers see it, and those still in the old one aren't led astray. A field may
//! be reused when nobody can be in the array before the last any more. If that isn't so yet, who
//! makes a table grow waits for it, once for each doubling at most; shrinking is left to a later
//! change.

use super::{
    atomic::peek,
    bindings,
    rcu::{
        RcuBox,
        ReadSide, //
    },
};
use kernel::{
    alloc::KVVec,
    ffi::c_ulong,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Release, //
        },
        lock::mutex::MutexGuard,
        rcu,
        Mutex, //
    },
};

/// What can be in a table.
pub(crate) trait Entry: Send + Sync + 'static {
    /// The key, the same as long as the entry lives.
    fn key(&self) -> usize;
}

type Link<V> = Atomic<*mut RcuBox<Node<V>>>;

struct Node<V> {
    next: [Link<V>; 2],
    key: usize,
    value: V,
}

/// # Invariants
///
/// `heads` has a power of two of elements, at least [`Buckets::MIN`], and `shift` is 64 less the
/// power.
struct Buckets<V> {
    heads: KVVec<Link<V>>,
    shift: u32,
    /// Which of the links of the nodes this array uses.
    which: usize,
}

impl<V: Entry> Buckets<V> {
    const MIN: usize = 64;

    /// Buckets for an entry, at least; at most eight times as many, before the array shrinks.
    const SPARSE: usize = 4;

    fn new(entries: usize, which: usize) -> Result<KBox<RcuBox<Self>>> {
        let len = (2 * Self::SPARSE * entries)
            .next_power_of_two()
            .max(Self::MIN);
        let mut heads = KVVec::with_capacity(len, GFP_KERNEL)?;
        for _ in 0..len {
            heads.push(Atomic::new(core::ptr::null_mut()), GFP_KERNEL)?;
        }
        // INVARIANT: `len` was rounded up to a power of two.
        RcuBox::new(Self {
            heads,
            shift: u64::BITS - len.ilog2(),
            which,
        })
    }

    #[inline(always)]
    fn head(&self, key: usize) -> &Link<V> {
        // Fibonacci hashing: the top bits of the product depend on all bits of the key.
        let hash = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let index = hash.wrapping_shr(self.shift) as usize;
        // SAFETY: By the type's invariant a 64-bit number shifted by `shift` is less than the
        // number of heads.
        unsafe { self.heads.get_unchecked(index) }
    }

    #[inline(always)]
    fn next<'a>(&self, node: &'a Node<V>) -> &'a Link<V> {
        &node.next[self.which & 1]
    }
}

/// Reads a pointer that readers follow, as `rcu_dereference()` does.
#[inline(always)]
fn follow<T>(link: &Atomic<*mut T>) -> *mut T {
    // What it leads to is ordered by the address dependency.
    peek(link)
}

/// What only writers need.
struct Writers<S> {
    len: usize,
    /// Grace period after which no reader is in an array before the current one.
    grace_period: c_ulong,
    state: S,
}

/// The table: entries of type `V`, and a state `S` that changes only together with them.
///
/// # Invariants
///
/// - `buckets` points to a value from [`Buckets::new`] that is freed after a grace period, and
///   only by who replaced it with the mutex held.
/// - Each node that a link of it leads to came from [`RcuBox::new`] and is freed after a grace
///   period that began when no link led to it any more.
#[pin_data(PinnedDrop)]
pub(crate) struct RcuTable<V: Entry, S: Send + Unpin + 'static> {
    buckets: Atomic<*mut RcuBox<Buckets<V>>>,
    #[pin]
    writers: Mutex<Writers<S>>,
}

// SAFETY: The table owns its entries, which are `Send` and `Sync`, and lends them to readers on
// any thread.
unsafe impl<V: Entry, S: Send + Unpin> Send for RcuTable<V, S> {}
// SAFETY: As above; changes are made under the mutex.
unsafe impl<V: Entry, S: Send + Unpin> Sync for RcuTable<V, S> {}

impl<V: Entry, S: Send + Unpin + 'static> RcuTable<V, S> {
    /// Creates an empty table.
    pub(crate) fn new(state: S) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: A new array that leads nowhere.
            buckets: Atomic::new(KBox::into_raw(Buckets::new(0, 0)?)),
            writers <- new_mutex!(Writers {
                len: 0,
                // SAFETY: No requirements. No array was replaced yet, any state will do.
                grace_period: unsafe { bindings::get_state_synchronize_rcu() },
                state,
            }),
        })
    }

    #[inline(always)]
    fn buckets<'a>(&self, _evidence: &'a impl ReadSide) -> &'a Buckets<V> {
        // SAFETY: By the invariant the array isn't freed before the read side ends.
        unsafe { &(*follow(&self.buckets)).value }
    }

    /// Looks a key up.
    #[inline(always)]
    pub(crate) fn get<'a>(&'a self, key: usize, read_side: &'a impl ReadSide) -> Option<&'a V> {
        let buckets = self.buckets(read_side);
        let mut link = buckets.head(key);
        loop {
            // SAFETY: By the invariant a node that a link leads to isn't freed before the read
            // side ends, and it doesn't change but for its links.
            let node = &unsafe { follow(link).as_ref() }?.value;
            if node.key == key {
                return Some(&node.value);
            }
            link = buckets.next(node);
        }
    }

    /// Keeps all others from changing the table. May sleep.
    pub(crate) fn lock(&self) -> Writer<'_, V, S> {
        Writer {
            table: self,
            writers: self.writers.lock(),
        }
    }
}

#[pinned_drop]
impl<V: Entry, S: Send + Unpin + 'static> PinnedDrop for RcuTable<V, S> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Nobody else has the table, so there are no readers and writers. By the
        // invariant the array and each node came from boxes, and each node is in the array once.
        unsafe {
            let buckets = KBox::from_raw(follow(&self.buckets));
            for head in buckets.value.heads.iter() {
                let mut node = follow(head);
                while !node.is_null() {
                    let next = follow(buckets.value.next(&(*node).value));
                    drop(KBox::from_raw(node));
                    node = next;
                }
            }
        }
        // What was removed earlier may still wait for its grace period, and then for code of this
        // module.
        rcu::rcu_barrier();
    }
}

/// The right to change a table.
pub(crate) struct Writer<'a, V: Entry, S: Send + Unpin + 'static> {
    table: &'a RcuTable<V, S>,
    writers: MutexGuard<'a, Writers<S>>,
}

impl<'a, V: Entry, S: Send + Unpin + 'static> Writer<'a, V, S> {
    /// The state that belongs to the table.
    pub(crate) fn state(&mut self) -> &mut S {
        &mut self.writers.state
    }

    fn buckets(&self) -> &'a Buckets<V> {
        // SAFETY: The array is replaced only with the mutex held, which `self` holds, and it isn't
        // freed at once: `resize()` is the last thing that a change does with it.
        unsafe { &(*follow(&self.table.buckets)).value }
    }

    /// The link that leads to `key`, or the last one of its chain.
    fn link(&self, key: usize) -> &'a Link<V> {
        let buckets = self.buckets();
        let mut link = buckets.head(key);
        // SAFETY: Nodes are freed only after they were removed with the mutex held, which `self`
        // holds.
        while let Some(node) = unsafe { follow(link).as_ref() } {
            if node.value.key == key {
                break;
            }
            link = buckets.next(&node.value);
        }
        link
    }

    /// Looks a key up.
    pub(crate) fn get(&self, key: usize) -> Option<&V> {
        // SAFETY: As in `link()`; and no entry can be removed while `self` is borrowed.
        Some(unsafe { &follow(self.link(key)).as_ref()?.value.value })
    }

    /// Adds an entry, in place of the one with the same key if there is one.
    ///
    /// Fails only for lack of memory, and then changes nothing.
    pub(crate) fn put(&mut self, value: V) -> Result {
        let key = value.key();
        let node = KBox::into_raw(RcuBox::new(Node {
            next: [const { Atomic::new(core::ptr::null_mut()) }; 2],
            key,
            value,
        })?);
        let link = self.link(key);
        let old = follow(link);

        // SAFETY: `node` is a new one, `old` is null or a node that the mutex keeps.
        unsafe {
            if let Some(old) = old.as_ref() {
                let buckets = self.buckets();
                buckets
                    .next(&(*node).value)
                    .store(follow(buckets.next(&old.value)), Release);
            }
        }
        link.store(node, Release);

        if old.is_null() {
            self.writers.len += 1;
            self.resize();
        } else {
            // SAFETY: It came from a box, and the link that led to it was changed above; a link of
            // the array before this one is out of reach for new readers.
            RcuBox::drop_after_grace_period(unsafe { KBox::from_raw(old) });
        }
        Ok(())
    }

    /// Removes the entry of a key and tells whether there was one.
    pub(crate) fn remove(&mut self, key: usize) -> bool {
        let link = self.link(key);
        let node = follow(link);
        if node.is_null() {
            return false;
        }
        // SAFETY: The node is in the table, and the mutex keeps it there.
        let next = follow(self.buckets().next(unsafe { &(*node).value }));
        link.store(next, Release);
        // SAFETY: It came from a box, and no link of the current array leads to it any more; one
        // of the array before is out of reach for new readers.
        RcuBox::drop_after_grace_period(unsafe { KBox::from_raw(node) });

        self.writers.len -= 1;
        self.resize();
        true
    }

    /// Goes to more or fewer buckets if there are too few or by far too many.
    fn resize(&mut self) {
        let old = self.buckets();
        let wanted = self.writers.len * Buckets::<V>::SPARSE;
        let buckets = old.heads.len();
        if wanted <= buckets && (wanted >= buckets / 8 || buckets == Buckets::<V>::MIN) {
            return;
        }
        // SAFETY: The number came from `get_state_synchronize_rcu()` or from starting to poll.
        let is_free = unsafe { bindings::poll_state_synchronize_rcu(self.writers.grace_period) };
        if !is_free {
            if wanted < buckets {
                return;
            }
            // SAFETY: As above, and writers may sleep.
            unsafe { bindings::cond_synchronize_rcu(self.writers.grace_period) };
        }
        // A table that is too small or too large is still right.
        let Ok(new) = Buckets::new(self.writers.len, 1 - (old.which & 1)) else {
            return;
        };

        for head in old.heads.iter() {
            let mut node = follow(head);
            // SAFETY: The mutex keeps the nodes. Their other link is free: the last readers that
            // might have used it have left, as the grace period tells.
            while let Some(this) = unsafe { node.as_ref() } {
                let head = new.value.head(this.value.key);
                new.value.next(&this.value).store(follow(head), Release);
                head.store(node, Release);
                node = follow(old.next(&this.value));
            }
        }

        let previous = follow(&self.table.buckets);
        self.table.buckets.store(KBox::into_raw(new), Release);
        // SAFETY: It came from a box and was replaced just now, by the holder of the mutex.
        RcuBox::drop_after_grace_period(unsafe { KBox::from_raw(previous) });
        // SAFETY: No requirements.
        self.writers.grace_period = unsafe { bindings::start_poll_synchronize_rcu() };
    }
}
