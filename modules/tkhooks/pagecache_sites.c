// SPDX-License-Identifier: GPL-2.0
/*
 * Where the page cache grows, where kswapd begins to work, and where MGLRU decides what
 * is freed.
 */
#include <linux/cleanup.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pagemap.h>
#include <linux/tkernel/pagecache.h>

#include "attach.h"
#include "reclaim.h"

enum { INSERT, BALANCE, ISOLATE };

/* Nearly always the answer is no. Of the insertion's arguments the second is the folio. */
static bool has_to_make_room(struct ftrace_regs *regs)
{
	const struct tkernel_pagecache_ops *ops = tkernel_hook_ops(pagecache);
	struct folio *folio = (struct folio *)ftrace_regs_get_argument(regs, 1);

	return ops && ops->check(folio_nr_pages(folio), ops->data);
}

/* (struct address_space *mapping, struct folio *folio, pgoff_t index, gfp_t gfp) */
static void before_insert(const unsigned long *arguments)
{
	const struct address_space *mapping = (void *)arguments[0];
	const struct folio *folio = (void *)arguments[1];
	const struct tkernel_pagecache_ops *ops;

	/* The ones that were asked: nobody else's can come while somebody is on the way here. */
	guard(srcu)(tkernel_pagecache_hook.srcu);
	ops = tkernel_hook_ops_srcu(pagecache);
	if (ops)
		ops->insert(folio_nid(folio), folio_nr_pages(folio),
			    test_bit(AS_KERNEL_FILE, &mapping->flags),
			    (__force gfp_t)arguments[3], ops->data);
}

/* (pg_data_t *pgdat, int order, int highest_zoneidx); kswapd may stay in it for long. */
static void before_balance(const unsigned long *arguments)
{
	tkernel_pagecache_balance(((pg_data_t *)arguments[0])->node_id);
}

#ifdef CONFIG_LRU_GEN

/* Of the third argument of what is below. */
static bool takes_cold_only(struct ftrace_regs *regs)
{
	return tkhooks_is_cold_scan((void *)ftrace_regs_get_argument(regs, 2));
}

/*
 * MGLRU spares what was read more than once, tiers from 1 on, if such folios come back
 * more often than others when they are taken. A scan for cold ones spares them anyway:
 * for so long they have come back more often than others can. The lock of the lists is
 * held, under which all is that reads or changes this.
 */
static int around_isolate(unsigned long nr, struct lruvec *lruvec, struct scan_control *sc,
			  int swappiness, struct list_head *list, int *isolated, int *type,
			  int *scanned)
{
	/* Times pages of a generation it has to be a number. */
	const unsigned long more_than_others = 1UL << 32;
	unsigned long *refaulted = &lruvec->lrugen.avg_refaulted[LRU_GEN_FILE][1];
	unsigned long its = *refaulted;
	int ret;

	lockdep_assert_held(&lruvec->lru_lock);
	guard(srcu)(&tkhooks_inside);
	WRITE_ONCE(*refaulted, more_than_others);
	ret = tkhooks_original8(&tkhooks_pagecache_sites[ISOLATE], nr, (unsigned long)lruvec,
				(unsigned long)sc, swappiness, (unsigned long)list,
				(unsigned long)isolated, (unsigned long)type,
				(unsigned long)scanned);
	WRITE_ONCE(*refaulted, its);
	return ret;
}

#endif

struct tkhooks_site tkhooks_pagecache_sites[] = {
	[INSERT] = {
		.function = "filemap_add_folio",
		.signature = "4pp84",
		.before = before_insert,
		.when = has_to_make_room,
	},
	[BALANCE] = {
		.function = "balance_pgdat",
		.signature = "4p44",
		.before = before_balance,
	},
#ifdef CONFIG_LRU_GEN
	[ISOLATE] = {
		.function = "isolate_folios",
		.signature = "48pp4pppp",
		.around = around_isolate,
		.when = takes_cold_only,
	},
#endif
	{}
};
