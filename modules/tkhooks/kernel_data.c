// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "kernel_data.h"

#include <linux/cgroup.h>
#include <linux/export.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "attach.h"
#include "layout.h"

struct blocking_notifier_head *tkhooks_cgroup_lifetime_notifier __ro_after_init;
EXPORT_SYMBOL_GPL(tkhooks_cgroup_lifetime_notifier);

long *tkhooks_total_swap_pages __ro_after_init;
EXPORT_SYMBOL_GPL(tkhooks_total_swap_pages);

typeof(vmstat_text) *tkhooks_vmstat_text __ro_after_init;
EXPORT_SYMBOL_GPL(tkhooks_vmstat_text);

/* A copy: a macro of this name would be one for the structure, too. It never changes. */
struct cgroup_subsys *cgroup_subsys[CGROUP_SUBSYS_COUNT] __ro_after_init;
EXPORT_SYMBOL_GPL(cgroup_subsys);

/**
 * tkhooks_find_data - find data of the kernel
 * @name: its name, of which there is one
 * @place: a pointer to it, which is set
 *
 * Nothing tells of what type it is; it is what the headers have.
 *
 * Context: sleeps.
 * Return: 0, -EOPNOTSUPP if there is none; the log says so.
 */
int tkhooks_find_data(const char *name, void *place)
{
	static struct tkhooks_function lookup[] = { { "kallsyms_lookup_name", "8p" }, {} };
	unsigned long address;
	int ret = tkhooks_find_all(lookup);

	if (ret)
		return ret;
	address = tkhooks_call(lookup->address, (unsigned long)name, 0, 0, 0, 0, 0);
	if (!address) {
		pr_warn("this kernel has no %s\n", name);
		return -EOPNOTSUPP;
	}
	*(unsigned long *)place = address;
	return 0;
}

int __init tkhooks_find_exported_data(void)
{
	const void *controllers;
	int ret;

	ret = tkhooks_find_data("cgroup_lifetime_notifier",
				&tkhooks_cgroup_lifetime_notifier) ?:
	      tkhooks_find_data("total_swap_pages", &tkhooks_total_swap_pages) ?:
	      tkhooks_find_data("vmstat_text", &tkhooks_vmstat_text) ?:
	      tkhooks_find_data("cgroup_subsys", &controllers);
	if (!ret)
		memcpy(cgroup_subsys, controllers, sizeof(cgroup_subsys));
	return ret;
}
