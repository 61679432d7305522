// SPDX-License-Identifier: GPL-2.0
/*
 * Where interrupts are made, some with an affinity that the kernel manages.
 */
#include <linux/cleanup.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/tkernel/irqs.h>

#include "attach.h"

static int around_alloc(int irq, unsigned int from, unsigned int count, int node,
			struct module *owner, const struct irq_affinity_desc *affinity)
{
	guard(srcu)(&tkhooks_inside);
	struct irq_affinity_desc *unmanaged __free(kfree) = NULL;
	unsigned int i;

	if (affinity && !tkernel_irqs_manages()) {
		unmanaged = kmemdup_array(affinity, count, sizeof(*affinity), GFP_KERNEL);
		if (!unmanaged)
			return -ENOMEM;
		for (i = 0; i < count; i++)
			unmanaged[i].is_managed = 0;
	}
	return tkhooks_original(&tkhooks_irqs_sites[0], irq, from, count, node,
				(unsigned long)owner,
				(unsigned long)(unmanaged ?: affinity));
}

struct tkhooks_site tkhooks_irqs_sites[] = {
	{
		.function = "__irq_alloc_descs",
		.signature = "44444pp",
		.around = around_alloc,
	},
	{}
};
