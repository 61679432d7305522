// SPDX-License-Identifier: GPL-2.0
/*
 * Where mounts are listed: in files of /proc, by statmount(2) and by listmount(2). What
 * the latter two do is inlined in the system calls, but for what looks for the root
 * directory that paths are relative to, and, of each mount that may be in listmount(2)'s
 * answer, whether its path is below the directory that was asked for.
 */
#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/tkernel/mounts.h>
#include <uapi/linux/mount.h>

#include "../../fs/mount.h"
#include "attach.h"
#include "layout.h"
#include "mounts.h"

enum {
	MOUNTINFO, MOUNTS, MOUNTSTATS, ROOT, SUBDIR, STATMOUNT, LISTMOUNT, IA32_STATMOUNT,
	IA32_LISTMOUNT,
};

static struct tkhooks_member statmount_mnt, statmount_root, listmount_last,
	listmount_parent, listmount_root;

static unsigned long call(int site, const void *a, const void *b, const void *c)
{
	return tkhooks_original(&tkhooks_mounts_sites[site], (unsigned long)a,
				(unsigned long)b, (unsigned long)c, 0, 0, 0);
}

static int show(int site, struct seq_file *m, struct vfsmount *mnt)
{
	struct proc_mounts *mounts = m->private;

	guard(srcu)(&tkhooks_inside);
	if (tkernel_mounts_hides(mnt, &mounts->root))
		return SEQ_SKIP;
	return call(site, m, mnt, NULL);
}

#define AROUND_SHOW(_name, _site)					\
static int around_##_name(struct seq_file *m, struct vfsmount *mnt)	\
{									\
	return show(_site, m, mnt);					\
}

AROUND_SHOW(mountinfo, MOUNTINFO)
AROUND_SHOW(mounts, MOUNTS)
AROUND_SHOW(mountstats, MOUNTSTATS)

/**
 * struct asking - a system call that asks about mounts
 * @entry: in the list of all
 * @task: whose
 * @lists: it is listmount(2), not statmount(2)
 * @reverse: it lists from the last on
 * @root: the root directory that paths are relative to, once it has been found; a member
 *	of what the call has on its stack or has allocated
 * @parent: what the listed mounts are below, NULL before that is known
 * @parent_id: the number that it was asked for by, or LSMT_ROOT
 * @parent_dentry: the directory of it
 * @parent_at: where that is in the mount of the root directory, if it has to be asked
 *	first whether it is below the root
 * @next: where to look for the next mount that it is asked of
 */
struct asking {
	struct list_head entry;
	const struct task_struct *task;
	bool lists;
	bool reverse;
	const struct path *root;
	const struct vfsmount *parent;
	u64 parent_id;
	const struct dentry *parent_dentry;
	const struct dentry *parent_at;
	struct rb_node *next;
};

static LIST_HEAD(askers);
static DEFINE_SPINLOCK(askers_lock);

/* Who came into the system call before it was attached to isn't one. */
static struct asking *currents(void)
{
	struct asking *asking;

	guard(spinlock)(&askers_lock);
	list_for_each_entry(asking, &askers, entry) {
		if (asking->task == current)
			return asking;
	}
	return NULL;
}

static long ask(int site, const struct pt_regs *regs, bool lists, unsigned int flags)
{
	struct asking asking = {
		.task = current,
		.lists = lists,
		.reverse = lists && flags & LISTMOUNT_REVERSE,
	};
	long ret;

	guard(srcu)(&tkhooks_inside);
	scoped_guard(spinlock, &askers_lock)
		list_add(&asking.entry, &askers);
	ret = call(site, regs, NULL, NULL);
	scoped_guard(spinlock, &askers_lock)
		list_del(&asking.entry);
	return ret;
}

static long around_statmount(const struct pt_regs *regs)
{
	return ask(STATMOUNT, regs, false, 0);
}

static long around_listmount(const struct pt_regs *regs)
{
	return ask(LISTMOUNT, regs, true, regs->r10);
}

#ifdef CONFIG_IA32_EMULATION
static long around_ia32_statmount(const struct pt_regs *regs)
{
	return ask(IA32_STATMOUNT, regs, false, 0);
}

static long around_ia32_listmount(const struct pt_regs *regs)
{
	return ask(IA32_LISTMOUNT, regs, true, regs->si);
}
#endif

static bool somebody_asks(struct ftrace_regs *regs)
{
	return !list_empty(&askers);
}

/* What is beside that member, in the same structure. */
static const void *beside(const struct path *root, struct tkhooks_member its,
			  struct tkhooks_member other)
{
	return (const void *)root - its.at / BITS_PER_BYTE + other.at / BITS_PER_BYTE;
}

/* The first mount from @id on, or the last up to it, in the order of listmount(2). */
static struct rb_node *node_from(const struct mnt_namespace *ns, u64 id, bool reverse)
{
	struct rb_node *node = ns->mounts.rb_node, *found = NULL;

	while (node) {
		u64 its = rb_entry(node, struct mount, mnt_node)->mnt_id_unique;

		if (its == id)
			return node;
		if (reverse ? its < id : its > id)
			found = node;
		node = its > id ? node->rb_left : node->rb_right;
	}
	return found;
}

static struct rb_node *node_after(struct rb_node *node, bool reverse)
{
	return reverse ? rb_prev(node) : rb_next(node);
}

/* Where a directory of a mount is in a mount above it; NULL if that isn't above it. */
static const struct dentry *place_in(const struct vfsmount *above, const struct mount *mount,
				     const struct dentry *dentry)
{
	while (&mount->mnt != above && mnt_has_parent(mount)) {
		dentry = mount->mnt_mountpoint;
		mount = mount->mnt_parent;
	}
	return &mount->mnt == above ? dentry : NULL;
}

/* The mount that listmount(2) is asked to list those below of; NULL if there is none. */
static struct mount *listed_one(const struct asking *asking, const struct mnt_namespace *ns)
{
	struct rb_node *node = node_from(ns, asking->parent_id, false);
	struct mount *mount = node ? rb_entry(node, struct mount, mnt_node) : NULL;

	return mount && mount->mnt_id_unique == asking->parent_id ? mount : NULL;
}

/* Before it lists: what, and from where. */
static bool begins_hidden(struct asking *asking, const struct mnt_namespace *ns)
{
	const struct path *root = asking->root;
	u64 last = *(const u64 *)beside(root, listmount_root, listmount_last);
	struct mount *mount = real_mount(root->mnt);
	struct dentry *dentry = root->dentry;

	asking->parent_id = *(const u64 *)beside(root, listmount_root, listmount_parent);
	if (asking->parent_id != LSMT_ROOT) {
		mount = listed_one(asking, ns);
		/* The kernel will say so. */
		if (!mount)
			return false;
		dentry = mount->mnt.mnt_root;
		if (tkernel_mounts_hides(&mount->mnt, root))
			return true;
	}
	asking->parent_at = place_in(root->mnt, mount, dentry);
	asking->parent_dentry = dentry;
	if (last)
		asking->next = node_from(ns, asking->reverse ? last - 1 : last + 1,
					 asking->reverse);
	else
		asking->next = asking->reverse ? ns->mnt_last_node : ns->mnt_first_node;
	asking->parent = &mount->mnt;
	return false;
}

/* Only these two system calls look for it; namespace_sem is held for reading. */
static int around_root(struct mnt_namespace *ns, struct path *root)
{
	struct asking *asking;
	bool hidden;
	int ret;

	guard(srcu)(&tkhooks_inside);
	ret = call(ROOT, ns, root, NULL);
	asking = currents();
	if (ret || !asking)
		return ret;
	asking->root = root;
	hidden = asking->lists ? begins_hidden(asking, ns) :
		 tkernel_mounts_hides(*(struct vfsmount **)beside(root, statmount_root,
								  statmount_mnt), root);
	return hidden ? -ENOENT : 0;
}

/*
 * Whose path it is that listmount(2) asks of now: of the next mount that is below the
 * parent's, as the tree of mounts can't change meanwhile. NULL if it isn't listmount(2)
 * that asks, but somebody whom it has called.
 */
static struct mount *asked_of(struct asking *asking, const struct dentry *place,
			      const struct dentry *above)
{
	struct rb_node *node;

	if (!asking->parent || above != asking->parent_dentry)
		return NULL;
	for (node = asking->next; node; node = node_after(node, asking->reverse)) {
		struct mount *mount = rb_entry(node, struct mount, mnt_node);
		const struct dentry *its;

		if (mount->mnt_id_unique == asking->parent_id)
			continue;
		its = place_in(asking->parent, mount, mount->mnt.mnt_root);
		if (!its)
			continue;
		if (its != place)
			return NULL;
		asking->next = node_after(node, asking->reverse);
		return mount;
	}
	return NULL;
}

static bool around_subdir(struct dentry *place, struct dentry *above)
{
	struct asking *asking;
	struct mount *mount;
	bool is_below;

	guard(srcu)(&tkhooks_inside);
	is_below = (u8)call(SUBDIR, place, above, NULL);
	asking = currents();
	if (!asking || !asking->lists || !asking->root)
		return is_below;
	/* Of what was asked for itself, at first. */
	if (asking->parent_at && place == asking->parent_at && above == asking->root->dentry) {
		asking->parent_at = NULL;
		return is_below;
	}
	mount = asked_of(asking, place, above);
	return is_below && !(mount && tkernel_mounts_hides(&mount->mnt, asking->root));
}

int tkhooks_find_mounts(void)
{
	return tkhooks_find_member("kstatmount", "mnt", &statmount_mnt) ?:
	       tkhooks_find_member("kstatmount", "root", &statmount_root) ?:
	       tkhooks_find_member("klistmount", "last_mnt_id", &listmount_last) ?:
	       tkhooks_find_member("klistmount", "mnt_parent_id", &listmount_parent) ?:
	       tkhooks_find_member("klistmount", "root", &listmount_root) ?:
	       tkhooks_find_path();
}

struct tkhooks_site tkhooks_mounts_sites[] = {
	[MOUNTINFO] = {
		.function = "show_mountinfo",
		.signature = "4pp",
		.around = around_mountinfo,
	},
	[MOUNTS] = {
		.function = "show_vfsmnt",
		.signature = "4pp",
		.around = around_mounts,
	},
	[MOUNTSTATS] = {
		.function = "show_vfsstat",
		.signature = "4pp",
		.around = around_mountstats,
	},
	[ROOT] = {
		.function = "grab_requested_root",
		.signature = "4pp",
		.around = around_root,
		.when = somebody_asks,
	},
	[SUBDIR] = {
		.function = "is_subdir",
		.signature = "1pp",
		.around = around_subdir,
		.when = somebody_asks,
	},
	[STATMOUNT] = {
		.function = "__x64_sys_statmount",
		.signature = "8p",
		.around = around_statmount,
	},
	[LISTMOUNT] = {
		.function = "__x64_sys_listmount",
		.signature = "8p",
		.around = around_listmount,
	},
#ifdef CONFIG_IA32_EMULATION
	[IA32_STATMOUNT] = {
		.function = "__ia32_sys_statmount",
		.signature = "8p",
		.around = around_ia32_statmount,
	},
	[IA32_LISTMOUNT] = {
		.function = "__ia32_sys_listmount",
		.signature = "8p",
		.around = around_ia32_listmount,
	},
#endif
	{}
};
