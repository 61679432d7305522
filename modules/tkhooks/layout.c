// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "attach.h"
#include "layout.h"

/* struct proc_inode, of which each inode of /proc is a part. */
static struct {
	struct tkhooks_member pid, op, vfs_inode;
} proc_inode;

/* What @op is in those of /proc/PID/fd. */
static unsigned long fd_link;

static struct tkhooks_function btf_name[] = { { "btf_name_by_offset", "pp4" }, {} };

static const char *name_of(const struct btf *btf, u32 offset)
{
	return (const char *)tkhooks_call(btf_name->address, (unsigned long)btf, offset,
					  0, 0, 0, 0);
}

/* What a type is but for names and qualifiers; NULL for void. */
const struct btf_type *tkhooks_btf_type(const struct btf *btf, u32 id)
{
	const struct btf_type *type;

	for (; id; id = type->type) {
		type = btf_type_by_id(btf, id);
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			break;
		default:
			return type;
		}
	}
	return NULL;
}

static const struct btf_member *member_of(const struct btf *btf, const struct btf_type *type,
					  const char *name, size_t len)
{
	const struct btf_member *member;
	u16 i;

	for_each_member(i, type, member) {
		const char *its = name_of(btf, member->name_off);

		if (!strncmp(its, name, len) && !its[len])
			return member;
	}
	return NULL;
}

/**
 * tkhooks_find_member - find a member of a structure that no header has
 * @structure: its name
 * @path: the member's, behind dots that of a member in it
 * @found: where it is; zeroes until it has been found
 *
 * Context: sleeps.
 * Return: 0, -EOPNOTSUPP if there is none; the log says so.
 */
int tkhooks_find_member(const char *structure, const char *path, struct tkhooks_member *found)
{
	const struct btf_member *member;
	const struct btf_type *type;
	const char *part = path;
	struct btf *btf;
	s32 id;
	int ret;

	if (found->bits)
		return 0;
	ret = tkhooks_find_all(btf_name);
	if (ret)
		return ret;
	id = bpf_find_btf_id(structure, BTF_KIND_STRUCT, &btf);
	if (id < 0)
		goto none;
	type = btf_type_by_id(btf, id);
	found->structure = type->size;
	found->at = 0;
	for (;;) {
		size_t len = strcspn(part, ".");

		member = member_of(btf, type, part, len);
		if (!member)
			goto none;
		found->at += __btf_member_bit_offset(type, member);
		found->bits = __btf_member_bitfield_size(type, member);
		type = tkhooks_btf_type(btf, member->type);
		if (!part[len])
			break;
		if (!type || !btf_type_is_struct(type))
			goto none;
		part += len + 1;
	}
	if (!found->bits && type)
		found->bits = btf_type_is_ptr(type) ? BITS_PER_LONG : type->size * BITS_PER_BYTE;
	return 0;
none:
	pr_warn("this kernel has no notes of %s in struct %s\n", path, structure);
	return -EOPNOTSUPP;
}

int tkhooks_find_layout(void)
{
	return tkhooks_find_member("proc_inode", "pid", &proc_inode.pid) ?:
	       tkhooks_find_member("proc_inode", "op", &proc_inode.op) ?:
	       tkhooks_find_member("proc_inode", "vfs_inode", &proc_inode.vfs_inode) ?:
	       tkhooks_find("proc_fd_link", "4ppp", &fd_link);
}

static unsigned long proc_inode_member(const struct inode *inode, struct tkhooks_member member)
{
	const void *outer = (const void *)inode - proc_inode.vfs_inode.at / BITS_PER_BYTE;

	return *(unsigned long *)(outer + member.at / BITS_PER_BYTE);
}

bool tkhooks_is_fd_link(const struct inode *inode)
{
	unsigned long op = proc_inode_member(inode, proc_inode.op);

	/* Where jumps lead to, and what kprobes take for the beginning. */
	return op == fd_link || op + ENDBR_INSN_SIZE == fd_link;
}

struct pid *tkhooks_proc_pid(const struct inode *inode)
{
	return (struct pid *)proc_inode_member(inode, proc_inode.pid);
}
