// SPDX-License-Identifier: GPL-2.0
/*
 * Where a process begins, before anybody can find it, and where it ends. Both by what
 * fork does for cgroups: that comes after the new process has got its numbers, and is
 * undone if the fork fails later.
 */
#include <linux/cgroup.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/tkernel/process.h>

#include "attach.h"

enum { FORK, CANCEL, RELEASE };

/* Of a task that isn't attached to it yet. The fork keeps it. */
static struct pid *pid_of_new(const struct task_struct *child)
{
	guard(rcu)();
	return find_pid_ns(child->pid, &init_pid_ns);
}

static int around_fork(struct task_struct *child, struct kernel_clone_args *args)
{
	struct pid *pid = NULL;
	int ret;

	guard(srcu)(&tkhooks_inside);
	/* The idle tasks of CPUs that come have number 0, which is none's. */
	if (!(args->flags & CLONE_THREAD))
		pid = pid_of_new(child);
	ret = pid ? tkernel_process_fork(child, pid, args->flags) : 0;
	if (ret)
		return ret;
	ret = tkhooks_original(&tkhooks_process_sites[FORK], (unsigned long)child,
			       (unsigned long)args, 0, 0, 0, 0);
	if (ret && pid)
		tkernel_process_release(pid);
	return ret;
}

static void around_cancel(struct task_struct *child, struct kernel_clone_args *args)
{
	struct pid *pid = NULL;

	guard(srcu)(&tkhooks_inside);
	if (!(args->flags & CLONE_THREAD))
		pid = pid_of_new(child);
	tkhooks_original(&tkhooks_process_sites[CANCEL], (unsigned long)child,
			 (unsigned long)args, 0, 0, 0, 0);
	if (pid)
		tkernel_process_release(pid);
}

/* The end of the last thread may be that of the process, whose leader went before. */
static void around_release(struct task_struct *task)
{
	struct pid *pid;

	guard(srcu)(&tkhooks_inside);
	pid = get_pid(task_tgid(task));
	tkhooks_original(&tkhooks_process_sites[RELEASE], (unsigned long)task,
			 0, 0, 0, 0, 0);
	if (!pid_has_task(pid, PIDTYPE_TGID))
		tkernel_process_release(pid);
	put_pid(pid);
}

struct tkhooks_site tkhooks_process_sites[] = {
	[FORK] = {
		.function = "cgroup_can_fork",
		.signature = "4pp",
		.around = around_fork,
	},
	[CANCEL] = {
		.function = "cgroup_cancel_fork",
		.signature = "0pp",
		.around = around_cancel,
	},
	[RELEASE] = {
		.function = "release_task",
		.signature = "0p",
		.around = around_release,
	},
	{}
};
