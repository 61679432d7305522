/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inline functions and macros of the kernel that Rust can't call, one plain
 * function each.
 */
#ifndef _TK_HELPERS_H
#define _TK_HELPERS_H

#include <linux/pid_types.h>
#include <linux/types.h>

struct block_device;
struct cgroup;
struct cgroup_subsys_state;
struct cpumask;
struct file;
struct mem_cgroup;
struct net;
struct pid;
struct proc_dir_entry;
struct ratelimit_state;
struct seq_file;
struct task_struct;
struct tkernel_procview_vmstat;
struct wait_queue_head;

struct pid *tk_helper_get_pid(struct pid *pid);
struct pid *tk_helper_get_task_tgid(struct task_struct *task);
pid_t tk_helper_pid_nr(struct pid *pid);
bool tk_helper_same_thread_group(struct task_struct *a, struct task_struct *b);
struct task_struct *tk_helper_ptrace_parent(struct task_struct *task);
struct task_struct *tk_helper_real_parent(struct task_struct *task);
struct task_struct *tk_helper_next_process(struct task_struct *process);
bool tk_helper_uses_our_memory(struct task_struct *process);
bool tk_helper_others_use_our_memory(void);

long tk_helper_file_count(struct file *file);
bool tk_helper_file_is_anon(struct file *file);
int tk_helper_file_dentry_count(struct file *file);

void tk_helper_ratelimit_default_init(struct ratelimit_state *rs);

bool tk_helper_path_exists(const char *path);

/* A file of /proc: @show prints @data, @write gets it. */
struct tk_helper_proc_file {
	int (*show)(struct seq_file *text, void *data);
	ssize_t (*write)(struct file *file, const char *text, size_t len,
			 void *data);
	void *data;
};

struct proc_dir_entry *
tk_helper_proc_create(const char *name, umode_t mode,
		      struct proc_dir_entry *directory,
		      const struct tk_helper_proc_file *file);
bool tk_helper_file_capable(struct file *file, int capability);
bool tk_helper_file_net_capable(struct file *file, struct net *net,
				int capability);

struct net *tk_helper_net_of_current(void);
struct net *tk_helper_init_net(void);
void tk_helper_net_get(struct net *net);
void tk_helper_net_put(struct net *net);

bool tk_helper_net_capable(struct net *net, int capability);

/*
 * Called for each network namespace that there is, and as they come and go.
 * What @init returns, unless it is an error, @exit gets back.
 */
struct tk_helper_each_net {
	void *(*init)(struct net *net, bool is_initial, void *data);
	void (*exit)(void *what);
	void *data;
};

int tk_helper_each_net_register(const struct tk_helper_each_net *each);
void tk_helper_each_net_unregister(void);

struct tk_helper_pernet;
struct tk_helper_pernet *tk_helper_pernet_new(size_t size);
void *tk_helper_pernet_of(struct tk_helper_pernet *pernet, struct net *net);
void *tk_helper_pernet_of_rcu(struct tk_helper_pernet *pernet, struct net *net);
void tk_helper_pernet_free(struct tk_helper_pernet *pernet);

unsigned int tk_helper_pid_namespace_level(void);
u64 tk_helper_pid_namespace_id(unsigned int outwards);
pid_t tk_helper_pid_number_outside(struct task_struct *task, enum pid_type type,
				   unsigned int levels);

bool tk_helper_signal_dumps_core(int sig);
unsigned int tk_helper_save_stack(unsigned long *entries, unsigned int size);
void tk_helper_print_stack(const unsigned long *entries, unsigned int nr);
void tk_helper_print_line(const char *line, size_t len);
unsigned int tk_helper_tick_ms(void);

bool tk_helper_wait_interrupted(void);
void tk_helper_wait_woken(struct wait_queue_entry *entry, unsigned int state,
			  s64 timeout);
bool tk_helper_wq_has_sleeper(struct wait_queue_head *head);

s64 __percpu *tk_helper_percpu_alloc(void);
s64 tk_helper_percpu_add_return(s64 __percpu *counter, s64 n);
void tk_helper_percpu_set(s64 __percpu *counter, s64 n);
void tk_helper_percpu_set_all(s64 __percpu *counter, s64 n);
s64 tk_helper_percpu_sum(s64 __percpu *counter);

/* In pages, see vm_stat. */
struct tk_helper_memory_counters {
	unsigned long file;
	unsigned long file_lru;
	unsigned long shmem;
	unsigned long swap_cache;
	unsigned long dirty;
	unsigned long writeback;
	unsigned long slab;
};

struct tk_helper_memory_counters tk_helper_memory_counters(void);
bool tk_helper_fatal_signal_pending(void);
bool tk_helper_is_user_task(void);
void tk_helper_cond_resched(void);

unsigned long tk_helper_totalram_pages(void);
unsigned int tk_helper_online_cpus(void);
unsigned int tk_helper_nr_node_ids(void);
int tk_helper_next_possible_node(int nid);
int tk_helper_next_memory_node(int nid);
unsigned long tk_helper_node_file_pages(int nid);

bool tk_helper_memcg_disabled(void);
void tk_helper_memcg_get(struct mem_cgroup *memcg);
void tk_helper_memcg_put(struct mem_cgroup *memcg);
struct mem_cgroup *tk_helper_memcg_parent(struct mem_cgroup *memcg);
u64 tk_helper_memcg_serial(struct mem_cgroup *memcg);
unsigned long tk_helper_memcg_max(struct mem_cgroup *memcg);
unsigned long tk_helper_memcg_usage(struct mem_cgroup *memcg);
struct cgroup *tk_helper_memcg_cgroup(struct mem_cgroup *memcg);
u64 tk_helper_memcg_cgroup_id(struct mem_cgroup *memcg);

/* In pages. */
struct tk_helper_memcg_limits {
	unsigned long max;
	unsigned long usage;
	unsigned long swap_max;
	unsigned long swap_usage;
};

struct tk_helper_memcg_limits
tk_helper_memcg_limits(struct mem_cgroup *memcg);
unsigned long tk_helper_memcg_swap_usage(struct mem_cgroup *memcg);

/* The next three return a reference, or NULL. */
struct cgroup *tk_helper_cgroup_of_namespace(void);
struct cgroup *tk_helper_cgroup_of_init(void);
struct cgroup_subsys_state *tk_helper_cgroup_css(struct cgroup *cgrp,
						 unsigned int id);
void tk_helper_cgroup_get(struct cgroup *cgrp);
void tk_helper_cgroup_put(struct cgroup *cgrp);
void tk_helper_css_put(struct cgroup_subsys_state *css);
struct mem_cgroup *tk_helper_css_memcg(struct cgroup_subsys_state *css);
struct cgroup *tk_helper_cgroup_parent(struct cgroup *cgrp);
struct cgroup_subsys_state *tk_helper_cgroup_self(struct cgroup *cgrp);
u64 tk_helper_cgroup_id(struct cgroup *cgrp);
bool tk_helper_cgroup_is_dead(struct cgroup *cgrp);
u64 tk_helper_pid_namespace_start(struct cgroup *cgrp);

int tk_helper_cpumask_next(int cpu, const struct cpumask *cpus);
void tk_helper_cpumask_online(struct cpumask *cpus);
void tk_helper_cpumask_possible(struct cpumask *cpus);
void tk_helper_cpu_neighbours(const struct cpumask *cpus, unsigned int count,
			      unsigned int cpu, unsigned int *siblings,
			      unsigned int *cores);

u64 tk_helper_boottime(void);
u64 tk_helper_booted_at(void);
bool tk_helper_time_namespace_offset(s64 *offset);
unsigned int tk_helper_last_pid(void);
unsigned long tk_helper_swap(unsigned long *free);
unsigned long tk_helper_free_pages(void);
u64 tk_helper_vmalloc_total_kb(void);

bool tk_helper_is_partition(struct block_device *bdev);

u64 tk_helper_mul_div(u64 a, u64 b, u64 divisor);

size_t tk_helper_vmstat_items(void);
const char *tk_helper_vmstat_name(size_t item);
void tk_helper_vmstat_split(unsigned long *all,
			    struct tkernel_procview_vmstat *stat);

/* A file in each cgroup; @write may be NULL and gets the text without blanks around it. */
struct tk_helper_cgroup_file {
	const char *name;
	int (*show)(struct cgroup_subsys_state *css, struct seq_file *text,
		    void *data);
	int (*write)(struct cgroup_subsys_state *css, const char *text,
		     void *data);
	void *data;
};

struct tk_helper_cgroup_files;
struct tk_helper_cgroup_files *
tk_helper_cgroup_files_add(unsigned int controller, bool legacy,
			   const struct tk_helper_cgroup_file *files,
			   size_t nr);
void tk_helper_cgroup_files_remove(struct tk_helper_cgroup_files *files);

struct tk_helper_cgroup_notifier;
struct tk_helper_cgroup_notifier *
tk_helper_cgroup_notifier_add(void (*removed)(u64 cgroup_id, void *data),
			      void *data);
void tk_helper_cgroup_notifier_remove(struct tk_helper_cgroup_notifier *notifier);

int tk_helper_kstrtou64(const char *text, u64 *number);

struct tk_helper_delayed_work;
struct tk_helper_delayed_work *tk_helper_delayed_work_new(const char *name);
void tk_helper_delayed_work_enable(struct tk_helper_delayed_work *delayed,
				   void (*run)(void *data), void *data);
void tk_helper_delayed_work_queue(struct tk_helper_delayed_work *delayed,
				  unsigned long delay);
void tk_helper_delayed_work_hasten(struct tk_helper_delayed_work *delayed);
void tk_helper_delayed_work_disable(struct tk_helper_delayed_work *delayed);
void tk_helper_delayed_work_free(struct tk_helper_delayed_work *delayed);

#endif /* _TK_HELPERS_H */
