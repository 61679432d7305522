// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/container_of.h>
#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/trace_recursion.h>
#include <asm/text-patching.h>

#include "attach.h"

/* Who is around a function of the kernel, or in it and comes back there. */
DEFINE_SRCU(tkhooks_inside);

/* original.S */
void tkhooks_return(void);

static void notrace enter(unsigned long ip, unsigned long parent_ip,
			  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct tkhooks_site *site = container_of(ops, struct tkhooks_site, ops);
	struct pt_regs *regs = ftrace_get_regs(fregs);
	int bit = ftrace_test_recursion_trylock(ip, parent_ip);

	if (bit < 0)
		return;
	if (site->enter)
		site->enter(regs);
	else if (site->answers(regs))
		instruction_pointer_set(regs, (unsigned long)tkhooks_return);
	ftrace_test_recursion_unlock(bit);
}

static void notrace divert(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct tkhooks_site *site = container_of(ops, struct tkhooks_site, ops);

	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)site->around);
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

/*
 * What follows the instruction that is ftrace's at the beginning of a function, or 0 if
 * there is none. Only the target of a jump comes before that.
 */
static unsigned long behind_ftrace(unsigned long address)
{
	/* The latter is what the kernel has made of the former where nobody jumps to. */
	static const u8 targets[][ENDBR_INSN_SIZE] = {
		{ 0xf3, 0x0f, 0x1e, 0xfa }, { 0x0f, 0x1f, 0x40, 0xd6 },
	};
	static const u8 unused[MCOUNT_INSN_SIZE] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	const u8 *text = (const u8 *)address;

	if (!memcmp(text, targets[0], sizeof(targets[0])) ||
	    !memcmp(text, targets[1], sizeof(targets[1])))
		text += ENDBR_INSN_SIZE;
	/* Another one of its users may be there: a call, or a breakpoint while it is made. */
	if (memcmp(text, unused, sizeof(unused)) && *text != CALL_INSN_OPCODE &&
	    *text != INT3_INSN_OPCODE)
		return 0;
	return (unsigned long)text + MCOUNT_INSN_SIZE;
}

/**
 * tkhooks_find - find a function of the kernel
 * @function: its name
 * @signature: as struct tkhooks_site has it
 * @address: where to put what tkhooks_call() takes
 *
 * Context: sleeps.
 * Return: 0. -EOPNOTSUPP if it isn't there as it should be; the log says why.
 */
int tkhooks_find(const char *function, const char *signature, unsigned long *address)
{
	char its[16];
	int ret;

	ret = signature_of(function, its, sizeof(its));
	if (ret) {
		pr_warn("this kernel has no notes of %s(): %pe\n", function, ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	if (strcmp(its, signature)) {
		pr_warn("this kernel's %s() is of type %s, not %s\n", function, its,
			signature);
		return -EOPNOTSUPP;
	}
	ret = address_of(function, address);
	if (ret) {
		pr_warn("%s() can't be found: %pe\n", function, ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * tkhooks_find_site - find a site's function, without attaching to it
 * @site: the site
 *
 * Context: sleeps.
 * Return: as tkhooks_find().
 */
int tkhooks_find_site(struct tkhooks_site *site)
{
	unsigned long address;
	int ret;

	if (site->found)
		return 0;
	ret = tkhooks_find(site->function, site->signature, &address);
	if (ret)
		return ret;
	site->rest = behind_ftrace(address);
	if (!site->rest) {
		pr_warn("%s() doesn't begin with what is ftrace's\n",
			site->function);
		return -EOPNOTSUPP;
	}
	if (site->around) {
		site->ops.func = divert;
		site->ops.flags = FTRACE_OPS_FL_IPMODIFY;
	} else {
		site->ops.func = enter;
		site->ops.flags = FTRACE_OPS_FL_SAVE_REGS;
		if (site->answers)
			site->ops.flags |= FTRACE_OPS_FL_IPMODIFY;
	}
	ret = ftrace_set_filter_ip(&site->ops, site->rest - MCOUNT_INSN_SIZE, 0, 0);
	if (ret) {
		pr_warn("%s() can't be traced: %pe\n", site->function,
			ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	site->found = true;
	return 0;
}

static int attach(struct tkhooks_site *site)
{
	int ret = register_ftrace_function(&site->ops);

	if (ret == -EBUSY)
		pr_warn("%s() is another one's, such as a livepatch's: see enabled_functions of tracefs\n",
			site->function);
	else if (ret)
		pr_warn("%s() can't be attached to: %pe\n", site->function,
			ERR_PTR(ret));
	return ret;
}

/* Of the sites before @end. */
static void detach(struct tkhooks_site *sites, const struct tkhooks_site *end)
{
	struct tkhooks_site *site;
	bool around = false;

	/* Each waits for who was about to get there, or was preempted in the very beginning. */
	for (site = sites; site != end; site++) {
		unregister_ftrace_function(&site->ops);
		around |= !!site->around;
	}
	if (!around)
		return;
	/* Who sleeps there, and then who was preempted in the very end. */
	synchronize_srcu(&tkhooks_inside);
	synchronize_rcu_tasks();
}

/**
 * tkhooks_attach - have the sites' functions call
 * @sites: the last has no function
 *
 * Context: sleeps.
 * Return: 0. -EOPNOTSUPP if a function isn't there as it should be, -EBUSY if somebody
 *	else has its place, another errno if ftrace refuses; the log says which function
 *	it is, and no site is attached.
 */
int tkhooks_attach(struct tkhooks_site *sites)
{
	struct tkhooks_site *site;
	int ret;

	for (site = sites; site->function; site++) {
		ret = tkhooks_find_site(site);
		if (ret)
			return ret;
	}
	for (site = sites; site->function; site++) {
		ret = attach(site);
		if (ret) {
			detach(sites, site);
			return ret;
		}
	}
	return 0;
}

/**
 * tkhooks_detach - undo tkhooks_attach()
 * @sites: what it was given
 *
 * When it returns no CPU is in what a site calls, or will be, nor a task that sleeps.
 *
 * Context: sleeps; not from what a site calls.
 */
void tkhooks_detach(struct tkhooks_site *sites)
{
	struct tkhooks_site *end = sites;

	while (end->function)
		end++;
	detach(sites, end);
}
