/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in structures that the kernel's headers don't have, by its own notes (BTF).
 */
#ifndef TKHOOKS_LAYOUT_H
#define TKHOOKS_LAYOUT_H

#include <linux/fs.h>
#include <linux/pid.h>

/* -EOPNOTSUPP if this kernel has something else; the log says what. Sleeps. */
int tkhooks_find_layout(void);

/* After that: whether an inode of /proc is one of those in /proc/PID/fd. */
bool tkhooks_is_fd_link(const struct inode *inode);

/* Whose an inode of /proc/PID is. */
struct pid *tkhooks_proc_pid(const struct inode *inode);

#endif
