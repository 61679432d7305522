// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "attach.h"
#include "layout.h"

/* struct proc_inode, of which each inode of /proc is a part, in bytes. */
static struct {
	u32 pid, op, vfs_inode;
} proc_inode;

/* What @op is in those of /proc/PID/fd. */
static unsigned long fd_link;

static unsigned long btf_name;

static int find_member(const char *structure, const char *name, u32 *offset)
{
	const struct btf_member *member;
	const struct btf_type *type;
	struct btf *btf;
	s32 id = bpf_find_btf_id(structure, BTF_KIND_STRUCT, &btf);
	u16 i;

	if (id >= 0) {
		type = btf_type_by_id(btf, id);
		for_each_member(i, type, member) {
			const char *its = (const char *)tkhooks_call(btf_name,
				(unsigned long)btf, member->name_off, 0, 0, 0, 0);

			if (strcmp(its, name))
				continue;
			*offset = __btf_member_bit_offset(type, member) / 8;
			return 0;
		}
	}
	pr_warn("this kernel has no notes of %s in struct %s\n", name, structure);
	return -EOPNOTSUPP;
}

int tkhooks_find_layout(void)
{
	return tkhooks_find("btf_name_by_offset", "pp4", &btf_name) ?:
	       find_member("proc_inode", "pid", &proc_inode.pid) ?:
	       find_member("proc_inode", "op", &proc_inode.op) ?:
	       find_member("proc_inode", "vfs_inode", &proc_inode.vfs_inode) ?:
	       tkhooks_find("proc_fd_link", "4ppp", &fd_link);
}

static const void *proc_inode_member(const struct inode *inode, u32 offset)
{
	return (const void *)inode - proc_inode.vfs_inode + offset;
}

bool tkhooks_is_fd_link(const struct inode *inode)
{
	unsigned long op = *(unsigned long *)proc_inode_member(inode, proc_inode.op);

	/* Where jumps lead to, and what kprobes take for the beginning. */
	return op == fd_link || op + ENDBR_INSN_SIZE == fd_link;
}

struct pid *tkhooks_proc_pid(const struct inode *inode)
{
	return *(struct pid **)proc_inode_member(inode, proc_inode.pid);
}
