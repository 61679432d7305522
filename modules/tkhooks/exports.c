// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that the patch exports, or its own files call, and an unpatched kernel has
 * for itself only, under the same names.
 */
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pid.h>

#include "attach.h"
#include "mounts.h"

struct pid *pidfd_get_pid(unsigned int fd, unsigned int *flags)
{
	struct inode *inode;

	CLASS(fd, file)(fd);
	if (fd_empty(file))
		return ERR_PTR(-EBADF);
	inode = file_inode(fd_file(file));
	/* All its files are pidfds. */
	if (inode->i_sb->s_magic != PID_FS_MAGIC || !S_ISREG(inode->i_mode))
		return ERR_PTR(-EBADF);
	*flags = fd_file(file)->f_flags;
	return get_pid(inode->i_private);
}
EXPORT_SYMBOL_GPL(pidfd_get_pid);

static struct tkhooks_function cgroup_files[] = {
	{ "cgroup_add_dfl_cftypes", "4pp" },
	{ "cgroup_add_legacy_cftypes", "4pp" },
	{ "cgroup_rm_cftypes", "4p" },
	{}
};

static int add_cftypes(struct tkhooks_function *add, struct cgroup_subsys *ss,
		       struct cftype *cfts)
{
	/* Features may call this side by side; what is found is the same. */
	int ret = tkhooks_find_all(cgroup_files);

	return ret ?: (int)tkhooks_call(add->address, (unsigned long)ss,
					(unsigned long)cfts, 0, 0, 0, 0);
}

int cgroup_add_dfl_cftypes(struct cgroup_subsys *ss, struct cftype *cfts)
{
	return add_cftypes(&cgroup_files[0], ss, cfts);
}
EXPORT_SYMBOL_GPL(cgroup_add_dfl_cftypes);

int cgroup_add_legacy_cftypes(struct cgroup_subsys *ss, struct cftype *cfts)
{
	return add_cftypes(&cgroup_files[1], ss, cfts);
}
EXPORT_SYMBOL_GPL(cgroup_add_legacy_cftypes);

/* It was found when these were added. */
int cgroup_rm_cftypes(struct cftype *cfts)
{
	return tkhooks_call(cgroup_files[2].address, (unsigned long)cfts, 0, 0, 0, 0, 0);
}
EXPORT_SYMBOL_GPL(cgroup_rm_cftypes);

static struct tkhooks_function path_of[] = { { "__d_path", "pppp4" }, {} };

int tkhooks_find_path(void)
{
	return tkhooks_find_all(path_of);
}

char *__d_path(const struct path *path, const struct path *root, char *buf, int size)
{
	return (char *)tkhooks_call(path_of->address, (unsigned long)path,
				    (unsigned long)root, (unsigned long)buf, size, 0, 0);
}
