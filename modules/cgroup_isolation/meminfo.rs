// SPDX-License-Identifier: GPL-2.0

//! `/proc/meminfo`, line by line as `fs/proc/meminfo.c` of this kernel has it.

use super::{
    memory::{
        self,
        Memory, //
    },
    tk::{
        machine,
        memcg::{
            Item,
            MemCgroup, //
        },
        text::Text, //
    },
};
use kernel::page::PAGE_SIZE;

/// Writes all lines but those about huge pages and of the architecture.
pub(crate) fn show(memcg: &MemCgroup, text: &mut Text<'_>) {
    memcg.flush();
    let memory = Memory::of(memcg);
    let get = |item| memcg.get(item);
    let lru = [
        Item::ActiveAnon,
        Item::InactiveAnon,
        Item::ActiveFile,
        Item::InactiveFile,
    ]
    .map(get);
    let [active_anon, inactive_anon, active_file, inactive_file] = lru;
    let swap_cache = get(Item::SwapCache);
    let reclaimable = get(Item::SlabReclaimable);
    let unreclaimable = get(Item::SlabUnreclaimable);
    let anon = get(Item::Anon);
    let shmem = get(Item::Shmem);

    let mut line = |name: &[u8], pages: usize| kb(text, name, pages_to_kb(pages));
    line(b"MemTotal:       ", memory.total);
    line(b"MemFree:        ", memory.free);
    // Both are looked at one after the other.
    line(
        b"MemAvailable:   ",
        memory::available(memcg).max(memory.free),
    );
    line(b"Buffers:        ", 0);
    line(
        b"Cached:         ",
        get(Item::File).saturating_sub(swap_cache),
    );
    line(b"SwapCached:     ", swap_cache);
    line(b"Active:         ", active_anon + active_file);
    line(b"Inactive:       ", inactive_anon + inactive_file);
    line(b"Active(anon):   ", active_anon);
    line(b"Inactive(anon): ", inactive_anon);
    line(b"Active(file):   ", active_file);
    line(b"Inactive(file): ", inactive_file);
    line(b"Unevictable:    ", get(Item::Unevictable));
    // Nobody counts it for cgroups; what is locked is among what can't be evicted.
    line(b"Mlocked:        ", 0);
    line(b"SwapTotal:      ", memory.swap_total);
    line(b"SwapFree:       ", memory.swap_free);
    #[cfg(CONFIG_ZSWAP)]
    {
        line(b"Zswap:          ", get(Item::Zswap));
        line(b"Zswapped:       ", get(Item::Zswapped));
    }
    line(b"Dirty:          ", get(Item::Dirty));
    line(b"Writeback:      ", get(Item::Writeback));
    line(b"AnonPages:      ", anon);
    line(b"Mapped:         ", get(Item::Mapped));
    line(b"Shmem:          ", shmem);
    line(b"KReclaimable:   ", reclaimable);
    line(b"Slab:           ", reclaimable + unreclaimable);
    line(b"SReclaimable:   ", reclaimable);
    line(b"SUnreclaim:     ", unreclaimable);
    kb(text, b"KernelStack:    ", get(Item::KernelStack) as u64);
    #[cfg(CONFIG_SHADOW_CALL_STACK)]
    kb(text, b"ShadowCallStack:", 0);

    let mut line = |name: &[u8], pages: usize| kb(text, name, pages_to_kb(pages));
    line(b"PageTables:     ", get(Item::PageTables));
    line(b"SecPageTables:  ", get(Item::SecondaryPageTables));
    line(b"NFS_Unstable:   ", 0);
    line(b"Bounce:         ", 0);
    line(b"WritebackTmp:   ", 0);
    // As of a machine of that size with the default of vm.overcommit_ratio.
    line(b"CommitLimit:    ", memory.total / 2 + memory.swap_total);
    // What is in use of what was promised; the promises aren't counted for cgroups.
    line(b"Committed_AS:   ", anon + shmem + memcg.swap_usage());
    kb(text, b"VmallocTotal:   ", machine::vmalloc_total());

    let mut line = |name: &[u8], pages: usize| kb(text, name, pages_to_kb(pages));
    line(b"VmallocUsed:    ", get(Item::Vmalloc));
    line(b"VmallocChunk:   ", 0);
    line(b"Percpu:         ", get(Item::PerCpu));
    #[cfg(CONFIG_MEMORY_FAILURE)]
    text.put(b"HardwareCorrupted:     0 kB\n");

    let mut line = |name: &[u8], pages: usize| kb(text, name, pages_to_kb(pages));
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    {
        line(b"AnonHugePages:  ", get(Item::AnonThp));
        line(b"ShmemHugePages: ", get(Item::ShmemThp));
        line(b"ShmemPmdMapped: ", 0);
        line(b"FileHugePages:  ", get(Item::FileThp));
        line(b"FilePmdMapped:  ", 0);
    }
    #[cfg(CONFIG_CMA)]
    {
        line(b"CmaTotal:       ", 0);
        line(b"CmaFree:        ", 0);
    }
    #[cfg(CONFIG_UNACCEPTED_MEMORY)]
    line(b"Unaccepted:     ", 0);
    line(b"Balloon:        ", 0);
    line(b"GPUActive:      ", 0);
    line(b"GPUReclaim:     ", 0);
}

fn kb(text: &mut Text<'_>, name: &[u8], kb: u64) {
    text.put(name).padded(kb, 8).put(b" kB\n");
}

fn pages_to_kb(pages: usize) -> u64 {
    (pages as u64).saturating_mul(PAGE_SIZE as u64 / 1024)
}
