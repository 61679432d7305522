/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sites of hooks in a kernel without hooks.patch: callbacks at the beginning of its
 * functions, by ftrace. docs/stock.md says why they can't race.
 */
#ifndef TKHOOKS_ATTACH_H
#define TKHOOKS_ATTACH_H

#include <linux/ftrace.h>

/**
 * struct tkhooks_site - where a hook is called from
 * @function: the kernel's function, by name
 * @signature: what it returns and takes, a character each: p for a pointer, its
 *	size for a number, 0 for nothing
 * @enter: called before each call of it with the registers, among them the
 *	arguments, which may be changed. Preemption is off: it must not sleep.
 * @ops: ftrace's
 * @found: it is there, and has that signature
 */
struct tkhooks_site {
	const char *function;
	const char *signature;
	void (*enter)(struct pt_regs *regs);
	struct ftrace_ops ops;
	bool found;
};

/* Of each hook: all have to be there; the last has no function. */
extern struct tkhooks_site tkhooks_epoll_sites[];
extern struct tkhooks_site tkhooks_netbind_sites[];
extern struct tkhooks_site tkhooks_signal_sites[];

int tkhooks_attach(struct tkhooks_site *sites);
void tkhooks_detach(struct tkhooks_site *sites);

#endif
