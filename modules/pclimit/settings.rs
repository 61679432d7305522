// SPDX-License-Identifier: GPL-2.0

//! What the administrator set, and the rules between the settings.

use super::tk::memory;
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
};

/// The settings, as in the files of `/proc/sys/vm`.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// The limit in percent of the machine's memory; 0 if there is none of that kind.
    ratio: i32,
    /// How far reclaim goes: `reclaim_ratio - ratio` percent below the limit.
    reclaim_ratio: i32,
    /// The limit in bytes; 0 if there is none of that kind.
    bytes: usize,
    /// What of dirty pages doesn't count: nothing if 0, else one part in that many.
    pub(crate) ignore_dirty: i32,
    /// Whether slab memory doesn't count.
    pub(crate) ignore_slab: i32,
    /// Whether `kpclimitd` reclaims instead of those who insert: if above 0.
    pub(crate) r#async: i32,
    /// Kept for scripts that set it. Both kinds of limit, global and of cgroups, hold always.
    pub(crate) global: i32,
    /// Fruitless attempts for one cgroup before it counts as failed.
    pub(crate) retry_times: i32,
}

/// How much lower than the limit reclaim goes, in percent of the memory, unless it is set.
const DEFAULT_MARGIN: i32 = 2;

impl Settings {
    pub(crate) const DEFAULT: Self = Self {
        ratio: 0,
        reclaim_ratio: 0,
        bytes: 0,
        ignore_dirty: 1,
        ignore_slab: 1,
        r#async: 0,
        global: 1,
        retry_times: 5,
    };

    pub(crate) fn ratio(&self) -> i32 {
        self.ratio
    }

    pub(crate) fn reclaim_ratio(&self) -> i32 {
        self.reclaim_ratio
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.ratio > 0 || self.bytes > 0
    }

    /// Whether there is work for `kpclimitd`.
    pub(crate) fn wants_thread(&self) -> bool {
        self.is_limited() && self.r#async > 0
    }

    /// Sets the limit by a ratio, from 0 to 100. Ends one in bytes.
    pub(crate) fn set_ratio(&mut self, ratio: i32) -> Result {
        self.ratio = ratio;
        self.reclaim_ratio = if ratio == 0 {
            0
        } else {
            (ratio + DEFAULT_MARGIN).min(100)
        };
        self.bytes = 0;
        Ok(())
    }

    /// Sets the limit in bytes, at least a page. Ends one by a ratio.
    pub(crate) fn set_bytes(&mut self, bytes: usize) -> Result {
        if bytes > 0 && memory::bytes_to_pages(bytes) == 0 {
            return Err(EINVAL);
        }
        if bytes > 0 {
            self.ratio = 0;
            self.reclaim_ratio = 0;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// `EINVAL` without a ratio, or if it isn't at least [`DEFAULT_MARGIN`] above it.
    pub(crate) fn set_reclaim_ratio(&mut self, reclaim_ratio: i32) -> Result {
        if self.ratio == 0 || reclaim_ratio - self.ratio < DEFAULT_MARGIN {
            return Err(EINVAL);
        }
        self.reclaim_ratio = reclaim_ratio;
        Ok(())
    }

    /// `EINVAL` to switch it on without a limit.
    pub(crate) fn set_async(&mut self, value: i32) -> Result {
        if value > 0 && !self.is_limited() {
            return Err(EINVAL);
        }
        self.r#async = value;
        Ok(())
    }

    /// The limit for a machine of `total` pages, if there is one.
    pub(crate) fn limit(&self, total: usize) -> Option<Limit> {
        if self.bytes > 0 {
            let max = memory::bytes_to_pages(self.bytes);
            let margin = percent(total, DEFAULT_MARGIN).min(max / 8);
            return Some(Limit::new(max, margin));
        }
        if self.ratio > 0 {
            let max = percent(total, self.ratio);
            let margin = percent(total, self.reclaim_ratio).saturating_sub(max);
            return Some(Limit::new(max, margin));
        }
        None
    }
}

/// Numbers of pages.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    /// The limit.
    pub(crate) max: usize,
    /// Above this reclaim starts, a little below the limit: those who are on the way then may still
    /// get there.
    pub(crate) start: usize,
    /// There it stops.
    pub(crate) stop: usize,
}

impl Limit {
    /// With the margin between the limit and where reclaim stops.
    pub(crate) fn new(max: usize, margin: usize) -> Self {
        Self {
            max,
            start: max.saturating_sub(margin / 8),
            stop: max.saturating_sub(margin),
        }
    }

    /// Where all goes that has to for the limit: the margin may be all of it, but an eighth is enough
    /// to free much at a time.
    pub(crate) fn far(&self) -> usize {
        self.stop.max(self.max - self.max / 8)
    }

    /// Above this `kpclimitd` needs help.
    pub(crate) fn too_much(&self) -> usize {
        2 * self.max - self.stop
    }
}

fn percent(total: usize, percent: i32) -> usize {
    let percent = usize::try_from(percent).unwrap_or(0);
    // Without overflow, however large the machine.
    total / 100 * percent + total % 100 * percent / 100
}

/// The settings as insertions read them, which can't wait for who changes them, and have no time to
/// work anything out.
///
/// Each part is read by itself, so a reader may see some of before and some of after a change: it
/// then reclaims a little more or less, once.
pub(crate) struct Published {
    ratio: Atomic<i32>,
    reclaim_ratio: Atomic<i32>,
    bytes: Atomic<usize>,
    ignore_dirty: Atomic<i32>,
    retry_times: Atomic<i32>,
    /// The machine's memory that the limit was worked out for.
    total: Atomic<usize>,
    max: Atomic<usize>,
    margin: Atomic<usize>,
    flags: Atomic<u32>,
}

/// What a look at the page cache needs of the settings.
#[derive(Clone, Copy)]
pub(crate) struct Brief {
    ignore_dirty: i32,
    flags: u32,
}

const WANTS_THREAD: u32 = 1;
const COUNTS_SLAB: u32 = 2;

impl Brief {
    /// Whether `kpclimitd` reclaims.
    pub(crate) fn wants_thread(self) -> bool {
        self.flags & WANTS_THREAD != 0
    }

    /// Whether slab memory counts.
    pub(crate) fn counts_slab(self) -> bool {
        self.flags & COUNTS_SLAB != 0
    }

    /// Whether dirty pages count, at least in part, so that they have to be written.
    pub(crate) fn counts_dirty(self) -> bool {
        self.ignore_dirty != 1
    }

    /// One in so many dirty pages doesn't count; 0 if all do.
    pub(crate) fn ignored_dirty_part(self) -> usize {
        // As in the C original: unsigned, whatever was written.
        self.ignore_dirty as u32 as usize
    }
}

impl Published {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            ratio: Atomic::new(settings.ratio),
            reclaim_ratio: Atomic::new(settings.reclaim_ratio),
            bytes: Atomic::new(settings.bytes),
            ignore_dirty: Atomic::new(settings.ignore_dirty),
            retry_times: Atomic::new(settings.retry_times),
            total: Atomic::new(0),
            max: Atomic::new(0),
            margin: Atomic::new(0),
            flags: Atomic::new(0),
        }
    }

    pub(crate) fn store(&self, settings: &Settings) {
        self.ratio.store(settings.ratio, Relaxed);
        self.reclaim_ratio.store(settings.reclaim_ratio, Relaxed);
        self.bytes.store(settings.bytes, Relaxed);
        self.ignore_dirty.store(settings.ignore_dirty, Relaxed);
        self.retry_times.store(settings.retry_times, Relaxed);
        let mut flags = 0;
        if settings.wants_thread() {
            flags |= WANTS_THREAD;
        }
        if settings.ignore_slab == 0 {
            flags |= COUNTS_SLAB;
        }
        self.flags.store(flags, Relaxed);
        self.work_out(memory::total_pages());
    }

    pub(crate) fn brief(&self) -> Brief {
        Brief {
            ignore_dirty: self.ignore_dirty.load(Relaxed),
            flags: self.flags.load(Relaxed),
        }
    }

    /// The limit for a machine of `total` pages, if there is one.
    pub(crate) fn limit(&self, total: usize) -> Option<Limit> {
        // Memory came or went.
        if self.total.load(Relaxed) != total {
            self.work_out(total);
        }
        let max = self.max.load(Relaxed);
        (max > 0).then(|| Limit::new(max, self.margin.load(Relaxed)))
    }

    /// How many fruitless attempts for one cgroup are enough.
    pub(crate) fn retries(&self) -> usize {
        usize::try_from(self.retry_times.load(Relaxed)).unwrap_or(0)
    }

    fn work_out(&self, total: usize) {
        let settings = Settings {
            ratio: self.ratio.load(Relaxed),
            reclaim_ratio: self.reclaim_ratio.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            ..Settings::DEFAULT
        };
        let (max, margin) = settings
            .limit(total)
            .map_or((0, 0), |limit| (limit.max.max(1), limit.max - limit.stop));
        self.max.store(max, Relaxed);
        self.margin.store(margin, Relaxed);
        self.total.store(total, Relaxed);
    }
}
