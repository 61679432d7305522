// SPDX-License-Identifier: GPL-2.0
/*
 * A file more in /proc/PID and /proc/PID/task/TID. What the kernel keeps of it, inodes
 * and names of those that somebody has open, may be there when the module isn't, so
 * nothing in it is the module's: it is made by the kernel's own function as one that
 * fails, and what is read from it otherwise comes from here.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "proc_fs.h"

#include <linux/cleanup.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/tkernel/pidfile.h>

#include "../../fs/proc/internal.h"
#include "attach.h"
#include "layout.h"
#include "pidfile.h"

enum { LOOKUP, READDIR, SHOW };
enum { INSTANTIATE, TASK_NAME, BAD_OPEN };

/* The kernel's struct pid_entry: what proc_pident_instantiate() makes a file of. */
static struct entry {
	const char *name;
	unsigned int len;
	umode_t mode;
	const struct inode_operations *iop;
	const struct file_operations *fop;
	union proc_op op;
} entry = { .mode = S_IFREG | 0444 };

/* Of processes, and of threads; other directories come the same way. */
static const void *tgid_entries, *tid_entries;

static struct tkhooks_function functions[] = {
	[INSTANTIATE] = { "proc_pident_instantiate", "pppp" },
	[TASK_NAME] = { "proc_task_name", "0pp1" },
	/* Returns -EIO, whatever its arguments are; only its address is used. */
	[BAD_OPEN] = { "bad_file_open", "4pp" },
	{}
};

static unsigned long call(int site, const void *a, const void *b, const void *c,
			  unsigned long d)
{
	return tkhooks_original(&tkhooks_pidfile_sites[site], (unsigned long)a,
				(unsigned long)b, (unsigned long)c, d, 0, 0);
}

static bool may_have_it(const void *entries)
{
	return entries == tgid_entries || entries == tid_entries;
}

static struct dentry *instantiate(struct inode *dir, struct dentry *dentry)
{
	struct task_struct *task = get_pid_task(proc_pid(dir), PIDTYPE_PID);
	struct dentry *made;

	if (!task)
		return ERR_PTR(-ENOENT);
	made = (struct dentry *)tkhooks_call(functions[INSTANTIATE].address,
					     (unsigned long)dentry, (unsigned long)task,
					     (unsigned long)&entry, 0, 0, 0);
	put_task_struct(task);
	/* It goes with its last user; those that have one are looked for at the end. */
	if (!IS_ERR(made))
		d_mark_dontcache(d_inode(made ?: dentry));
	return made;
}

static struct dentry *around_lookup(struct inode *dir, struct dentry *dentry,
				    const void *entries, const void *end)
{
	struct dentry *found;

	guard(srcu)(&tkhooks_inside);
	found = (struct dentry *)call(LOOKUP, dir, dentry, entries, (unsigned long)end);
	if (found != ERR_PTR(-ENOENT) || !may_have_it(entries) ||
	    !tkernel_pidfile_has(&dentry->d_name))
		return found;
	return instantiate(dir, dentry);
}

/* Behind the kernel's own. */
static int around_readdir(struct file *file, struct dir_context *ctx, const void *entries,
			  unsigned int nr)
{
	char name[TKERNEL_PIDFILE_NAME_SIZE];
	int ret;

	guard(srcu)(&tkhooks_inside);
	ret = call(READDIR, file, ctx, entries, nr);
	if (ret || !may_have_it(entries) || ctx->pos != nr + 2 || !tkernel_pidfile_name(name))
		return ret;
	/* It has no inode yet; the number is what the kernel has for those. */
	if (dir_emit(ctx, name, strlen(name), 1, DT_REG))
		ctx->pos++;
	return 0;
}

/* An inode of /proc; no other has that function. */
static bool is_it(const struct inode *inode)
{
	return PROC_I(inode)->op.proc_show == entry.op.proc_show;
}

/* int proc_single_show(struct seq_file *m, void *v) */
static bool shows_it(struct ftrace_regs *regs)
{
	const struct seq_file *m = (void *)ftrace_regs_get_argument(regs, 0);

	return is_it(m->private);
}

static int around_show(struct seq_file *m, void *v)
{
	struct inode *inode = m->private;
	struct pid *pid = proc_pid(inode);
	struct task_struct *task;
	int ret;

	guard(srcu)(&tkhooks_inside);
	task = get_pid_task(pid, PIDTYPE_PID);
	if (!task)
		return -ESRCH;
	ret = tkernel_pidfile_show(m, proc_pid_ns(inode->i_sb), pid, task);
	put_task_struct(task);
	return ret;
}

static void drop_name(struct inode *inode)
{
	struct dentry *dentry = d_find_alias(inode);

	if (dentry)
		d_drop(dentry);
	dput(dentry);
}

/* The one that was looked at last is kept, for the place in the list. */
static void drop_names(struct super_block *sb, void *unused)
{
	struct inode *inode, *last = NULL;

	spin_lock(&sb->s_inode_list_lock);
	list_for_each_entry(inode, &sb->s_inodes, i_sb_list) {
		if ((!is_it(inode) && !need_resched()) || !igrab(inode))
			continue;
		spin_unlock(&sb->s_inode_list_lock);
		if (is_it(inode))
			drop_name(inode);
		iput(last);
		last = inode;
		cond_resched();
		spin_lock(&sb->s_inode_list_lock);
	}
	spin_unlock(&sb->s_inode_list_lock);
	iput(last);
}

void tkhooks_drop_pidfiles(void)
{
	struct file_system_type *proc = get_fs_type("proc");

	if (!proc)
		return;
	iterate_supers_type(proc, drop_names, NULL);
	module_put(proc->owner);
}

void proc_task_name(struct seq_file *m, struct task_struct *task, bool escape)
{
	tkhooks_call(functions[TASK_NAME].address, (unsigned long)m, (unsigned long)task,
		     escape, 0, 0, 0);
}

/* Whether this kernel's is the one above. */
static int check_entry(void)
{
	static struct tkhooks_member mode, fop, op;
	int ret = tkhooks_find_member("pid_entry", "mode", &mode) ?:
		  tkhooks_find_member("pid_entry", "fop", &fop) ?:
		  tkhooks_find_member("pid_entry", "op", &op);

	if (ret)
		return ret;
	if (op.structure != sizeof(entry) ||
	    mode.at != offsetof(struct entry, mode) * BITS_PER_BYTE ||
	    fop.at != offsetof(struct entry, fop) * BITS_PER_BYTE ||
	    op.at != offsetof(struct entry, op) * BITS_PER_BYTE) {
		pr_warn("this kernel's struct pid_entry is another one\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

int tkhooks_find_pidfile(void)
{
	/* It is called as what it isn't, which is checked there. */
	if (IS_ENABLED(CONFIG_CFI)) {
		pr_warn("this kernel checks of what type what it calls is\n");
		return -EOPNOTSUPP;
	}
	return check_entry() ?:
	       tkhooks_find_all(functions) ?:
	       tkhooks_find_data("tgid_base_stuff", &tgid_entries) ?:
	       tkhooks_find_data("tid_base_stuff", &tid_entries) ?:
	       tkhooks_find_data("proc_single_file_operations", &entry.fop) ?:
	       tkhooks_find_data("bad_file_open", &entry.op.proc_show);
}

struct tkhooks_site tkhooks_pidfile_sites[] = {
	[LOOKUP] = {
		.function = "proc_pident_lookup",
		.signature = "ppppp",
		.around = around_lookup,
	},
	[READDIR] = {
		.function = "proc_pident_readdir",
		.signature = "4ppp4",
		.around = around_readdir,
	},
	[SHOW] = {
		.function = "proc_single_show",
		.signature = "4pp",
		.around = around_show,
		.when = shows_it,
	},
	{}
};
