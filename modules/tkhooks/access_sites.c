// SPDX-License-Identifier: GPL-2.0
/*
 * Where somebody looks into another process: the kernel's own check, who gets its memory,
 * and who follows its file descriptors. Reads and writes by /proc/PID/mem and environ, and
 * process_vm_readv(2) and its twin, are asked about when they begin, and for each page. perf's
 * own check is inlined: the system call is asked about instead.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/tkernel/access.h>
#include <linux/tkernel/ptrace.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "attach.h"
#include "layout.h"

enum { CHECK, MM, MEM, ENVIRON, LINK };

static int native_check(struct task_struct *task, unsigned int mode)
{
	return tkhooks_original(&tkhooks_access_sites[CHECK], (unsigned long)task, mode,
				0, 0, 0, 0);
}

/* Under task_lock(@task). */
static int around_check(struct task_struct *task, unsigned int mode)
{
	guard(srcu)(&tkhooks_inside);
	return native_check(task, mode) ?:
	       tkernel_mm_access(task, task->mm, mode, TKERNEL_ACCESS_PTRACE);
}

/* Also while the access hook isn't attached: who registers with ptrace's may ask. */
bool tkernel_ptrace_native_access(struct task_struct *task, unsigned int mode)
{
	guard(task_lock)(task);
	return !native_check(task, mode);
}
EXPORT_SYMBOL_GPL(tkernel_ptrace_native_access);

static struct mm_struct *around_mm(struct task_struct *task, unsigned int mode)
{
	struct mm_struct *mm;

	guard(srcu)(&tkhooks_inside);
	mm = (struct mm_struct *)tkhooks_original(&tkhooks_access_sites[MM],
						  (unsigned long)task, mode, 0, 0, 0, 0);
	if (IS_ERR_OR_NULL(mm) || !tkernel_mm_access(task, mm, mode, TKERNEL_ACCESS_MM))
		return mm;
	mmput(mm);
	return ERR_PTR(-EACCES);
}

/* (struct file *file, …): the descriptor was got while it was allowed. */
static bool answers_file(struct pt_regs *regs)
{
	struct mm_struct *mm = ((struct file *)regs->di)->private_data;

	if (!mm || !tkernel_mm_access(NULL, mm, 0, TKERNEL_ACCESS_MM))
		return false;
	regs->ax = -EPERM;
	return true;
}

/*
 * (struct mm_struct *mm, unsigned long addr, void *buf, int len, …), for the next page: the
 * caller's own memory may have kept it waiting. Nothing is transferred any more then.
 */
static void enter_remote(struct pt_regs *regs)
{
	if (tkernel_mm_access(NULL, (struct mm_struct *)regs->di, 0, TKERNEL_ACCESS_MM))
		regs->cx = 0;
}

/* Nobody but the caller can change this number, and he is in the call. */
static bool in_process_vm_call(void)
{
	int number = syscall_get_nr(current, current_pt_regs());

#ifdef CONFIG_IA32_EMULATION
	if (in_ia32_syscall())
		return number == __NR_ia32_process_vm_readv ||
		       number == __NR_ia32_process_vm_writev;
#endif
#ifdef CONFIG_X86_X32_ABI
	number &= ~__X32_SYSCALL_BIT;
	if (number == __NR_x32_process_vm_readv || number == __NR_x32_process_vm_writev)
		return true;
#endif
	return number == __NR_process_vm_readv || number == __NR_process_vm_writev;
}

/*
 * (struct mm_struct *mm, unsigned long start, unsigned long nr_pages, …): what it has taken
 * hold of it copies without asking, however long the caller's memory keeps it waiting
 * between pages. So it takes one at a time.
 */
static void enter_pin(struct pt_regs *regs)
{
	if (!in_process_vm_call())
		return;
	if (tkernel_mm_access(NULL, (struct mm_struct *)regs->di, 0, TKERNEL_ACCESS_MM))
		regs->dx = 0;
	else
		regs->dx = min(regs->dx, 1);
}

/* (struct dentry *dentry, struct inode *inode, struct delayed_call *done) */
static bool answers_link(struct pt_regs *regs)
{
	struct inode *inode = (struct inode *)regs->si;
	struct task_struct *task;
	int ret;

	/* None while a path is walked without references: it is asked again. */
	if (!regs->di || !tkhooks_is_fd_link(inode))
		return false;
	task = get_pid_task(tkhooks_proc_pid(inode), PIDTYPE_PID);
	if (!task)
		return false;
	ret = tkernel_task_access(task, PTRACE_MODE_READ_FSCREDS, TKERNEL_ACCESS_FD);
	put_task_struct(task);
	regs->ax = -EACCES;
	return ret;
}

/* They look it up again. Whether signals are to be sent as well is no other question. */
static bool answers_perf(struct pt_regs *regs, pid_t pid, unsigned long flags)
{
	struct task_struct *task;

	/* All processes, or the caller. */
	if (pid <= 0 || flags & PERF_FLAG_PID_CGROUP)
		return false;
	guard(rcu)();
	task = pid_task(find_vpid(pid), PIDTYPE_PID);
	if (!task || !tkernel_task_access(task, PTRACE_MODE_READ_REALCREDS,
					  TKERNEL_ACCESS_PERF))
		return false;
	regs->ax = -EACCES;
	return true;
}

/* (const struct pt_regs *caller), who calls with (attr, pid, cpu, group_fd, flags) */
static bool answers_perf_syscall(struct pt_regs *regs)
{
	const struct pt_regs *caller = (const struct pt_regs *)regs->di;

	return answers_perf(regs, caller->si, caller->r8);
}

#ifdef CONFIG_IA32_EMULATION
static bool answers_ia32_perf_syscall(struct pt_regs *regs)
{
	const struct pt_regs *caller = (const struct pt_regs *)regs->di;

	return answers_perf(regs, caller->cx, caller->di);
}
#endif

/* What else calls it shows command lines, which all may read. */
static struct tkhooks_caller remote_callers[] = {
	{ .function = "mem_rw", .signature = "8pp8p4" },
	{ .function = "environ_read", .signature = "8pp8p" },
	{}
};

struct tkhooks_site tkhooks_access_sites[] = {
	[CHECK] = {
		.function = "__ptrace_may_access",
		.signature = "4p4",
		.around = around_check,
	},
	[MM] = {
		.function = "mm_access",
		.signature = "pp4",
		.around = around_mm,
	},
	[MEM] = {
		.function = "mem_rw",
		.signature = "8pp8p4",
		.answers = answers_file,
	},
	[ENVIRON] = {
		.function = "environ_read",
		.signature = "8pp8p",
		.answers = answers_file,
	},
	[LINK] = {
		.function = "proc_pid_get_link",
		.signature = "pppp",
		.answers = answers_link,
	},
	{
		.function = "access_remote_vm",
		.signature = "4p8p44",
		.enter = enter_remote,
		.callers = remote_callers,
	},
	{
		.function = "pin_user_pages_remote",
		.signature = "8p884pp",
		.enter = enter_pin,
	},
	{
		.function = "__x64_sys_perf_event_open",
		.signature = "8p",
		.answers = answers_perf_syscall,
	},
#ifdef CONFIG_IA32_EMULATION
	{
		.function = "__ia32_sys_perf_event_open",
		.signature = "8p",
		.answers = answers_ia32_perf_syscall,
	},
#endif
	{}
};
