/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is in structures that the kernel's headers don't have, by its own notes (BTF).
 */
#ifndef TKHOOKS_LAYOUT_H
#define TKHOOKS_LAYOUT_H

#include <linux/btf.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/types.h>

/**
 * struct tkhooks_member - where a member of a structure is
 * @structure: the structure's size in bytes
 * @at: where it begins, in bits
 * @bits: its size
 */
struct tkhooks_member {
	u32 structure;
	u32 at;
	u32 bits;
};

const struct btf_type *tkhooks_btf_type(const struct btf *btf, u32 id);
int tkhooks_find_member(const char *structure, const char *path, struct tkhooks_member *found);

int tkhooks_find_data(const char *name, void *place);

/* What features link to: kernel_data.h. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_exported_data(void);

/* -EOPNOTSUPP if this kernel has something else; the log says what. Sleeps. */
int tkhooks_find_layout(void);

/* After that: whether an inode of /proc is one of those in /proc/PID/fd. */
bool tkhooks_is_fd_link(const struct inode *inode);

/* Whose an inode of /proc/PID is. */
struct pid *tkhooks_proc_pid(const struct inode *inode);

#endif
