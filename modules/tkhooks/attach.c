// SPDX-License-Identifier: GPL-2.0
#include <linux/btf.h>
#include <linux/container_of.h>
#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/trace_recursion.h>

#include "attach.h"

static void notrace enter(unsigned long ip, unsigned long parent_ip,
			  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct tkhooks_site *site = container_of(ops, struct tkhooks_site, ops);
	int bit = ftrace_test_recursion_trylock(ip, parent_ip);

	if (bit < 0)
		return;
	site->enter(ftrace_get_regs(fregs));
	ftrace_test_recursion_unlock(bit);
}

/* The character of a type in a signature; ? for a structure. */
static char letter(const struct btf *btf, u32 id)
{
	const struct btf_type *type;

	for (; id; id = type->type) {
		type = btf_type_by_id(btf, id);
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_PTR:
			return 'p';
		case BTF_KIND_INT:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return '0' + type->size;
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_CONST:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			break;
		default:
			return '?';
		}
	}
	return '0';
}

/* As struct tkhooks_site has it, of the kernel's own notes. */
static int signature_of(const char *function, char *signature, size_t size)
{
	const struct btf_type *type;
	const struct btf_param *param;
	struct btf *btf;
	/* Never given back: only the kernel itself can, and it keeps its own notes for good. */
	s32 id = bpf_find_btf_id(function, BTF_KIND_FUNC, &btf);
	u16 i;

	if (id < 0)
		return id;
	type = btf_type_by_id(btf, btf_type_by_id(btf, id)->type);
	param = btf_params(type);
	if (btf_type_vlen(type) + 2 > size)
		return -E2BIG;
	*signature++ = letter(btf, type->type);
	for (i = 0; i < btf_type_vlen(type); i++)
		*signature++ = letter(btf, param[i].type);
	*signature = '\0';
	return 0;
}

/* The address of a function that can be traced; it is never hit. */
static int address_of(const char *function, unsigned long *address)
{
	struct kprobe probe = {
		.symbol_name = function,
		.flags = KPROBE_FLAG_DISABLED,
	};
	int ret = register_kprobe(&probe);

	if (ret)
		return ret;
	*address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static int find(struct tkhooks_site *site)
{
	unsigned long address;
	char signature[16];
	int ret;

	if (site->found)
		return 0;
	ret = signature_of(site->function, signature, sizeof(signature));
	if (ret) {
		pr_warn("this kernel has no notes of %s(): %pe\n",
			site->function, ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	if (strcmp(signature, site->signature)) {
		pr_warn("this kernel's %s() is of type %s, not %s\n",
			site->function, signature, site->signature);
		return -EOPNOTSUPP;
	}
	ret = address_of(site->function, &address);
	if (ret) {
		pr_warn("%s() can't be found: %pe\n", site->function,
			ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	site->ops.func = enter;
	site->ops.flags = FTRACE_OPS_FL_SAVE_REGS;
	ret = ftrace_set_filter_ip(&site->ops, address, 0, 0);
	if (ret) {
		pr_warn("%s() can't be traced: %pe\n", site->function,
			ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	site->found = true;
	return 0;
}

/**
 * tkhooks_attach - have the sites' functions call
 * @sites: the last has no function
 *
 * Context: sleeps.
 * Return: 0. -EOPNOTSUPP if a function isn't there as it should be, another errno if
 *	ftrace refuses; the log says which function it is, and no site is attached.
 */
int tkhooks_attach(struct tkhooks_site *sites)
{
	struct tkhooks_site *site;
	int ret;

	for (site = sites; site->function; site++) {
		ret = find(site);
		if (ret)
			return ret;
	}
	for (site = sites; site->function; site++) {
		ret = register_ftrace_function(&site->ops);
		if (ret) {
			pr_warn("%s() can't be attached to: %pe\n",
				site->function, ERR_PTR(ret));
			goto undo;
		}
	}
	return 0;

undo:
	while (site-- != sites)
		unregister_ftrace_function(&site->ops);
	return ret;
}

/**
 * tkhooks_detach - undo tkhooks_attach()
 * @sites: what it was given
 *
 * When it returns no CPU is in a site's callback, or will be.
 *
 * Context: sleeps.
 */
void tkhooks_detach(struct tkhooks_site *sites)
{
	for (struct tkhooks_site *site = sites; site->function; site++)
		unregister_ftrace_function(&site->ops);
}
