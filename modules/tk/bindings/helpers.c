// SPDX-License-Identifier: GPL-2.0
#include <linux/cleanup.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/lockref.h>
#include <linux/mm_types.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "helpers.h"

struct pid *tk_helper_get_pid(struct pid *pid)
{
	return get_pid(pid);
}

struct pid *tk_helper_get_task_tgid(struct task_struct *task)
{
	return get_task_pid(task, PIDTYPE_TGID);
}

pid_t tk_helper_pid_nr(struct pid *pid)
{
	return pid_nr(pid);
}

bool tk_helper_same_thread_group(struct task_struct *a, struct task_struct *b)
{
	return same_thread_group(a, b);
}

struct task_struct *tk_helper_ptrace_parent(struct task_struct *task)
{
	/* Whatever read side the caller is in; this one is for the checker. */
	guard(rcu)();
	return ptrace_parent(task);
}

struct task_struct *tk_helper_real_parent(struct task_struct *task)
{
	return rcu_dereference_check(task->real_parent,
				     rcu_read_lock_any_held());
}

/* The first process if there is none before; none after the last. */
struct task_struct *tk_helper_next_process(struct task_struct *process)
{
	process = next_task(process ?: &init_task);
	return process == &init_task ? NULL : process;
}

bool tk_helper_uses_our_memory(struct task_struct *process)
{
	struct task_struct *thread;

	/*
	 * Not for_each_thread(): checkers make it ask for tasklist_lock, which
	 * modules can't have. Threads that have ended use no memory.
	 */
	list_for_each_entry_rcu(thread, &process->signal->thread_head,
				thread_node) {
		struct mm_struct *mm = READ_ONCE(thread->mm);

		if (mm)
			return mm == current->mm;
	}
	return false;
}

/* Never wrongly no: each thread of ours is one user. */
bool tk_helper_others_use_our_memory(void)
{
	return current->mm &&
	       atomic_read(&current->mm->mm_users) > get_nr_threads(current);
}

long tk_helper_file_count(struct file *file)
{
	return file_count(file);
}

bool tk_helper_file_is_anon(struct file *file)
{
	return IS_ANON_FILE(file_inode(file));
}

int tk_helper_file_dentry_count(struct file *file)
{
	struct dentry *dentry = file_dentry(file);

	return dentry ? READ_ONCE(dentry->d_lockref.count) : 0;
}

void tk_helper_ratelimit_default_init(struct ratelimit_state *rs)
{
	ratelimit_default_init(rs);
}

bool tk_helper_path_exists(const char *name)
{
	struct path path;

	if (kern_path(name, 0, &path))
		return false;
	path_put(&path);
	return true;
}

/* Killed, or a kernel thread that is to stop: wait_woken() won't sleep. */
bool tk_helper_wait_interrupted(void)
{
	return fatal_signal_pending(current) ||
	       (tsk_is_kthread(current) && kthread_should_stop());
}

bool tk_helper_wq_has_sleeper(struct wait_queue_head *head)
{
	return wq_has_sleeper(head);
}

s64 __percpu *tk_helper_percpu_alloc(void)
{
	return alloc_percpu(s64);
}

s64 tk_helper_percpu_add_return(s64 __percpu *counter, s64 n)
{
	return this_cpu_add_return(*counter, n);
}

void tk_helper_percpu_set(s64 __percpu *counter, s64 n)
{
	this_cpu_write(*counter, n);
}

void tk_helper_percpu_set_all(s64 __percpu *counter, s64 n)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(*per_cpu_ptr(counter, cpu), n);
}

s64 tk_helper_percpu_sum(s64 __percpu *counter)
{
	s64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter, cpu));
	return sum;
}
