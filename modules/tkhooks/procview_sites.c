// SPDX-License-Identifier: GPL-2.0
/*
 * Where the kernel tells readers about the machine. Those on the host, which never left
 * the first namespaces, pay for a comparison and for ftrace's way there.
 */
#include "kernel_data.h"

#include <linux/blkdev.h>
#include <linux/cleanup.h>
#include <linux/compat.h>
#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysinfo.h>
#include <linux/time_namespace.h>
#include <linux/tkernel/procview.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>
#include <asm/processor.h>
#include <asm/ptrace.h>

#include "attach.h"
#include "text.h"

enum {
	MEMINFO, STAT, LOADAVG, UPTIME, SWAPS, DISKSTATS, BDEV_STAT, VMSTAT, CPUINFO_START,
	CPUINFO_NEXT, CPUINFO, CPUS, DIRECTORY, TASK_STAT, SYSINFO, COMPAT_SYSINFO,
};

static bool may_be_in_container(struct ftrace_regs *regs)
{
	return current->nsproxy != &init_nsproxy;
}

static long call(int site, const void *a, const void *b, const void *c)
{
	return tkhooks_original(&tkhooks_procview_sites[site], (unsigned long)a,
				(unsigned long)b, (unsigned long)c, 0, 0, 0);
}

/* Files that have a view, or not. */
#define AROUND_SHOW(_name, _file)					\
static int around_##_name(struct seq_file *m, void *v)			\
{									\
	guard(srcu)(&tkhooks_inside);					\
	if (tkernel_procview_show(TKERNEL_PROCVIEW_##_file, m, v))	\
		return 0;						\
	return call(_file, m, v, NULL);					\
}

AROUND_SHOW(stat, STAT)
AROUND_SHOW(loadavg, LOADAVG)
AROUND_SHOW(uptime, UPTIME)
AROUND_SHOW(swaps, SWAPS)
AROUND_SHOW(diskstats, DISKSTATS)

static int around_meminfo(struct seq_file *m, void *v)
{
	guard(srcu)(&tkhooks_inside);
	if (!tkernel_procview_show(TKERNEL_PROCVIEW_MEMINFO, m, v))
		return call(MEMINFO, m, v, NULL);
	tkernel_show_meminfo(m);
	return 0;
}

static ssize_t around_bdev_stat(struct device *dev, struct device_attribute *attr, char *buf)
{
	guard(srcu)(&tkhooks_inside);
	return tkernel_procview_attr(TKERNEL_PROCVIEW_BDEV_STAT, buf, dev_to_bdev(dev)) ?:
	       call(BDEV_STAT, dev, attr, buf);
}

static ssize_t around_cpus(struct device *dev, struct device_attribute *attr, char *buf)
{
	guard(srcu)(&tkhooks_inside);
	return tkernel_procview_cpus(buf) ?: call(CPUS, dev, attr, buf);
}

/* The kernel fills in the machine's counters; they are replaced before anybody sees them. */
static void *around_vmstat(struct seq_file *m, loff_t *pos)
{
	static const size_t nr = NR_VM_ZONE_STAT_ITEMS + NR_VM_NUMA_EVENT_ITEMS +
				 NR_VM_NODE_STAT_ITEMS + NR_VM_STAT_ITEMS +
				 (IS_ENABLED(CONFIG_VM_EVENT_COUNTERS) ? NR_VM_EVENT_ITEMS : 0);
	unsigned long *counters __free(kfree) = NULL;
	void *first;

	guard(srcu)(&tkhooks_inside);
	first = (void *)call(VMSTAT, m, pos, NULL);
	if (IS_ERR_OR_NULL(first))
		return first;
	counters = kmalloc_array(nr, sizeof(*counters), GFP_KERNEL);
	/* Its end frees what it has. */
	if (!counters)
		return ERR_PTR(-ENOMEM);
	if (tkernel_procview_vmstat(counters, nr))
		memcpy(m->private, counters, nr * sizeof(*counters));
	return first;
}

/*
 * /proc/cpuinfo: what a reader is to see in place of the machine's is in the file's
 * private word, which the kernel itself doesn't use.
 */

static void *cpuinfo_at(struct seq_file *m, loff_t *pos, bool *viewed)
{
	unsigned int cpu;

	m->private = NULL;
	*viewed = tkernel_procview_cpu(m, *pos, &cpu);
	return *viewed && cpu < nr_cpu_ids ? &cpu_data(cpu) : NULL;
}

static void *around_cpuinfo_start(struct seq_file *m, loff_t *pos)
{
	bool viewed;
	void *v;

	guard(srcu)(&tkhooks_inside);
	v = cpuinfo_at(m, pos, &viewed);
	return viewed ? v : (void *)call(CPUINFO_START, m, pos, NULL);
}

/* The former may be inlined in this one. */
static void *around_cpuinfo_next(struct seq_file *m, void *v, loff_t *pos)
{
	bool viewed;
	void *next;

	guard(srcu)(&tkhooks_inside);
	(*pos)++;
	next = cpuinfo_at(m, pos, &viewed);
	if (viewed)
		return next;
	(*pos)--;
	return (void *)call(CPUINFO_NEXT, m, v, pos);
}

static unsigned long find_cpuinfo_start(void)
{
	return (unsigned long)cpuinfo_op.start;
}

static unsigned long find_cpuinfo_next(void)
{
	return (unsigned long)cpuinfo_op.next;
}

static bool has_cpu_facts(struct ftrace_regs *regs)
{
	return ((struct seq_file *)ftrace_regs_get_argument(regs, 0))->private;
}

/* The number on the line of that name, of those written since @from. */
static void replace_number(struct seq_file *m, size_t from, const char *name,
			   enum tkernel_procview_cpu_fact fact)
{
	char *line, *number, *end, text[12];

	if (seq_has_overflowed(m))
		return;
	line = strnstr(m->buf + from, name, m->count - from);
	if (!line)
		return;
	number = line + strlen(name);
	for (end = number; end < m->buf + m->count && isdigit(*end); end++)
		;
	snprintf(text, sizeof(text), "%u", tkernel_procview_cpu_fact(m->private, fact, 0));
	tkhooks_replace(m, number, end - number, text);
}

static int around_cpuinfo(struct seq_file *m, void *v)
{
	size_t from = m->count;
	int ret;

	guard(srcu)(&tkhooks_inside);
	ret = call(CPUINFO, m, v, NULL);
	if (ret)
		return ret;
	replace_number(m, from, "processor\t: ", TKERNEL_PROCVIEW_CPU_NUMBER);
	replace_number(m, from, "\nsiblings\t: ", TKERNEL_PROCVIEW_CPU_SIBLINGS);
	replace_number(m, from, "\ncpu cores\t: ", TKERNEL_PROCVIEW_CPU_CORES);
	return 0;
}

/* A reader of a directory that is told of some of its entries only. */
struct filter {
	struct dir_context ctx;
	struct dir_context *reader;
	const struct cpumask *cpus;
};

static bool filter_entry(struct dir_context *ctx, const char *name, int len, loff_t pos,
			 u64 ino, unsigned int type)
{
	struct filter *filter = container_of(ctx, struct filter, ctx);
	bool goes_on;

	if (tkernel_procview_hides(filter->cpus, name))
		return true;
	filter->reader->pos = filter->ctx.pos;
	goes_on = filter->reader->actor(filter->reader, name, len, pos, ino, type);
	filter->ctx.count = filter->reader->count;
	return goes_on;
}

static int around_directory(struct file *file, struct dir_context *reader)
{
	struct filter filter = {
		.ctx.actor = filter_entry,
		.ctx.pos = reader->pos,
		.reader = reader,
	};
	struct cpumask *cpus __free(kfree) = NULL;
	int ret;

	guard(srcu)(&tkhooks_inside);
	cpus = tkernel_procview_cpu_dirs(file_inode(file)->i_private);
	if (!cpus)
		return call(DIRECTORY, file, reader, NULL);
	filter.ctx.count = reader->count;
	filter.ctx.dt_flags_mask = reader->dt_flags_mask;
	filter.cpus = cpus;
	ret = call(DIRECTORY, file, &filter.ctx, NULL);
	reader->pos = filter.ctx.pos;
	return ret;
}

/* The beginning of a field of /proc/PID/stat, of which the second may have spaces in it. */
static char *task_stat_field(char *line, char *end, int number)
{
	char *field = end;
	int at = 2;

	while (field > line && field[-1] != ')')
		field--;
	for (; field && at < number; at++) {
		field = memchr(field, ' ', end - field);
		if (field)
			field++;
	}
	return field;
}

static int around_task_stat(struct seq_file *m, struct pid_namespace *ns, struct pid *pid,
			    struct task_struct *task, int whole)
{
	size_t from = m->count;
	char *field, *end, text[24];
	u64 start, shown;
	int ret;

	guard(srcu)(&tkhooks_inside);
	ret = tkhooks_original(&tkhooks_procview_sites[TASK_STAT], (unsigned long)m,
			       (unsigned long)ns, (unsigned long)pid, (unsigned long)task,
			       whole, 0);
	start = timens_add_boottime_ns(task->start_boottime);
	shown = tkernel_procview_since_boot(start);
	if (ret || seq_has_overflowed(m) || shown == start)
		return ret;
	end = m->buf + m->count;
	field = task_stat_field(m->buf + from, end, 22);
	if (!field)
		return 0;
	for (end = field; isdigit(*end); end++)
		;
	BUILD_BUG_ON(NSEC_PER_SEC % USER_HZ);
	snprintf(text, sizeof(text), "%llu", div_u64(shown, NSEC_PER_SEC / USER_HZ));
	tkhooks_replace(m, field, end - field, text);
	return 0;
}

static long around_sysinfo(const struct pt_regs *regs)
{
	struct sysinfo info;

	guard(srcu)(&tkhooks_inside);
	if (!tkernel_procview_sysinfo(&info))
		return call(SYSINFO, regs, NULL, NULL);
	return copy_to_user((void __user *)regs->di, &info, sizeof(info)) ? -EFAULT : 0;
}

#ifdef CONFIG_IA32_EMULATION

/* struct sysinfo of 32-bit programs. */
struct sysinfo32 {
	s32 uptime;
	u32 loads[3];
	u32 totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u32 totalhigh, freehigh;
	u32 mem_unit;
	u8 unused[8];
};

static long around_compat_sysinfo(const struct pt_regs *regs)
{
	struct sysinfo32 told = {};
	struct sysinfo info;
	int shift = 0;

	guard(srcu)(&tkhooks_inside);
	if (!tkernel_procview_sysinfo(&info))
		return call(COMPAT_SYSINFO, regs, NULL, NULL);
	/* Only if it has to be the unit is another one, a page at most. */
	if (upper_32_bits(info.totalram) || upper_32_bits(info.totalswap))
		shift = PAGE_SHIFT - ilog2(info.mem_unit);
	told.uptime = info.uptime;
	told.loads[0] = info.loads[0];
	told.loads[1] = info.loads[1];
	told.loads[2] = info.loads[2];
	told.totalram = info.totalram >> shift;
	told.freeram = info.freeram >> shift;
	told.sharedram = info.sharedram >> shift;
	told.bufferram = info.bufferram >> shift;
	told.totalswap = info.totalswap >> shift;
	told.freeswap = info.freeswap >> shift;
	told.procs = info.procs;
	told.totalhigh = info.totalhigh >> shift;
	told.freehigh = info.freehigh >> shift;
	told.mem_unit = info.mem_unit << shift;
	return copy_to_user(compat_ptr(regs->bx), &told, sizeof(told)) ? -EFAULT : 0;
}

#endif

#define SITE(_function, _signature, _around)		\
{							\
	.function = _function,				\
	.signature = _signature,			\
	.around = _around,				\
	.when = may_be_in_container,			\
}

struct tkhooks_site tkhooks_procview_sites[] = {
	[MEMINFO] = SITE("meminfo_proc_show", "4pp", around_meminfo),
	[STAT] = SITE("show_stat", "4pp", around_stat),
	[LOADAVG] = SITE("loadavg_proc_show", "4pp", around_loadavg),
	[UPTIME] = SITE("uptime_proc_show", "4pp", around_uptime),
	[SWAPS] = SITE("swap_show", "4pp", around_swaps),
	[DISKSTATS] = SITE("diskstats_show", "4pp", around_diskstats),
	[BDEV_STAT] = SITE("part_stat_show", "8ppp", around_bdev_stat),
	[VMSTAT] = SITE("vmstat_start", "ppp", around_vmstat),
	[CPUINFO_START] = {
		.function = "c_start",
		.signature = "ppp",
		.find = find_cpuinfo_start,
		.around = around_cpuinfo_start,
		.when = may_be_in_container,
	},
	[CPUINFO_NEXT] = {
		.function = "c_next",
		.signature = "pppp",
		.find = find_cpuinfo_next,
		.around = around_cpuinfo_next,
		.when = may_be_in_container,
	},
	[CPUINFO] = {
		.function = "show_cpuinfo",
		.signature = "4pp",
		.around = around_cpuinfo,
		.when = has_cpu_facts,
	},
	[CPUS] = SITE("show_cpus_attr", "8ppp", around_cpus),
	[DIRECTORY] = SITE("kernfs_fop_readdir", "4pp", around_directory),
	[TASK_STAT] = SITE("do_task_stat", "4pppp4", around_task_stat),
	[SYSINFO] = SITE("__x64_sys_sysinfo", "8p", around_sysinfo),
#ifdef CONFIG_IA32_EMULATION
	[COMPAT_SYSINFO] = SITE("__ia32_compat_sys_sysinfo", "8p", around_compat_sysinfo),
#endif
	{}
};
