// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/btf.h>
#include <linux/container_of.h>
#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/trace_recursion.h>
#include <linux/unaligned.h>
#include <asm/text-patching.h>

#include "attach.h"
#include "layout.h"

/* Who is around a function of the kernel, or in it and comes back there. */
DEFINE_SRCU(tkhooks_inside);

/* original.S */
void tkhooks_return(void);
void tkhooks_go_before(void);
unsigned long tkhooks_run_before(const struct tkhooks_site *site,
				 const unsigned long *arguments);

static __always_inline const struct tkhooks_site *site_at(struct ftrace_ops *ops,
							  unsigned long ip)
{
	const struct tkhooks_site *site = container_of(ops, struct tkhooks_ops, ops)->sites;

	while (site->rest != ip + MCOUNT_INSN_SIZE)
		site++;
	return site;
}

static __always_inline bool is_for(const struct tkhooks_site *site, unsigned long returns)
{
	const struct tkhooks_caller *caller = site->callers;
	int i;

	for (; caller && caller->function; caller++) {
		for (i = 0; i < ARRAY_SIZE(caller->returns); i++) {
			if (caller->returns[i] == returns)
				return true;
		}
	}
	return !site->callers;
}

static void notrace enter(unsigned long ip, unsigned long parent_ip,
			  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	const struct tkhooks_site *site = site_at(ops, ip);
	int bit;

	if (!is_for(site, parent_ip))
		return;
	bit = ftrace_test_recursion_trylock(ip, parent_ip);
	if (bit < 0)
		return;
	site->enter(ftrace_get_regs(fregs));
	ftrace_test_recursion_unlock(bit);
}

static void notrace answer(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	int bit = ftrace_test_recursion_trylock(ip, parent_ip);

	if (bit < 0)
		return;
	if (site_at(ops, ip)->answers(regs))
		instruction_pointer_set(regs, (unsigned long)tkhooks_return);
	ftrace_test_recursion_unlock(bit);
}

static void notrace divert(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	const struct tkhooks_site *site = site_at(ops, ip);

	if (site->when) {
		int bit = ftrace_test_recursion_trylock(ip, parent_ip);
		bool wanted;

		if (bit < 0)
			return;
		wanted = site->when(fregs);
		ftrace_test_recursion_unlock(bit);
		if (!wanted)
			return;
	}
	if (site->before) {
		/* Functions of the kernel get nothing in this register. */
		ftrace_regs_set_return_value(fregs, (unsigned long)site);
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)tkhooks_go_before);
	} else {
		ftrace_regs_set_instruction_pointer(fregs, (unsigned long)site->around);
	}
}

/* Called by tkhooks_go_before(); returns where to go on. */
unsigned long tkhooks_run_before(const struct tkhooks_site *site,
				 const unsigned long *arguments)
{
	guard(srcu)(&tkhooks_inside);
	site->before(arguments);
	return site->rest;
}

/* The character of a type in a signature; ? for a structure. */
static char letter(const struct btf *btf, u32 id)
{
	const struct btf_type *type = tkhooks_btf_type(btf, id);

	if (!type)
		return '0';
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_PTR:
		return 'p';
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return '0' + type->size;
	default:
		return '?';
	}
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

static int check_signature(const char *function, const char *signature)
{
	char its[16];
	int ret = signature_of(function, its, sizeof(its));

	if (ret) {
		pr_warn("this kernel has no notes of %s(): %pe\n", function, ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	if (strcmp(its, signature)) {
		pr_warn("this kernel's %s() is of type %s, not %s\n", function, its,
			signature);
		return -EOPNOTSUPP;
	}
	return 0;
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
	int ret = check_signature(function, signature);

	if (ret)
		return ret;
	ret = address_of(function, address);
	if (ret) {
		pr_warn("%s() can't be found: %pe\n", function, ERR_PTR(ret));
		return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * tkhooks_find_all - find functions of the kernel
 * @functions: the last has no name; those that have been found stay as they are
 *
 * Context: sleeps.
 * Return: as tkhooks_find(); what was found before one that isn't there is kept.
 */
int tkhooks_find_all(struct tkhooks_function *functions)
{
	unsigned long address;
	int ret;

	for (; functions->name; functions++) {
		if (READ_ONCE(functions->address))
			continue;
		ret = tkhooks_find(functions->name, functions->signature, &address);
		if (ret)
			return ret;
		WRITE_ONCE(functions->address, address);
	}
	return 0;
}

/* How far it is from an address to the end of its function, 0 if nobody knows. */
static unsigned long left_of(unsigned long address)
{
	static struct tkhooks_function functions[] = {
		{ "kallsyms_lookup_size_offset", "48pp" },
		{}
	};
	unsigned long size, offset;

	if (tkhooks_find_all(functions) ||
	    !(u32)tkhooks_call(functions[0].address, address, (unsigned long)&size,
			       (unsigned long)&offset, 0, 0, 0))
		return 0;
	return size - offset;
}

/*
 * Notes where a function that begins at @address calls the one at @callee, and returns how
 * often. On machines that count calls they go to what stands before a function.
 */
static int find_calls(struct tkhooks_caller *caller, unsigned long address,
		      unsigned long callee)
{
	const u8 *text = (const u8 *)address;
	const u8 *end = text + left_of(address);
	int found = 0;

	for (; text + CALL_INSN_SIZE <= end; text++) {
		unsigned long next = (unsigned long)text + CALL_INSN_SIZE;
		unsigned long target;

		if (*text != CALL_INSN_OPCODE)
			continue;
		target = next + get_unaligned((const s32 *)(text + 1));
		if (callee - target > CONFIG_FUNCTION_PADDING_BYTES + ENDBR_INSN_SIZE)
			continue;
		if (found < ARRAY_SIZE(caller->returns))
			caller->returns[found] = next;
		found++;
	}
	return found;
}

static int find_callers(const struct tkhooks_site *site, unsigned long callee)
{
	struct tkhooks_caller *caller;

	for (caller = site->callers; caller && caller->function; caller++) {
		unsigned long address;
		int calls, ret;

		ret = tkhooks_find(caller->function, caller->signature, &address);
		if (ret)
			return ret;
		calls = find_calls(caller, address, callee);
		if (!calls || calls > ARRAY_SIZE(caller->returns)) {
			pr_warn("%s() calls %s() at %d places\n", caller->function,
				site->function, calls);
			return -EOPNOTSUPP;
		}
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

	if (site->rest)
		return 0;
	if (site->find) {
		ret = check_signature(site->function, site->signature);
		address = site->find();
	} else {
		ret = tkhooks_find(site->function, site->signature, &address);
	}
	ret = ret ?: find_callers(site, address);
	if (ret)
		return ret;
	site->rest = address ? behind_ftrace(address) : 0;
	if (!site->rest) {
		pr_warn("%s() doesn't begin with what is ftrace's\n",
			site->function);
		return -EOPNOTSUPP;
	}
	return 0;
}

static enum tkhooks_kind kind_of(const struct tkhooks_site *site)
{
	if (site->enter)
		return TKHOOKS_ENTER;
	return site->answers ? TKHOOKS_ANSWERS : TKHOOKS_DIVERT;
}

/* Finds all, and tells ftrace of them; those that it was told of stay so. */
static int prepare(struct tkhooks_attached *attached)
{
	static const struct {
		ftrace_func_t func;
		unsigned long flags;
	} kinds[] = {
		[TKHOOKS_ENTER] = { enter, FTRACE_OPS_FL_SAVE_REGS },
		[TKHOOKS_ANSWERS] = { answer, FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY },
		[TKHOOKS_DIVERT] = { divert, FTRACE_OPS_FL_IPMODIFY },
	};
	struct tkhooks_site *site;
	int ret;

	for (site = attached->sites; site->function; site++) {
		enum tkhooks_kind kind = kind_of(site);
		struct tkhooks_ops *ops = &attached->kinds[kind];

		ret = tkhooks_find_site(site);
		if (ret)
			return ret;
		if (!ops->sites) {
			ops->sites = attached->sites;
			ops->ops.func = kinds[kind].func;
			ops->ops.flags = kinds[kind].flags;
		}
		ret = ftrace_set_filter_ip(&ops->ops, site->rest - MCOUNT_INSN_SIZE, 0, 0);
		if (ret) {
			pr_warn("%s() can't be traced: %pe\n", site->function, ERR_PTR(ret));
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

static void notrace leave_it(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

/* Which of the functions of a kind it is whose place somebody else has. */
static void name_taken(const struct tkhooks_attached *attached, enum tkhooks_kind kind)
{
	static struct ftrace_ops trial = {
		.func = leave_it,
		.flags = FTRACE_OPS_FL_IPMODIFY,
	};
	const struct tkhooks_site *site;

	for (site = attached->sites; site->function; site++) {
		int ret;

		if (kind_of(site) != kind)
			continue;
		ret = ftrace_set_filter_ip(&trial, site->rest - MCOUNT_INSN_SIZE, 0, 1) ?:
		      register_ftrace_function(&trial);
		if (!ret)
			unregister_ftrace_function(&trial);
		if (ret == -EBUSY)
			pr_warn("%s() is another one's, such as a livepatch's: see enabled_functions of tracefs\n",
				site->function);
	}
}

/* Those before @end. */
static void detach(struct tkhooks_attached *attached, enum tkhooks_kind end)
{
	enum tkhooks_kind kind;

	/* Each waits for who was about to get there, or was preempted in the very beginning. */
	for (kind = 0; kind < end; kind++) {
		if (attached->kinds[kind].sites)
			unregister_ftrace_function(&attached->kinds[kind].ops);
	}
	if (end <= TKHOOKS_DIVERT || !attached->kinds[TKHOOKS_DIVERT].sites)
		return;
	/* Who sleeps there, and then who was preempted in the very end. */
	synchronize_srcu(&tkhooks_inside);
	synchronize_rcu_tasks();
}

/**
 * tkhooks_attach - have the sites' functions call
 * @attached: the sites
 *
 * Context: sleeps.
 * Return: 0. -EOPNOTSUPP if a function isn't there as it should be, -EBUSY if somebody
 *	else has its place, another errno if ftrace refuses; the log says which function
 *	it is, and no site is attached.
 */
int tkhooks_attach(struct tkhooks_attached *attached)
{
	enum tkhooks_kind kind;
	int ret;

	ret = prepare(attached);
	if (ret)
		return ret;
	for (kind = 0; kind < TKHOOKS_KINDS; kind++) {
		if (!attached->kinds[kind].sites)
			continue;
		ret = register_ftrace_function(&attached->kinds[kind].ops);
		if (!ret)
			continue;
		if (ret == -EBUSY)
			name_taken(attached, kind);
		else
			pr_warn("%s() and others can't be attached to: %pe\n",
				attached->sites->function, ERR_PTR(ret));
		detach(attached, kind);
		return ret;
	}
	return 0;
}

/**
 * tkhooks_detach - undo tkhooks_attach()
 * @attached: what it was given
 *
 * When it returns no CPU is in what a site calls, or will be, nor a task that sleeps.
 *
 * Context: sleeps; not from what a site calls.
 */
void tkhooks_detach(struct tkhooks_attached *attached)
{
	detach(attached, TKHOOKS_KINDS);
}
