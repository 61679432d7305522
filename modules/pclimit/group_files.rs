// SPDX-License-Identifier: GPL-2.0

//! The files `memory.pagecache.*` in each cgroup.

use super::{
    groups::{
        DEFAULT_RECLAIM_RATIO,
        NO_RATIO, //
    },
    limiter::Limiter,
    tk::{
        cgroup_files::{
            CgroupEnd,
            CgroupFiles,
            File, //
        },
        memcg::MemCgroup,
        memory::{
            pages_to_bytes,
            Node, //
        },
    },
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    seq_print, //
};

impl CgroupFiles for Limiter {
    const FILES: &'static [File<Self>] = &[
        File::number(c"pagecache.max_ratio", show_max_ratio, set_max_ratio),
        File::number(
            c"pagecache.reclaim_ratio",
            show_reclaim_ratio,
            set_reclaim_ratio,
        ),
        File::read_only(c"pagecache.current", show_current),
        File::read_only(c"pagecache.events", show_events),
    ];
}

impl CgroupEnd for Limiter {
    fn removed(&self, cgroup_id: u64) {
        if self.groups().has_any() && self.groups().remove(cgroup_id) {
            self.limits_changed();
        }
    }
}

fn show_max_ratio(limiter: &Limiter, memcg: &MemCgroup, text: &SeqFile) -> Result {
    let group = limiter.groups().get(memcg);
    let ratio = group.map_or(NO_RATIO, |group| group.max_ratio());
    seq_print!(text, "{ratio}\n");
    Ok(())
}

/// From 5 to 100 percent of `memory.max`; 100 is no limit. `EPERM` if there is no `memory.max`.
fn set_max_ratio(limiter: &Limiter, memcg: &MemCgroup, ratio: u64) -> Result {
    let ratio = u32::try_from(ratio).map_err(|_| EINVAL)?;
    if !(5..=NO_RATIO).contains(&ratio) {
        return Err(EINVAL);
    }
    if memcg.is_unlimited() {
        return Err(EPERM);
    }
    limiter.groups().get_or_add(memcg)?.set_max_ratio(ratio);
    limiter.limits_changed();
    limiter.settle_group(memcg)
}

fn show_reclaim_ratio(limiter: &Limiter, memcg: &MemCgroup, text: &SeqFile) -> Result {
    let group = limiter.groups().get(memcg);
    let ratio = group.map_or(DEFAULT_RECLAIM_RATIO, |group| group.reclaim_ratio());
    seq_print!(text, "{ratio}\n");
    Ok(())
}

/// From 1 to 99 percent of the limit; 100 drops the cgroup's cache once, and isn't stored.
fn set_reclaim_ratio(limiter: &Limiter, memcg: &MemCgroup, ratio: u64) -> Result {
    match u32::try_from(ratio).map_err(|_| EINVAL)? {
        ratio @ 1..=99 => {
            limiter.groups().get_or_add(memcg)?.set_reclaim_ratio(ratio);
            limiter.limits_changed();
            limiter.settle_group(memcg)
        }
        100 => limiter.drop_cache(memcg),
        _ => Err(EINVAL),
    }
}

fn show_current(_: &Limiter, memcg: &MemCgroup, text: &SeqFile) -> Result {
    let pages: usize = Node::all().map(|node| memcg.file_pages(node)).sum();
    seq_print!(text, "{}\n", pages_to_bytes(pages));
    Ok(())
}

fn show_events(limiter: &Limiter, memcg: &MemCgroup, text: &SeqFile) -> Result {
    let group = limiter.groups().get(memcg);
    let (max, fail) = group.map_or((0, 0), |group| {
        let events = group.events();
        (events.max.get(), events.fail.get())
    });
    seq_print!(text, "pagecache_max {max}\npagecache_fail {fail}\n");
    Ok(())
}
