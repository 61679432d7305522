// SPDX-License-Identifier: GPL-2.0
/*
 * Helpers that need what hooks.patch exports: for modules that can't do without it.
 */
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/notifier.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/tkernel/procview.h>
#include <linux/vmstat.h>

#include "helpers.h"

unsigned long tk_helper_swap(unsigned long *free)
{
	/* Below 0 for a moment when some is taken away. */
	*free = max(get_nr_swap_pages(), 0L);
	return max(READ_ONCE(total_swap_pages), 0L);
}

const char *tk_helper_vmstat_name(size_t item)
{
	return vmstat_text[item];
}

struct tk_helper_cgroup_files {
	struct tk_helper_cgroup_file files[12];
	/* One more: an empty one ends the array. */
	struct cftype cfts[13];
};

/* Lock classes of files that aren't in static memory have to be made known. */
static void register_lockdep_keys(struct tk_helper_cgroup_files *all)
{
	for (struct cftype *cft = all->cfts; cft->name[0]; cft++)
		lockdep_register_key(&cft->lockdep_key);
}

static void unregister_lockdep_keys(struct tk_helper_cgroup_files *all)
{
	for (struct cftype *cft = all->cfts; cft->name[0]; cft++)
		lockdep_unregister_key(&cft->lockdep_key);
}

static struct tk_helper_cgroup_file *cgroup_file_of(struct cftype *cft)
{
	struct tk_helper_cgroup_files *files =
		container_of(cft - cft->private, struct tk_helper_cgroup_files,
			     cfts[0]);

	return &files->files[cft->private];
}

static int show_cgroup_file(struct seq_file *text, void *v)
{
	struct tk_helper_cgroup_file *file = cgroup_file_of(seq_cft(text));

	return file->show(seq_css(text), text, file->data);
}

static ssize_t write_cgroup_file(struct kernfs_open_file *of, char *text,
				 size_t len, loff_t pos)
{
	struct tk_helper_cgroup_file *file = cgroup_file_of(of_cft(of));
	int ret = file->write(of_css(of), strstrip(text), file->data);

	return ret ?: len;
}

struct tk_helper_cgroup_files *
tk_helper_cgroup_files_add(unsigned int controller, bool legacy,
			   const struct tk_helper_cgroup_file *files,
			   size_t nr)
{
	struct tk_helper_cgroup_files *all;
	size_t i;
	int ret;

	if (nr > ARRAY_SIZE(all->files))
		return ERR_PTR(-E2BIG);
	all = kzalloc_obj(*all);
	if (!all)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i < nr; i++) {
		struct cftype *cft = &all->cfts[i];

		all->files[i] = files[i];
		strscpy(cft->name, files[i].name);
		cft->private = i;
		cft->flags = CFTYPE_NOT_ON_ROOT;
		cft->seq_show = show_cgroup_file;
		if (files[i].write)
			cft->write = write_cgroup_file;
	}
	register_lockdep_keys(all);
	if (legacy)
		ret = cgroup_add_legacy_cftypes(cgroup_subsys[controller],
						all->cfts);
	else
		ret = cgroup_add_dfl_cftypes(cgroup_subsys[controller],
					     all->cfts);
	if (ret) {
		unregister_lockdep_keys(all);
		kfree(all);
		return ERR_PTR(ret);
	}
	return all;
}

void tk_helper_cgroup_files_remove(struct tk_helper_cgroup_files *files)
{
	/* Not there if the controller is off. */
	cgroup_rm_cftypes(files->cfts);
	unregister_lockdep_keys(files);
	kfree(files);
}

struct tk_helper_cgroup_notifier {
	struct notifier_block block;
	void (*removed)(u64 cgroup_id, void *data);
	void *data;
};

static int cgroup_notified(struct notifier_block *block, unsigned long event,
			   void *cgroup)
{
	struct tk_helper_cgroup_notifier *notifier =
		container_of(block, struct tk_helper_cgroup_notifier, block);

	if (event == CGROUP_LIFETIME_OFFLINE)
		notifier->removed(cgroup_id(cgroup), notifier->data);
	return NOTIFY_OK;
}

struct tk_helper_cgroup_notifier *
tk_helper_cgroup_notifier_add(void (*removed)(u64 cgroup_id, void *data),
			      void *data)
{
	struct tk_helper_cgroup_notifier *notifier = kzalloc_obj(*notifier);
	int ret;

	if (!notifier)
		return ERR_PTR(-ENOMEM);
	notifier->block.notifier_call = cgroup_notified;
	notifier->removed = removed;
	notifier->data = data;
	ret = blocking_notifier_chain_register(&cgroup_lifetime_notifier,
					       &notifier->block);
	if (ret) {
		kfree(notifier);
		return ERR_PTR(ret);
	}
	return notifier;
}

void tk_helper_cgroup_notifier_remove(struct tk_helper_cgroup_notifier *notifier)
{
	blocking_notifier_chain_unregister(&cgroup_lifetime_notifier,
					   &notifier->block);
	kfree(notifier);
}
