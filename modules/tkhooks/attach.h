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
 * struct tkhooks_caller - a function of the kernel that calls another one
 * @function: its name
 * @signature: as struct tkhooks_site has it
 * @returns: where its calls return to, as far as they have been found
 */
struct tkhooks_caller {
	const char *function;
	const char *signature;
	unsigned long returns[4];
};

/**
 * struct tkhooks_site - where a hook is called from
 * @function: the kernel's function, by name
 * @signature: what it returns and takes, a character each: p for a pointer, its
 *	size for a number, 0 for nothing
 * @find: if it isn't NULL: finds the function where others have the same name;
 *	returns its address, 0 if there is none
 * @enter: called before each call of it with the registers, among them the
 *	arguments, which may be changed. Preemption is off: it must not sleep.
 * @callers: with @enter, if it isn't NULL: those whose calls alone it is for; the last
 *	has no function
 * @answers: the same, but if it returns true the function isn't run, and returns
 *	what @answers has put into the register of results
 * @before: the same in its context, where it may sleep, with up to six arguments; the
 *	function runs when it has returned, with those it was called with
 * @around: called instead of it, with its arguments, in its context; what it calls
 *	the function itself with is tkhooks_original(). It has to be in a read-side
 *	section of tkhooks_inside from its beginning to its end.
 * @when: with @before or @around, if it isn't NULL: called before each call with the
 *	registers; only if it returns true that is called. Preemption is off.
 * @rest: the function behind what ftrace has of it, 0 until it has been found with
 *	that signature
 *
 * One of @enter, @answers, @before, @around is set. But for the first nobody else can
 * have the function's place, as livepatch does; if he has, the hook can't be had.
 */
struct tkhooks_site {
	const char *function;
	const char *signature;
	unsigned long (*find)(void);
	void (*enter)(struct pt_regs *regs);
	struct tkhooks_caller *callers;
	bool (*answers)(struct pt_regs *regs);
	void (*before)(const unsigned long *arguments);
	void *around;
	bool (*when)(struct ftrace_regs *regs);
	unsigned long rest;
};

/* In which way sites are called by ftrace. */
enum tkhooks_kind { TKHOOKS_ENTER, TKHOOKS_ANSWERS, TKHOOKS_DIVERT, TKHOOKS_KINDS };

/**
 * struct tkhooks_attached - the sites of a hook, all of which have to be there
 * @sites: the last has no function
 * @kinds: ftrace's. One for many functions: each that goes waits until every task has
 *	slept, or was seen in user mode
 */
struct tkhooks_attached {
	struct tkhooks_site *sites;
	struct tkhooks_ops {
		struct ftrace_ops ops;
		struct tkhooks_site *sites;
	} kinds[TKHOOKS_KINDS];
};

/* Of each hook. */
extern struct tkhooks_site tkhooks_access_sites[];
extern struct tkhooks_site tkhooks_epoll_sites[];
extern struct tkhooks_site tkhooks_irqs_sites[];
extern struct tkhooks_site tkhooks_mounts_sites[];
extern struct tkhooks_site tkhooks_netbind_sites[];
extern struct tkhooks_site tkhooks_pagecache_sites[];
extern struct tkhooks_site tkhooks_pidfile_sites[];
extern struct tkhooks_site tkhooks_process_sites[];
extern struct tkhooks_site tkhooks_procview_sites[];
extern struct tkhooks_site tkhooks_ptrace_sites[];
extern struct tkhooks_site tkhooks_signal_sites[];
extern struct tkhooks_site tkhooks_tcp_sites[];
extern struct tkhooks_site tkhooks_uname_sites[];

extern struct srcu_struct tkhooks_inside;

/**
 * struct tkhooks_function - a function of the kernel that is called
 * @name: its name, of which there is one
 * @signature: as struct tkhooks_site has it
 * @address: what tkhooks_call() takes, 0 until it has been found
 */
struct tkhooks_function {
	const char *name;
	const char *signature;
	unsigned long address;
};

int tkhooks_find(const char *function, const char *signature, unsigned long *address);
int tkhooks_find_all(struct tkhooks_function *functions);
int tkhooks_find_site(struct tkhooks_site *site);
int tkhooks_attach(struct tkhooks_attached *attached);
void tkhooks_detach(struct tkhooks_attached *attached);

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

/* The same of a function that has two more arguments than there are registers for. */
static __always_inline unsigned long
tkhooks_original8(const struct tkhooks_site *site, unsigned long a, unsigned long b,
		  unsigned long c, unsigned long d, unsigned long e, unsigned long f,
		  unsigned long g, unsigned long h)
{
	register unsigned long r8 asm("r8") = e;
	register unsigned long r9 asm("r9") = f;
	unsigned long address = site->rest;

	asm volatile("pushq %[h]\n\t"
		     "pushq %[g]\n\t"
		     "call tkhooks_go\n\t"
		     "addq $16, %%rsp"
		     : "+a" (address), "+D" (a), "+S" (b), "+d" (c), "+c" (d),
		       "+r" (r8), "+r" (r9), ASM_CALL_CONSTRAINT
		     : [g] "r" (g), [h] "r" (h)
		     : "r10", "r11", "cc", "memory");
	return address;
}

#endif
