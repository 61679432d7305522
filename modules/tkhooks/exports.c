// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that the patch exports and an unpatched kernel has for itself only, under
 * the same names.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pid.h>

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
