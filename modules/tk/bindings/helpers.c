// SPDX-License-Identifier: GPL-2.0
#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/cgroup.h>
#include <linux/cgroup_namespace.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/lockref.h>
#include <linux/math64.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/namei.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/overflow.h>
#include <linux/page_counter.h>
#include <linux/path.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/printk.h>
#include <linux/proc_fs.h>
#include <linux/ptrace.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/time_namespace.h>
#include <linux/topology.h>
#include <linux/timekeeping.h>
#include <linux/tkernel/procview.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

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

static int show_proc_file(struct seq_file *text, void *v)
{
	const struct tk_helper_proc_file *file = text->private;

	return file->show(text, file->data);
}

static int open_proc_file(struct inode *inode, struct file *file)
{
	return single_open(file, show_proc_file, pde_data(inode));
}

static ssize_t write_proc_file(struct file *file, const char __user *text,
			       size_t len, loff_t *pos)
{
	const struct tk_helper_proc_file *to = pde_data(file_inode(file));

	return to->write(file, (__force const char *)text, len, to->data);
}

static const struct proc_ops proc_file_ops = {
	.proc_open = open_proc_file,
	.proc_read = seq_read,
	.proc_write = write_proc_file,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

struct proc_dir_entry *
tk_helper_proc_create(const char *name, umode_t mode,
		      struct proc_dir_entry *directory,
		      const struct tk_helper_proc_file *file)
{
	return proc_create_data(name, mode, directory, &proc_file_ops,
				(void *)file);
}

bool tk_helper_file_capable(struct file *file, int capability)
{
	return file_ns_capable(file, &init_user_ns, capability);
}

bool tk_helper_file_net_capable(struct file *file, struct net *net,
				int capability)
{
	return file_ns_capable(file, net->user_ns, capability);
}

struct net *tk_helper_net_of_current(void)
{
	return current->nsproxy->net_ns;
}

struct net *tk_helper_init_net(void)
{
	return &init_net;
}

void tk_helper_net_get(struct net *net)
{
	get_net(net);
}

void tk_helper_net_put(struct net *net)
{
	put_net(net);
}

struct tk_helper_pernet {
	struct pernet_operations ops;
	unsigned int id;
};

struct tk_helper_pernet *tk_helper_pernet_new(size_t size)
{
	struct tk_helper_pernet *pernet = kzalloc_obj(*pernet);
	const struct pernet_operations ops = {
		.id = pernet ? &pernet->id : NULL,
		.size = size,
	};
	int ret;

	if (!pernet)
		return ERR_PTR(-ENOMEM);
	/* Some members are constants, so not by assignment. */
	memcpy(&pernet->ops, &ops, sizeof(ops));
	ret = register_pernet_subsys(&pernet->ops);
	if (ret) {
		kfree(pernet);
		return ERR_PTR(ret);
	}
	return pernet;
}

/* Operations on namespaces know no data, so a module has one of these. */
static const struct tk_helper_each_net *each_net;
static unsigned int each_net_id;

struct each_net_entry {
	void *what;
};

static int init_one_net(struct net *net)
{
	struct each_net_entry *entry = net_generic(net, each_net_id);

	entry->what = each_net->init(net, net_eq(net, &init_net),
				     each_net->data);
	return PTR_ERR_OR_ZERO(entry->what);
}

static void exit_one_net(struct net *net)
{
	struct each_net_entry *entry = net_generic(net, each_net_id);

	each_net->exit(entry->what);
}

static struct pernet_operations each_net_ops = {
	.init = init_one_net,
	.exit = exit_one_net,
	.id = &each_net_id,
	.size = sizeof(struct each_net_entry),
};

int tk_helper_each_net_register(const struct tk_helper_each_net *each)
{
	int ret;

	if (cmpxchg(&each_net, NULL, each))
		return -EBUSY;
	ret = register_pernet_subsys(&each_net_ops);
	if (ret)
		WRITE_ONCE(each_net, NULL);
	return ret;
}

void tk_helper_each_net_unregister(void)
{
	unregister_pernet_subsys(&each_net_ops);
	WRITE_ONCE(each_net, NULL);
}

bool tk_helper_net_capable(struct net *net, int capability)
{
	return ns_capable(net->user_ns, capability);
}

void *tk_helper_pernet_of(struct tk_helper_pernet *pernet, struct net *net)
{
	return net_generic(net, pernet->id);
}

/* In an RCU read-side section of whatever flavour. */
void *tk_helper_pernet_of_rcu(struct tk_helper_pernet *pernet, struct net *net)
{
	return rcu_dereference_check(net->gen, rcu_read_lock_any_held())->ptr[pernet->id];
}

void tk_helper_pernet_free(struct tk_helper_pernet *pernet)
{
	unregister_pernet_subsys(&pernet->ops);
	kfree(pernet);
}

unsigned int tk_helper_pid_namespace_level(void)
{
	return task_active_pid_ns(current)->level;
}

/* 0 for the initial one, and for more levels than there are. */
u64 tk_helper_pid_namespace_id(unsigned int outwards)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	if (!ns || outwards >= ns->level)
		return 0;
	while (outwards--)
		ns = ns->parent;
	return ns->ns.ns_id;
}

pid_t tk_helper_pid_number_outside(struct task_struct *task, enum pid_type type,
				   unsigned int levels)
{
	struct pid_namespace *ns = task_active_pid_ns(current);

	while (levels-- && ns->parent)
		ns = ns->parent;
	/* 0 if the task isn't known there, as when it is further out. */
	return __task_pid_nr_ns(task, type, ns);
}

bool tk_helper_signal_dumps_core(int sig)
{
	return sig_kernel_coredump(sig);
}

unsigned int tk_helper_save_stack(unsigned long *entries, unsigned int size)
{
	return stack_trace_save(entries, size, 1);
}

/* As dump_stack() has it. */
void tk_helper_print_stack(const unsigned long *entries, unsigned int nr)
{
	unsigned int i;

	pr_info("Call Trace:\n");
	for (i = 0; i < nr; i++)
		pr_info(" %pS\n", (void *)entries[i]);
}

void tk_helper_print_line(const char *line, size_t len)
{
	pr_info("%.*s\n", (int)len, line);
}

unsigned int tk_helper_tick_ms(void)
{
	return jiffies_to_msecs(1);
}

static bool thread_is_to_stop(void)
{
	return tsk_is_kthread(current) && kthread_should_stop();
}

/* Killed, or a kernel thread that is to stop: tk_helper_wait_woken() won't sleep. */
bool tk_helper_wait_interrupted(void)
{
	return fatal_signal_pending(current) || thread_is_to_stop();
}

/*
 * As wait_woken(), but to the nanosecond, or a hundredth of the timeout later: a
 * tick may be longer than the whole wait. KTIME_MAX is no timeout.
 */
void tk_helper_wait_woken(struct wait_queue_entry *entry, unsigned int state,
			  s64 timeout)
{
	ktime_t time = timeout;

	/* Pairs with the barriers of woken_wake_function(). */
	set_current_state(state);
	if (!(entry->flags & WQ_FLAG_WOKEN) && !thread_is_to_stop())
		schedule_hrtimeout_range(timeout == KTIME_MAX ? NULL : &time,
					 div_s64(timeout, 100), HRTIMER_MODE_REL);
	__set_current_state(TASK_RUNNING);
	/* A wake-up from here on is seen, or what came before it by the condition. */
	smp_store_mb(entry->flags, entry->flags & ~WQ_FLAG_WOKEN);
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

struct tk_helper_memory_counters tk_helper_memory_counters(void)
{
	return (struct tk_helper_memory_counters){
		.file = global_node_page_state(NR_FILE_PAGES),
		.file_lru = global_node_page_state(NR_ACTIVE_FILE) +
			    global_node_page_state(NR_INACTIVE_FILE),
		.shmem = global_node_page_state(NR_SHMEM),
		.swap_cache = global_node_page_state(NR_SWAPCACHE),
		.dirty = global_node_page_state(NR_FILE_DIRTY),
		.writeback = global_node_page_state(NR_WRITEBACK),
		.slab = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
			global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B),
	};
}

bool tk_helper_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

bool tk_helper_is_user_task(void)
{
	return !(current->flags & (PF_KTHREAD | PF_USER_WORKER));
}

void tk_helper_cond_resched(void)
{
	cond_resched();
}

unsigned long tk_helper_totalram_pages(void)
{
	return totalram_pages();
}

unsigned int tk_helper_online_cpus(void)
{
	return num_online_cpus();
}

unsigned int tk_helper_nr_node_ids(void)
{
	return nr_node_ids;
}

/* The first after @nid, or -1. */
int tk_helper_next_possible_node(int nid)
{
	nid = next_node(nid, node_possible_map);
	return nid < MAX_NUMNODES ? nid : -1;
}

int tk_helper_next_memory_node(int nid)
{
	nid = next_node(nid, node_states[N_MEMORY]);
	return nid < MAX_NUMNODES ? nid : -1;
}

/* What is off by a little may be below zero. */
unsigned long tk_helper_node_file_pages(int nid)
{
	struct pglist_data *node = NODE_DATA(nid);
	long pages = atomic_long_read(&node->vm_stat[NR_INACTIVE_FILE]) +
		     atomic_long_read(&node->vm_stat[NR_ACTIVE_FILE]);

	return max(pages, 0);
}

bool tk_helper_memcg_disabled(void)
{
	return mem_cgroup_disabled();
}

void tk_helper_memcg_get(struct mem_cgroup *memcg)
{
	css_get(&memcg->css);
}

void tk_helper_memcg_put(struct mem_cgroup *memcg)
{
	css_put(&memcg->css);
}

struct mem_cgroup *tk_helper_memcg_parent(struct mem_cgroup *memcg)
{
	return parent_mem_cgroup(memcg);
}

u64 tk_helper_memcg_serial(struct mem_cgroup *memcg)
{
	return memcg->css.serial_nr;
}

unsigned long tk_helper_memcg_max(struct mem_cgroup *memcg)
{
	return READ_ONCE(memcg->memory.max);
}

unsigned long tk_helper_memcg_usage(struct mem_cgroup *memcg)
{
	return page_counter_read(&memcg->memory);
}

struct cgroup *tk_helper_memcg_cgroup(struct mem_cgroup *memcg)
{
	return memcg->css.cgroup;
}

u64 tk_helper_memcg_cgroup_id(struct mem_cgroup *memcg)
{
	return cgroup_id(memcg->css.cgroup);
}

struct tk_helper_memcg_limits
tk_helper_memcg_limits(struct mem_cgroup *memcg)
{
	return (struct tk_helper_memcg_limits){
		.max = READ_ONCE(memcg->memory.max),
		.usage = page_counter_read(&memcg->memory),
		.swap_max = READ_ONCE(memcg->swap.max),
		.swap_usage = page_counter_read(&memcg->swap),
	};
}

unsigned long tk_helper_memcg_swap_usage(struct mem_cgroup *memcg)
{
	return page_counter_read(&memcg->swap);
}

struct cgroup *tk_helper_cgroup_of_namespace(void)
{
	/* The namespace keeps the css_set, which keeps the cgroup. */
	struct cgroup *cgrp = current->nsproxy->cgroup_ns->root_cset->dfl_cgrp;

	if (!cgroup_parent(cgrp))
		return NULL;
	css_get(&cgrp->self);
	return cgrp;
}

struct cgroup *tk_helper_cgroup_of_init(void)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	struct cgroup *cgrp;

	if (ns == &init_pid_ns)
		return NULL;
	guard(rcu)();
	/* Init isn't reaped before all others in its namespace, such as current. */
	cgrp = task_dfl_cgroup(READ_ONCE(ns->child_reaper));
	return cgroup_parent(cgrp) && css_tryget(&cgrp->self) ? cgrp : NULL;
}

/* Of the cgroup itself, or the nearest one above that has one. */
struct cgroup_subsys_state *tk_helper_cgroup_css(struct cgroup *cgrp,
						 unsigned int id)
{
	struct cgroup_subsys_state *css;

	guard(rcu)();
	for (; cgrp; cgrp = cgroup_parent(cgrp)) {
		css = rcu_dereference(cgrp->subsys[id]);
		if (css && css_tryget(css))
			return css;
	}
	return NULL;
}

void tk_helper_cgroup_get(struct cgroup *cgrp)
{
	css_get(&cgrp->self);
}

void tk_helper_cgroup_put(struct cgroup *cgrp)
{
	css_put(&cgrp->self);
}

void tk_helper_css_put(struct cgroup_subsys_state *css)
{
	css_put(css);
}

struct mem_cgroup *tk_helper_css_memcg(struct cgroup_subsys_state *css)
{
	return mem_cgroup_from_css(css);
}

struct cgroup *tk_helper_cgroup_parent(struct cgroup *cgrp)
{
	return cgroup_parent(cgrp);
}

struct cgroup_subsys_state *tk_helper_cgroup_self(struct cgroup *cgrp)
{
	return &cgrp->self;
}

u64 tk_helper_cgroup_id(struct cgroup *cgrp)
{
	return cgroup_id(cgrp);
}

bool tk_helper_cgroup_is_dead(struct cgroup *cgrp)
{
	/* The notifier of the end runs after this, under the same mutex. */
	return !(READ_ONCE(cgrp->self.flags) & CSS_ONLINE);
}

u64 tk_helper_pid_namespace_start(struct cgroup *cgrp)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	u64 start = 0;

	guard(rcu)();
	for (; ns != &init_pid_ns; ns = ns->parent) {
		struct task_struct *init = READ_ONCE(ns->child_reaper);

		if (!cgroup_is_descendant(task_dfl_cgroup(init), cgrp))
			break;
		start = init->start_boottime;
	}
	return start;
}

/* Behind the last one -1. */
int tk_helper_cpumask_next(int cpu, const struct cpumask *cpus)
{
	unsigned int next = cpumask_next(cpu, cpus);

	return next < nr_cpu_ids ? (int)next : -1;
}

void tk_helper_cpumask_online(struct cpumask *cpus)
{
	cpumask_copy(cpus, cpu_online_mask);
}

void tk_helper_cpumask_possible(struct cpumask *cpus)
{
	cpumask_copy(cpus, cpu_possible_mask);
}

/* How many of the first @count of @cpus share a package with @cpu, and cores. */
void tk_helper_cpu_neighbours(const struct cpumask *cpus, unsigned int count,
			      unsigned int cpu, unsigned int *siblings,
			      unsigned int *cores)
{
	unsigned int other;

	*siblings = 0;
	*cores = 0;
	for_each_cpu(other, cpus) {
		if (!count--)
			break;
		if (topology_physical_package_id(other) !=
		    topology_physical_package_id(cpu))
			continue;
		++*siblings;
		/* The first thread of a core stands for it. */
		if (cpumask_first_and(topology_sibling_cpumask(other), cpus) ==
		    other)
			++*cores;
	}
}

u64 tk_helper_boottime(void)
{
	return ktime_get_boottime_ns();
}

u64 tk_helper_booted_at(void)
{
	struct timespec64 at;

	getboottime64(&at);
	return timespec64_to_ns(&at);
}

bool tk_helper_time_namespace_offset(s64 *offset)
{
	struct time_namespace *ns = current->nsproxy->time_ns;

	*offset = timespec64_to_ns(&ns->offsets.boottime);
	return ns != &init_time_ns;
}

unsigned int tk_helper_last_pid(void)
{
	return idr_get_cursor(&task_active_pid_ns(current)->idr) - 1;
}

unsigned long tk_helper_free_pages(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

u64 tk_helper_vmalloc_total_kb(void)
{
	return (unsigned long)VMALLOC_TOTAL >> 10;
}

bool tk_helper_is_partition(struct block_device *bdev)
{
	return bdev_is_partition(bdev);
}

u64 tk_helper_mul_div(u64 a, u64 b, u64 divisor)
{
	return mul_u64_u64_div_u64(a, b, divisor);
}

size_t tk_helper_vmstat_items(void)
{
	return NR_VM_ZONE_STAT_ITEMS + NR_VM_NUMA_EVENT_ITEMS +
	       NR_VM_NODE_STAT_ITEMS + NR_VM_STAT_ITEMS + NR_VM_EVENT_ITEMS;
}

void tk_helper_vmstat_split(unsigned long *all,
			    struct tkernel_procview_vmstat *stat)
{
	stat->zone = all;
	stat->node = stat->zone + NR_VM_ZONE_STAT_ITEMS +
		     NR_VM_NUMA_EVENT_ITEMS;
	stat->event = stat->node + NR_VM_NODE_STAT_ITEMS + NR_VM_STAT_ITEMS;
}

int tk_helper_kstrtou64(const char *text, u64 *number)
{
	/* Also for what is too large, as in other files of cgroups. */
	return kstrtou64(text, 0, number) ? -EINVAL : 0;
}

struct tk_helper_delayed_work {
	struct delayed_work work;
	struct workqueue_struct *queue;
	void (*run)(void *data);
	void *data;
};

static void run_delayed_work(struct work_struct *work)
{
	struct tk_helper_delayed_work *delayed =
		container_of(to_delayed_work(work),
			     struct tk_helper_delayed_work, work);

	delayed->run(delayed->data);
}

/* Starts disabled: to queue it does nothing. */
struct tk_helper_delayed_work *tk_helper_delayed_work_new(const char *name)
{
	struct tk_helper_delayed_work *delayed = kzalloc_obj(*delayed);

	if (!delayed)
		return NULL;
	delayed->queue = alloc_workqueue("%s", WQ_UNBOUND | WQ_HIGHPRI, 1, name);
	if (!delayed->queue) {
		kfree(delayed);
		return NULL;
	}
	INIT_DELAYED_WORK(&delayed->work, run_delayed_work);
	disable_delayed_work(&delayed->work);
	return delayed;
}

void tk_helper_delayed_work_enable(struct tk_helper_delayed_work *delayed,
				   void (*run)(void *data), void *data)
{
	delayed->run = run;
	delayed->data = data;
	enable_delayed_work(&delayed->work);
}

void tk_helper_delayed_work_queue(struct tk_helper_delayed_work *delayed,
				  unsigned long delay)
{
	queue_delayed_work(delayed->queue, &delayed->work, delay);
}

void tk_helper_delayed_work_hasten(struct tk_helper_delayed_work *delayed)
{
	mod_delayed_work(delayed->queue, &delayed->work, 0);
}

void tk_helper_delayed_work_disable(struct tk_helper_delayed_work *delayed)
{
	disable_delayed_work_sync(&delayed->work);
}

void tk_helper_delayed_work_free(struct tk_helper_delayed_work *delayed)
{
	destroy_workqueue(delayed->queue);
	kfree(delayed);
}
