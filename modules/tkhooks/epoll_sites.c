// SPDX-License-Identifier: GPL-2.0
/*
 * Where epoll_wait(2) and its kin get their timeout. The patch asks only before a wait;
 * here it is asked before it is known whether there are events, which come at once all
 * the same.
 */
#include <linux/ktime.h>
#include <linux/time64.h>
#include <linux/tkernel/epoll.h>

#include "attach.h"

/* (int epfd, struct epoll_event __user *events, int maxevents, struct timespec64 *to) */
static void enter_epoll_wait(struct pt_regs *regs)
{
	/* The caller's own, in the kernel: when the wait ends. None for ever, 0 for no wait. */
	struct timespec64 *to = (struct timespec64 *)regs->cx;
	ktime_t expires;

	if (!to || !(to->tv_sec | to->tv_nsec))
		return;
	expires = timespec64_to_ktime(*to);
	tkernel_epoll_begin_wait(&expires, to);
}

struct tkhooks_site tkhooks_epoll_sites[] = {
	{
		.function = "do_epoll_wait",
		.signature = "44p4p",
		.enter = enter_epoll_wait,
	},
	{}
};
