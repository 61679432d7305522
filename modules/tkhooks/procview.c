// SPDX-License-Identifier: GPL-2.0
/*
 * What views are made of: functions that the patch exports or its own file for this hook
 * calls, under their own names, and what this calls of the pressure stall information.
 */
#include "kernel_data.h"

#include <linux/cgroup.h>
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/nsproxy.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/psi_types.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/seqlock.h>
#include <linux/tkernel/procview.h>
#include <asm/processor.h>

#include "attach.h"
#include "layout.h"
#include "procview.h"

const struct seq_operations *tkhooks_cpuinfo_op;
struct cgroup_namespace *tkhooks_init_cgroup_ns;
struct nsproxy *tkhooks_init_nsproxy;

enum {
	CSS_RSTAT_FLUSH, FLUSH_STATS, PAGE_STATE, EVENTS, STAT_VALID, EVENT_VALID,
	TASK_ITER_START, TASK_ITER_NEXT, TASK_ITER_END, ARCH_MEMINFO, HUGETLB_MEMINFO,
};

static struct tkhooks_function functions[] = {
	[CSS_RSTAT_FLUSH] = { "css_rstat_flush", "0p" },
	[FLUSH_STATS] = { "mem_cgroup_flush_stats", "0p" },
	[PAGE_STATE] = { "memcg_page_state", "8p4" },
	[EVENTS] = { "memcg_events", "8p4" },
	[STAT_VALID] = { "memcg_stat_item_valid", "14" },
	[EVENT_VALID] = { "memcg_vm_event_item_valid", "14" },
	[TASK_ITER_START] = { "css_task_iter_start", "0p4p" },
	[TASK_ITER_NEXT] = { "css_task_iter_next", "pp" },
	[TASK_ITER_END] = { "css_task_iter_end", "0p" },
	[ARCH_MEMINFO] = { "arch_report_meminfo", "0p" },
#ifdef CONFIG_HUGETLB_PAGE
	[HUGETLB_MEMINFO] = { "hugetlb_report_meminfo", "0p" },
#endif
	{}
};

#ifdef CONFIG_PSI
static seqcount_t __percpu *psi_seq;
#endif

int tkhooks_find_procview(void)
{
	int ret = tkhooks_find_all(functions) ?:
		  tkhooks_find_data("cpuinfo_op", &tkhooks_cpuinfo_op) ?:
		  tkhooks_find_data("init_cgroup_ns", &tkhooks_init_cgroup_ns) ?:
		  tkhooks_find_data("init_nsproxy", &tkhooks_init_nsproxy);

#ifdef CONFIG_PSI
	if (!ret)
		ret = tkhooks_find_data("psi_seq", &psi_seq);
#endif
	return ret;
}

static unsigned long call(int function, const void *a, unsigned long b, const void *c)
{
	return tkhooks_call(functions[function].address, (unsigned long)a, b,
			    (unsigned long)c, 0, 0, 0);
}

void css_rstat_flush(struct cgroup_subsys_state *css)
{
	call(CSS_RSTAT_FLUSH, css, 0, NULL);
}
EXPORT_SYMBOL_GPL(css_rstat_flush);

void mem_cgroup_flush_stats(struct mem_cgroup *memcg)
{
	call(FLUSH_STATS, memcg, 0, NULL);
}
EXPORT_SYMBOL_GPL(mem_cgroup_flush_stats);

unsigned long memcg_page_state(struct mem_cgroup *memcg, int idx)
{
	return call(PAGE_STATE, memcg, idx, NULL);
}
EXPORT_SYMBOL_GPL(memcg_page_state);

unsigned long memcg_events(struct mem_cgroup *memcg, int event)
{
	return call(EVENTS, memcg, event, NULL);
}

bool memcg_stat_item_valid(int idx)
{
	return (u8)tkhooks_call(functions[STAT_VALID].address, idx, 0, 0, 0, 0, 0);
}

bool memcg_vm_event_item_valid(enum vm_event_item idx)
{
	return (u8)tkhooks_call(functions[EVENT_VALID].address, idx, 0, 0, 0, 0, 0);
}

void css_task_iter_start(struct cgroup_subsys_state *css, unsigned int flags,
			 struct css_task_iter *it)
{
	call(TASK_ITER_START, css, flags, it);
}

struct task_struct *css_task_iter_next(struct css_task_iter *it)
{
	return (struct task_struct *)call(TASK_ITER_NEXT, it, 0, NULL);
}

void css_task_iter_end(struct css_task_iter *it)
{
	call(TASK_ITER_END, it, 0, NULL);
}

void arch_report_meminfo(struct seq_file *m)
{
	call(ARCH_MEMINFO, m, 0, NULL);
}

#ifdef CONFIG_HUGETLB_PAGE
void hugetlb_report_meminfo(struct seq_file *m)
{
	call(HUGETLB_MEMINFO, m, 0, NULL);
}
#endif

#ifdef CONFIG_PSI
/* As the patch's. */
u32 tkernel_psi_io_full(struct psi_group *group, int cpu)
{
	const struct psi_group_cpu *groupc = per_cpu_ptr(group->pcpu, cpu);
	const seqcount_t *changes = per_cpu_ptr(psi_seq, cpu);
	unsigned int seq;
	u32 time;

	do {
		seq = read_seqcount_begin(changes);
		time = groupc->times[PSI_IO_FULL];
		if (groupc->state_mask & BIT(PSI_IO_FULL))
			time += cpu_clock(cpu) - groupc->state_start;
	} while (read_seqcount_retry(changes, seq));
	return time;
}
#endif
