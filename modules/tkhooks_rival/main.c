// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests of tkhooks only; never installed. Takes the place of a function of the
 * kernel, as a livepatch does, but lets it run: so nobody else can have it.
 */
#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/string.h>

static char *function;
module_param(function, charp, 0400);
MODULE_PARM_DESC(function, "whose place it takes");

static void notrace leave_it(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
}

static struct ftrace_ops rival = {
	.func = leave_it,
	.flags = FTRACE_OPS_FL_IPMODIFY,
};

static int __init rival_init(void)
{
	int ret;

	if (!function)
		return -EINVAL;
	ret = ftrace_set_filter(&rival, function, strlen(function), 1);
	return ret ?: register_ftrace_function(&rival);
}

static void __exit rival_exit(void)
{
	unregister_ftrace_function(&rival);
}

module_init(rival_init);
module_exit(rival_exit);

MODULE_DESCRIPTION("Takes the place of a function, for tests of tkhooks");
MODULE_LICENSE("GPL");
