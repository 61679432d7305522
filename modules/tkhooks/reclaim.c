// SPDX-License-Identifier: GPL-2.0
/*
 * What the pagecache hook frees page cache with, by functions that the kernel has for
 * itself: see <linux/tkernel/pagecache.h>. The patch goes into these functions; here
 * they are called as they are, with their structure as the kernel's notes have it.
 */
#include <linux/backing-dev-defs.h>
#include <linux/cgroup.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmzone.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/tkernel/pagecache.h>

#include <trace/events/tkernel.h>

#include "attach.h"
#include "layout.h"
#include "reclaim.h"

/* struct scan_control: what is set, and what is read. */
static struct {
	struct tkhooks_member nr_to_reclaim, target_mem_cgroup, gfp_mask, reclaim_idx,
		priority, may_deactivate, may_writepage, may_unmap, no_demotion, proactive,
		nr_scanned, nr_reclaimed, nr_dirty, nr_taken;
} scan_control;

static int *vm_swappiness;

/* Of may_deactivate: files. */
#define DEACTIVATE_FILE 2

/* No scan of the kernel has it, and evict_folios() only passes it on to its tracepoint. */
#define COLD_PRIORITY (DEF_PRIORITY + 1)

/* With what is behind it, since put() reads 8 bytes from any of its own on. */
struct scan {
	u8 bytes[256];
};

enum {
	EVICT_FOLIOS, INC_MAX_SEQ, SHRINK_LRUVEC, LRUVEC_LRU_SIZE, CGROUP_ITER,
	CGROUP_ITER_BREAK, CALCULATE_PROTECTION, SHRINK_SLAB, WAKEUP_FLUSHERS,
};

static struct tkhooks_function functions[] = {
	[EVICT_FOLIOS] = { "evict_folios", "48pp4" },
	[INC_MAX_SEQ] = { "inc_max_seq", "1p84" },
	[SHRINK_LRUVEC] = { "shrink_lruvec", "0pp" },
	[LRUVEC_LRU_SIZE] = { "lruvec_lru_size", "8p44" },
	[CGROUP_ITER] = { "mem_cgroup_iter", "pppp" },
	[CGROUP_ITER_BREAK] = { "mem_cgroup_iter_break", "0pp" },
	[CALCULATE_PROTECTION] = { "mem_cgroup_calculate_protection_path", "0pp" },
	[SHRINK_SLAB] = { "shrink_slab", "844p4" },
	[WAKEUP_FLUSHERS] = { "wakeup_flusher_threads", "04" },
	{}
};

/* Under the mutex of registrations. */
int tkhooks_find_reclaim(void)
{
	static const struct {
		const char *path;
		struct tkhooks_member *member;
	} members[] = {
		{ "nr_to_reclaim", &scan_control.nr_to_reclaim },
		{ "target_mem_cgroup", &scan_control.target_mem_cgroup },
		{ "gfp_mask", &scan_control.gfp_mask },
		{ "reclaim_idx", &scan_control.reclaim_idx },
		{ "priority", &scan_control.priority },
		{ "may_deactivate", &scan_control.may_deactivate },
		{ "may_writepage", &scan_control.may_writepage },
		{ "may_unmap", &scan_control.may_unmap },
		{ "no_demotion", &scan_control.no_demotion },
		{ "proactive", &scan_control.proactive },
		{ "nr_scanned", &scan_control.nr_scanned },
		{ "nr_reclaimed", &scan_control.nr_reclaimed },
		{ "nr.dirty", &scan_control.nr_dirty },
		{ "nr.taken", &scan_control.nr_taken },
	};
	int ret, i;

	for (i = 0; i < ARRAY_SIZE(members); i++) {
		ret = tkhooks_find_member("scan_control", members[i].path, members[i].member);
		if (ret)
			return ret;
		if (members[i].member->structure + sizeof(u64) > sizeof(struct scan))
			return -EOPNOTSUPP;
	}
	return tkhooks_find_all(functions) ?:
	       tkhooks_find_data("vm_swappiness", &vm_swappiness);
}

static u64 mask_of(struct tkhooks_member member)
{
	return GENMASK_ULL(member.bits - 1, 0) << member.at % BITS_PER_BYTE;
}

static void put(struct scan *scan, struct tkhooks_member member, u64 value)
{
	u8 *place = &scan->bytes[member.at / BITS_PER_BYTE];
	u64 mask = mask_of(member), word;

	memcpy(&word, place, sizeof(word));
	word = (word & ~mask) | (value << member.at % BITS_PER_BYTE & mask);
	memcpy(place, &word, sizeof(word));
}

static u64 get(const struct scan *scan, struct tkhooks_member member)
{
	u64 word;

	memcpy(&word, &scan->bytes[member.at / BITS_PER_BYTE], sizeof(word));
	return (word & mask_of(member)) >> member.at % BITS_PER_BYTE;
}

bool tkhooks_is_cold_scan(const struct scan_control *scan)
{
	const s8 *bytes = (const s8 *)scan;

	return bytes[scan_control.priority.at / BITS_PER_BYTE] == COLD_PRIORITY;
}

static unsigned long call(int function, unsigned long a, unsigned long b, unsigned long c,
			  unsigned long d)
{
	return tkhooks_call(functions[function].address, a, b, c, d, 0, 0);
}

static struct mem_cgroup *next_cgroup(struct mem_cgroup *root, struct mem_cgroup *last)
{
	return (struct mem_cgroup *)call(CGROUP_ITER, (unsigned long)root,
					 (unsigned long)last, 0, 0);
}

static unsigned long lru_size(struct lruvec *lruvec, enum lru_list lru)
{
	return call(LRUVEC_LRU_SIZE, (unsigned long)lruvec, lru, MAX_NR_ZONES - 1, 0);
}

#ifdef CONFIG_LRU_GEN

static bool has_generations(struct lruvec *lruvec)
{
	return READ_ONCE(lruvec->lrugen.enabled);
}

static unsigned long generations_size(struct lruvec *lruvec)
{
	struct lru_gen_folio *lrugen = &lruvec->lrugen;
	unsigned long last = READ_ONCE(lrugen->max_seq), seq, pages = 0;
	int zone;

	for (seq = READ_ONCE(lrugen->min_seq[LRU_GEN_FILE]); seq <= last; seq++)
		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			pages += max(0L, READ_ONCE(lrugen->nr_pages[lru_gen_from_seq(seq)]
						   [LRU_GEN_FILE][zone]));
	return pages;
}

/* How large the folio is whose turn is next. */
static unsigned long oldest_folio_size(struct lruvec *lruvec)
{
	struct lru_gen_folio *lrugen = &lruvec->lrugen;
	unsigned long pages = 1;
	struct list_head *list;
	int gen, zone;

	guard(rcu)();
	guard(spinlock_irq)(&lruvec->lru_lock);
	gen = lru_gen_from_seq(lrugen->min_seq[LRU_GEN_FILE]);
	for (zone = MAX_NR_ZONES - 1; zone >= 0; zone--) {
		list = &lrugen->folios[gen][LRU_GEN_FILE][zone];
		if (list_empty(list))
			continue;
		pages = folio_nr_pages(lru_to_folio(list));
		break;
	}
	return pages;
}

static int swappiness_of(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG_V1
	if (!cgroup_subsys_on_dfl(memory_cgrp_subsys) && !mem_cgroup_is_root(memcg))
		return READ_ONCE(memcg->swappiness);
#endif
	return READ_ONCE(*vm_swappiness);
}

/* Begins another generation, without a walk over the address spaces that use its pages. */
static void begin_generation(struct mem_cgroup *memcg, struct lruvec *lruvec)
{
	unsigned long last = READ_ONCE(lruvec->lrugen.max_seq);

#ifdef CONFIG_LRU_GEN_WALKS_MMU
	scoped_guard(spinlock, &memcg->mm_list.lock) {
		struct lru_gen_mm_state *walks = &lruvec->mm_state;

		/* Somebody has begun this one, and will go through with it. */
		if (last <= walks->seq)
			return;
		WRITE_ONCE(walks->seq, walks->seq + 1);
	}
#endif
	call(INC_MAX_SEQ, (unsigned long)lruvec, last, swappiness_of(memcg), 0);
}

static unsigned long bite_generations(struct mem_cgroup *memcg, struct lruvec *lruvec,
				      unsigned long nr, struct scan *scan)
{
	/* It counts folios, whatever their size. */
	unsigned long folios = DIV_ROUND_UP(min(nr, MIN_LRU_BATCH), oldest_folio_size(lruvec));
	int scanned;

	put(scan, scan_control.priority,
	    get(scan, scan_control.may_deactivate) ? DEF_PRIORITY : COLD_PRIORITY);
	scanned = call(EVICT_FOLIOS, folios, (unsigned long)lruvec, (unsigned long)scan, 0);
	/* All is in the two youngest generations. */
	if (scanned <= 0)
		begin_generation(memcg, lruvec);
	return max(scanned, 0);
}

#else

static bool has_generations(struct lruvec *lruvec)
{
	return false;
}

static unsigned long generations_size(struct lruvec *lruvec)
{
	return 0;
}

static unsigned long bite_generations(struct mem_cgroup *memcg, struct lruvec *lruvec,
				      unsigned long nr, struct scan *scan)
{
	return 0;
}

#endif

/* Those of the generations are counted apart. Only while they are switched both have some. */
static unsigned long file_lru_size(struct lruvec *lruvec)
{
	return lru_size(lruvec, LRU_INACTIVE_FILE) + lru_size(lruvec, LRU_ACTIVE_FILE) +
	       generations_size(lruvec);
}

static unsigned long bite_lists(struct lruvec *lruvec, unsigned long nr, struct scan *scan)
{
	unsigned long before = get(scan, scan_control.nr_scanned);
	unsigned long inactive = lru_size(lruvec, LRU_INACTIVE_FILE);
	unsigned long active = 0, size, scanned;

	if (get(scan, scan_control.may_deactivate))
		active = lru_size(lruvec, LRU_ACTIVE_FILE);
	size = inactive + active;
	if (!size)
		return 0;
	nr = min(nr, SWAP_CLUSTER_MAX);
	/* It scans a part of each list by this, not a number of pages. */
	put(scan, scan_control.priority, size > nr ? min(ilog2(size / nr), DEF_PRIORITY) : 0);
	call(SHRINK_LRUVEC, (unsigned long)lruvec, (unsigned long)scan, 0, 0);
	scanned = get(scan, scan_control.nr_scanned) - before;
	/* It doesn't count what it has made inactive, or has found nothing to take of. */
	return max(scanned, nr);
}

/* A bite of a cgroup's file LRU; the number of pages scanned, 0 if none is left. */
static unsigned long bite_file_lru(struct mem_cgroup *memcg, struct lruvec *lruvec,
				   unsigned long nr, struct scan *scan)
{
	put(scan, scan_control.nr_to_reclaim, nr);
	if (has_generations(lruvec))
		return bite_generations(memcg, lruvec, nr, scan);
	return bite_lists(lruvec, nr, scan);
}

/*
 * How much to scan of a cgroup before the walk goes on: a part of its pages, so that
 * each gives in proportion. Of a small one, sometimes a batch.
 */
static unsigned long walk_quota(struct lruvec *lruvec)
{
	unsigned long quota = file_lru_size(lruvec) >> 5;

	if (quota >= SWAP_CLUSTER_MAX)
		return quota;
	return get_random_u32_below(SWAP_CLUSTER_MAX) < quota ? SWAP_CLUSTER_MAX : 0;
}

/* Goes on to the next cgroup; false after the last. Slab pages freed are added to @slab. */
static bool walk_next(struct tkernel_reclaim *req, gfp_t gfp, unsigned long *slab)
{
	struct tkernel_reclaim_walk *walk = req->walk;
	struct mem_cgroup *memcg;

	walk->left = 0;
	walk->memcg = next_cgroup(req->root, walk->memcg);
	memcg = walk->memcg;
	if (!memcg)
		return false;

	call(CALCULATE_PROTECTION, (unsigned long)req->root, (unsigned long)memcg, 0, 0);
	if (mem_cgroup_below_min(req->root, memcg) || mem_cgroup_below_low(req->root, memcg))
		return true;

	if (req->flags & TKERNEL_RECLAIM_SLAB) {
		call(SHRINK_SLAB, (__force unsigned long)gfp, req->nid, (unsigned long)memcg, 6);
		*slab += current->reclaim_state->reclaimed;
		current->reclaim_state->reclaimed = 0;
	}
	walk->left = walk_quota(mem_cgroup_lruvec(memcg, NODE_DATA(req->nid)));
	return true;
}

/* As the patch's but for what docs/stock.md says. */
unsigned long tkernel_reclaim_file(struct tkernel_reclaim *req)
{
	struct pglist_data *pgdat = NODE_DATA(req->nid);
	struct tkernel_reclaim_walk *walk = req->walk;
	gfp_t gfp = current_gfp_context(req->gfp);
	struct reclaim_state state = {};
	unsigned long freed = 0, slab = 0;
	struct scan scan = {};
	unsigned int noreclaim_flag;
	unsigned int visits = 0;

	req->nr_scanned = 0;
	req->nr_taken = 0;
	req->nr_dirty = 0;
	req->turns = 0;
	if (mem_cgroup_disabled() || current->reclaim_state ||
	    ((current->flags & PF_MEMALLOC) && !current_is_kswapd()) ||
	    !gfpflags_allow_blocking(gfp))
		return 0;

	put(&scan, scan_control.target_mem_cgroup, (unsigned long)req->root);
	put(&scan, scan_control.gfp_mask, (__force u32)gfp);
	put(&scan, scan_control.reclaim_idx, MAX_NR_ZONES - 1);
	put(&scan, scan_control.may_writepage, 1);
	put(&scan, scan_control.may_unmap, !!(req->flags & TKERNEL_RECLAIM_UNMAP));
	put(&scan, scan_control.may_deactivate,
	    req->flags & TKERNEL_RECLAIM_ACTIVE ? DEACTIVATE_FILE : 0);
	put(&scan, scan_control.no_demotion, 1);
	put(&scan, scan_control.proactive, 1);

	fs_reclaim_acquire(gfp);
	noreclaim_flag = memalloc_noreclaim_save();
	current->reclaim_state = &state;

	while (freed < req->nr_to_reclaim && req->nr_scanned < req->nr_to_scan) {
		struct mem_cgroup *memcg = walk->memcg;
		unsigned long nr, scanned;

		if (!memcg || !walk->left) {
			if (!walk_next(req, gfp, &slab) && ++req->turns == 2)
				break;
			/* A machine may have thousands that have nothing. */
			if (++visits == 256)
				break;
			freed = get(&scan, scan_control.nr_reclaimed) + slab;
			cond_resched();
			continue;
		}

		nr = min(req->nr_to_reclaim - freed, req->nr_to_scan - req->nr_scanned);
		scanned = bite_file_lru(memcg, mem_cgroup_lruvec(memcg, pgdat),
					min(nr, walk->left), &scan);
		freed = get(&scan, scan_control.nr_reclaimed) + slab;
		req->nr_scanned += scanned;
		walk->left -= scanned ? min(scanned, walk->left) : walk->left;
	}

	current->reclaim_state = NULL;
	memalloc_noreclaim_restore(noreclaim_flag);
	fs_reclaim_release(gfp);

	req->nr_taken = get(&scan, scan_control.nr_taken);
	req->nr_dirty = get(&scan, scan_control.nr_dirty);
	if (req->nr_dirty && (req->flags & TKERNEL_RECLAIM_WRITE))
		call(WAKEUP_FLUSHERS, WB_REASON_VMSCAN, 0, 0, 0);
	trace_tkernel_reclaim_file(req, freed);
	return freed;
}
EXPORT_SYMBOL_GPL(tkernel_reclaim_file);

void tkernel_reclaim_end(struct mem_cgroup *root, struct tkernel_reclaim_walk *walk)
{
	if (walk->memcg)
		call(CGROUP_ITER_BREAK, (unsigned long)root, (unsigned long)walk->memcg, 0, 0);
	walk->memcg = NULL;
	walk->left = 0;
}
EXPORT_SYMBOL_GPL(tkernel_reclaim_end);

unsigned long tkernel_file_pages(struct mem_cgroup *root, int nid)
{
	struct mem_cgroup *memcg;
	unsigned long pages = 0;

	for (memcg = next_cgroup(root, NULL); memcg; memcg = next_cgroup(root, memcg))
		pages += file_lru_size(mem_cgroup_lruvec(memcg, NODE_DATA(nid)));
	return pages;
}
EXPORT_SYMBOL_GPL(tkernel_file_pages);
