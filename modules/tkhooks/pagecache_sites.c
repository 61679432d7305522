// SPDX-License-Identifier: GPL-2.0
/*
 * Where the page cache grows, and where kswapd begins to work.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pagemap.h>
#include <linux/tkernel/pagecache.h>

#include "attach.h"

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

struct tkhooks_site tkhooks_pagecache_sites[] = {
	{
		.function = "filemap_add_folio",
		.signature = "4pp84",
		.before = before_insert,
		.when = has_to_make_room,
	},
	{
		.function = "balance_pgdat",
		.signature = "4p44",
		.before = before_balance,
	},
	{}
};
