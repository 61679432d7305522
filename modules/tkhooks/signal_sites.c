// SPDX-License-Identifier: GPL-2.0
/*
 * Where a signal is sent.
 */
#include <linux/tkernel/signal.h>

#include "attach.h"

/*
 * (int sig, struct kernel_siginfo *info, struct task_struct *t, enum pid_type type,
 *  bool force)
 */
static void enter_send_signal(struct pt_regs *regs)
{
	tkernel_signal_send(regs->di, (struct task_struct *)regs->dx);
}

struct tkhooks_site tkhooks_signal_sites[] = {
	{
		.function = "__send_signal_locked",
		.signature = "44pp41",
		.enter = enter_send_signal,
	},
	{}
};
