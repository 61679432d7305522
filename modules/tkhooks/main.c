// SPDX-License-Identifier: GPL-2.0
/*
 * tkhooks: the hooks of hooks.patch for a kernel without it. Exports what the patch
 * does, so that modules can't tell which of the two they have. The typed functions
 * of each hook are the patch's own files; here is what they register with, and in
 * *_sites.c where the kernel is hooked.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/tkernel/access.h>
#include <linux/tkernel/epoll.h>
#include <linux/tkernel/hook.h>
#include <linux/tkernel/irqs.h>
#include <linux/tkernel/mounts.h>
#include <linux/tkernel/netbind.h>
#include <linux/tkernel/pagecache.h>
#include <linux/tkernel/pidfile.h>
#include <linux/tkernel/process.h>
#include <linux/tkernel/procview.h>
#include <linux/tkernel/ptrace.h>
#include <linux/tkernel/signal.h>
#include <linux/tkernel/tcp.h>
#include <linux/tkernel/uname.h>

#include "attach.h"
#include "layout.h"
#include "mounts.h"
#include "pidfile.h"
#include "procview.h"
#include "reclaim.h"
#include "tcp.h"

static int prepare_ptrace(void)
{
	/* tkernel_ptrace_native_access() calls it. */
	return tkhooks_find_site(&tkhooks_access_sites[0]);
}

/*
 * What features register with, its sites, what has to be there beside these, and what is
 * to be done when they are gone.
 */
static struct tkhooks_hook {
	struct tkernel_hook *hook;
	struct tkhooks_attached attached;
	int (*prepare)(void);
	void (*gone)(void);
} tkhooks_hooks[] = {
	{ &tkernel_access_hook, { tkhooks_access_sites }, tkhooks_find_layout },
	{ &tkernel_epoll_hook, { tkhooks_epoll_sites } },
	{ &tkernel_irqs_hook, { tkhooks_irqs_sites } },
	{ &tkernel_mounts_hook, { tkhooks_mounts_sites }, tkhooks_find_mounts },
	{ &tkernel_netbind_hook, { tkhooks_netbind_sites } },
	{ &tkernel_pagecache_hook, { tkhooks_pagecache_sites }, tkhooks_find_reclaim },
	{ &tkernel_pidfile_hook, { tkhooks_pidfile_sites }, tkhooks_find_pidfile,
	  tkhooks_drop_pidfiles },
	{ &tkernel_process_hook, { tkhooks_process_sites } },
	{ &tkernel_procview_hook, { tkhooks_procview_sites }, tkhooks_find_procview },
	{ &tkernel_ptrace_hook, { tkhooks_ptrace_sites }, prepare_ptrace },
	{ &tkernel_signal_hook, { tkhooks_signal_sites } },
	{ &tkernel_tcp_hook, { tkhooks_tcp_sites }, tkhooks_find_tcp },
	{ &tkernel_uname_hook, { tkhooks_uname_sites } },
	{}
};

/* Orders registrations; the read side never takes it. */
static DEFINE_MUTEX(tkhooks_mutex);

static struct tkhooks_hook *entry_of(const struct tkernel_hook *hook)
{
	struct tkhooks_hook *entry = tkhooks_hooks;

	while (entry->hook != hook)
		entry++;
	return entry;
}

int tkernel_hook_register(struct tkernel_hook *hook, const void *ops)
{
	struct tkhooks_hook *entry = entry_of(hook);
	int ret;

	guard(mutex)(&tkhooks_mutex);

	if (rcu_access_pointer(hook->ops))
		return -EBUSY;

	ret = entry->prepare ? entry->prepare() : 0;
	if (ret)
		return ret;
	rcu_assign_pointer(hook->ops, ops);
	static_branch_enable(&hook->key);
	ret = tkhooks_attach(&entry->attached);
	if (ret) {
		static_branch_disable(&hook->key);
		RCU_INIT_POINTER(hook->ops, NULL);
		/* Some of the sites may have been attached for a moment. */
		if (hook->srcu)
			synchronize_srcu(hook->srcu);
		synchronize_rcu();
		if (entry->gone)
			entry->gone();
	}
	return ret;
}

void tkernel_hook_unregister(struct tkernel_hook *hook, const void *ops)
{
	struct tkhooks_hook *entry = entry_of(hook);

	guard(mutex)(&tkhooks_mutex);

	if (WARN(rcu_access_pointer(hook->ops) != ops,
		 "tkhooks: hook %s is somebody else's\n", hook->name))
		return;

	tkhooks_detach(&entry->attached);
	static_branch_disable(&hook->key);
	RCU_INIT_POINTER(hook->ops, NULL);
	/* Who read the pointer is in a read-side section that ends here. */
	if (hook->srcu)
		synchronize_srcu(hook->srcu);
	synchronize_rcu();
	if (entry->gone)
		entry->gone();
}

static int __init tkhooks_init(void)
{
	return tkhooks_find_exported_data();
}
module_init(tkhooks_init);

/* There's nothing left when the last hook was given back, which each feature does. */
static void __exit tkhooks_exit(void)
{
}
module_exit(tkhooks_exit);

MODULE_DESCRIPTION("Hooks for the modules of tkernel-rs on a kernel without hooks.patch");
MODULE_LICENSE("GPL");
