// SPDX-License-Identifier: GPL-2.0
/*
 * Where ptrace(2) attaches, and where its other operations begin. ptrace_check_attach(),
 * which these go through, is inlined in one of its callers.
 */
#include <linux/compat.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/tkernel/ptrace.h>
#include <asm/ptrace.h>

#include "attach.h"

static bool refuses(struct pt_regs *regs, struct task_struct *task, long request)
{
	int ret = tkernel_ptrace_pre_hook(task, request);

	regs->ax = ret;
	return ret;
}

/* (struct task_struct *task, long request, unsigned long addr, unsigned long flags) */
static bool answers_attach(struct pt_regs *regs)
{
	return refuses(regs, (struct task_struct *)regs->di, regs->si);
}

/* They look it up again; whoever it is then, only his tracer gets any further. */
static bool answers_request(struct pt_regs *regs, long request, pid_t pid)
{
	struct task_struct *task;

	if (request == PTRACE_TRACEME || request == PTRACE_ATTACH || request == PTRACE_SEIZE)
		return false;
	guard(rcu)();
	task = pid_task(find_vpid(pid), PIDTYPE_PID);
	return task && refuses(regs, task, request);
}

/* (const struct pt_regs *caller) */
static bool answers_syscall(struct pt_regs *regs)
{
	const struct pt_regs *caller = (const struct pt_regs *)regs->di;

	return answers_request(regs, caller->di, caller->si);
}

#ifdef CONFIG_IA32_EMULATION
static bool answers_compat_syscall(struct pt_regs *regs)
{
	const struct pt_regs *caller = (const struct pt_regs *)regs->di;

	return answers_request(regs, (compat_long_t)caller->bx, caller->cx);
}
#endif

/* (void) */
static bool answers_traceme(struct pt_regs *regs)
{
	return refuses(regs, current, PTRACE_TRACEME);
}

struct tkhooks_site tkhooks_ptrace_sites[] = {
	{
		.function = "ptrace_attach",
		.signature = "4p888",
		.answers = answers_attach,
	},
	{
		.function = "__x64_sys_ptrace",
		.signature = "8p",
		.answers = answers_syscall,
	},
#ifdef CONFIG_IA32_EMULATION
	{
		.function = "__ia32_compat_sys_ptrace",
		.signature = "8p",
		.answers = answers_compat_syscall,
	},
#endif
	{
		.function = "ptrace_traceme",
		.signature = "4",
		.answers = answers_traceme,
	},
	{}
};
