/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sites of hooks in a kernel without hooks.patch: at the beginning of its functions, by
 * ftrace. docs/stock.md says why they can't race.
 */
#ifndef TKHOOKS_ATTACH_H
#define TKHOOKS_ATTACH_H

#include <linux/ftrace.h>
#include <linux/srcu.h>
#include <asm/asm.h>

/**
 * struct tkhooks_site - where a hook is called from
 * @function: the kernel's function, by name
 * @signature: what it returns and takes, a character each: p for a pointer, its
 *	size for a number, 0 for nothing
 * @enter: called before each call of it with the registers, among them the
 *	arguments, which may be changed. Preemption is off: it must not sleep.
 * @answers: the same, but if it returns true the function isn't run, and returns
 *	what @answers has put into the register of results
 * @around: called instead of it, with its arguments, in its context; what it calls
 *	the function itself with is tkhooks_original(). It has to be in a read-side
 *	section of tkhooks_inside from its beginning to its end.
 * @rest: the function behind what ftrace has of it
 * @ops: ftrace's
 * @found: it is there, and has that signature
 *
 * One of @enter, @answers, @around is set. With the latter two nobody else can have
 * the function's place, as livepatch does; if he has, the hook can't be had.
 */
struct tkhooks_site {
	const char *function;
	const char *signature;
	void (*enter)(struct pt_regs *regs);
	bool (*answers)(struct pt_regs *regs);
	void *around;
	unsigned long rest;
	struct ftrace_ops ops;
	bool found;
};

/* Of each hook: all have to be there; the last has no function. */
extern struct tkhooks_site tkhooks_access_sites[];
extern struct tkhooks_site tkhooks_epoll_sites[];
extern struct tkhooks_site tkhooks_irqs_sites[];
extern struct tkhooks_site tkhooks_netbind_sites[];
extern struct tkhooks_site tkhooks_process_sites[];
extern struct tkhooks_site tkhooks_ptrace_sites[];
extern struct tkhooks_site tkhooks_signal_sites[];
extern struct tkhooks_site tkhooks_uname_sites[];

extern struct srcu_struct tkhooks_inside;

int tkhooks_find(const char *function, const char *signature, unsigned long *address);
int tkhooks_find_site(struct tkhooks_site *site);
int tkhooks_attach(struct tkhooks_site *sites);
void tkhooks_detach(struct tkhooks_site *sites);

/**
 * tkhooks_call - call a function of the kernel that it doesn't export
 * @address: of tkhooks_find()
 * @a: its arguments; what there is more than it has, 0
 * @b: "
 * @c: "
 * @d: "
 * @e: "
 * @f: "
 *
 * Context: the function's.
 * Return: what it returns, in the low bits if that is shorter.
 */
static __always_inline unsigned long
tkhooks_call(unsigned long address, unsigned long a, unsigned long b, unsigned long c,
	     unsigned long d, unsigned long e, unsigned long f)
{
	register unsigned long r8 asm("r8") = e;
	register unsigned long r9 asm("r9") = f;

	asm volatile("call tkhooks_go"
		     : "+a" (address), "+D" (a), "+S" (b), "+d" (c), "+c" (d),
		       "+r" (r8), "+r" (r9), ASM_CALL_CONSTRAINT
		     : : "r10", "r11", "cc", "memory");
	return address;
}

/*
 * What a function does that the site is around of, which has been found. Others who trace
 * the function don't see this call: they have seen the one before.
 */
static __always_inline unsigned long
tkhooks_original(const struct tkhooks_site *site, unsigned long a, unsigned long b,
		 unsigned long c, unsigned long d, unsigned long e, unsigned long f)
{
	return tkhooks_call(site->rest, a, b, c, d, e, f);
}

#endif
