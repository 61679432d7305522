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
#include <linux/tkernel/epoll.h>
#include <linux/tkernel/hook.h>
#include <linux/tkernel/netbind.h>
#include <linux/tkernel/signal.h>

#include "attach.h"

/* What features register with, and its sites. */
static const struct tkhooks_hook {
	struct tkernel_hook *hook;
	struct tkhooks_site *sites;
} tkhooks_hooks[] = {
	{ &tkernel_epoll_hook, tkhooks_epoll_sites },
	{ &tkernel_netbind_hook, tkhooks_netbind_sites },
	{ &tkernel_signal_hook, tkhooks_signal_sites },
	{}
};

/* Orders registrations; the read side never takes it. */
static DEFINE_MUTEX(tkhooks_mutex);

static struct tkhooks_site *sites_of(const struct tkernel_hook *hook)
{
	const struct tkhooks_hook *entry;

	for (entry = tkhooks_hooks; entry->hook; entry++)
		if (entry->hook == hook)
			break;
	return entry->sites;
}

int tkernel_hook_register(struct tkernel_hook *hook, const void *ops)
{
	int ret;

	guard(mutex)(&tkhooks_mutex);

	if (rcu_access_pointer(hook->ops))
		return -EBUSY;

	rcu_assign_pointer(hook->ops, ops);
	static_branch_enable(&hook->key);
	ret = tkhooks_attach(sites_of(hook));
	if (ret) {
		static_branch_disable(&hook->key);
		RCU_INIT_POINTER(hook->ops, NULL);
		/* Some of the sites may have been attached for a moment. */
		synchronize_rcu();
	}
	return ret;
}

void tkernel_hook_unregister(struct tkernel_hook *hook, const void *ops)
{
	guard(mutex)(&tkhooks_mutex);

	if (WARN(rcu_access_pointer(hook->ops) != ops,
		 "tkhooks: hook %s is somebody else's\n", hook->name))
		return;

	tkhooks_detach(sites_of(hook));
	static_branch_disable(&hook->key);
	RCU_INIT_POINTER(hook->ops, NULL);
	/* Who read the pointer is in a read-side section that ends here. */
	if (hook->srcu)
		synchronize_srcu(hook->srcu);
	synchronize_rcu();
}

MODULE_DESCRIPTION("Hooks for the modules of tkernel-rs on a kernel without hooks.patch");
MODULE_LICENSE("GPL");
