// SPDX-License-Identifier: GPL-2.0
/*
 * Where TCP takes its decisions, and what the hook has to find of the kernel's. That a
 * connection lives on without a process is decided in the middle of its close, right
 * after tcp_check_oom() was asked, so it is asked there.
 */
#include "kernel_data.h"

#include <linux/cleanup.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/string.h>
#include <linux/tkernel/tcp.h>
#include <net/dst.h>
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>
#include <asm/ptrace.h>

#include "attach.h"
#include "layout.h"
#include "tcp.h"

enum { INIT_CWND, INIT_TRANSFER, INIT_CONTROL, ACK, DESTROY, ENTER_LOSS, CHECK_OOM };

/*
 * Flags of struct sock that no kernel has: they begin at 0 and are about thirty. They are
 * changed with the socket locked, as all are. This one: its connection begins.
 */
#define SOCK_TKERNEL_BEGINS ((enum sock_flags)(SOCK_TKERNEL_ORPHAN - 1))
static_assert(BITS_PER_LONG - SOCK_TKERNEL_ORPHAN == 1);
static_assert(sizeof_field(struct sock, sk_flags) == sizeof(long));

struct inet_hashinfo *tkhooks_tcp_hashinfo;
int *tkhooks_sysctl_tcp_max_orphans;

/* __u32 tcp_init_cwnd(const struct tcp_sock *tp, const struct dst_entry *dst) */
static bool answer_init_cwnd(struct pt_regs *regs)
{
	regs_set_return_value(regs, __tkernel_tcp_init_cwnd((void *)regs->di,
							    (void *)regs->si));
	return true;
}

/*
 * That is inlined where connections begin: if the window is what it makes of the kernel's
 * own, it is made of the hook's.
 */
static void change_first_window(struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	u32 metric = dst ? dst_metric(dst, RTAX_INITCWND) : 0;

	/* Some of the handshake was lost. */
	if (tp->total_retrans > 1 && tp->undo_marker)
		return;
	/* A BPF program may have set it, or the hook may have been asked already. */
	if (tcp_snd_cwnd(tp) == min(metric ?: TCP_INIT_CWND, tp->snd_cwnd_clamp))
		tcp_snd_cwnd_set(tp, __tkernel_tcp_init_cwnd(tp, dst));
}

static void around_init_transfer(struct sock *sk, int bpf_op, struct sk_buff *skb)
{
	guard(srcu)(&tkhooks_inside);
	sock_set_flag(sk, SOCK_TKERNEL_BEGINS);
	tkhooks_original(&tkhooks_tcp_sites[INIT_TRANSFER], (unsigned long)sk, bpf_op,
			 (unsigned long)skb, 0, 0, 0);
	sock_reset_flag(sk, SOCK_TKERNEL_BEGINS);
	change_first_window(sk);
}

/*
 * void tcp_init_congestion_control(struct sock *sk), in the middle of the former unless a
 * BPF program has done it: some of them reckon with the window. A connection that gets
 * another one later keeps the window that it has.
 */
static void enter_init_control(struct pt_regs *regs)
{
	struct sock *sk = (void *)regs->di;

	if (sock_flag(sk, SOCK_TKERNEL_BEGINS))
		change_first_window(sk);
}

/* void __tcp_ack_snd_check(struct sock *sk, int ofo_possible) */
static void enter_ack(struct pt_regs *regs)
{
	tkernel_tcp_ack((void *)regs->di);
}

/* void inet_csk_destroy_sock(struct sock *sk) */
static void enter_destroy(struct pt_regs *regs)
{
	tkernel_tcp_orphan_gone((void *)regs->di);
}

/* What the function does after it has cut the window doesn't look at that. */
static void around_enter_loss(struct sock *sk)
{
	guard(srcu)(&tkhooks_inside);
	tkhooks_original(&tkhooks_tcp_sites[ENTER_LOSS], (unsigned long)sk, 0, 0, 0, 0, 0);
	tkernel_tcp_enter_loss(sk);
}

/*
 * Asked by timers of orphans too: these were told of when they were closed, or will be by
 * tkernel_tcp_register(), which may find that done here.
 */
static bool around_check_oom(struct sock *sk, int shift)
{
	guard(srcu)(&tkhooks_inside);
	if (tkernel_tcp_too_many_orphans(sk, shift)) {
		net_info_ratelimited("too many orphaned sockets\n");
		return true;
	}
	if ((u8)tkhooks_original(&tkhooks_tcp_sites[CHECK_OOM], (unsigned long)sk, shift,
				 0, 0, 0, 0))
		return true;
	return !shift && !tkernel_tcp_orphan(sk);
}

#if IS_ENABLED(CONFIG_MPTCP)

static struct tkhooks_member subflow_conn;
static struct tkhooks_function next_mptcp[] = { { "mptcp_token_iter_next", "pppp" }, {} };

static int find_mptcp(void)
{
	return tkhooks_find_member("mptcp_subflow_context", "conn", &subflow_conn) ?:
	       tkhooks_find_all(next_mptcp);
}

struct sock *tkernel_mptcp_of_listener(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	const void *subflow = (__force const void *)icsk->icsk_ulp_data;

	if (!icsk->icsk_ulp_ops || !subflow || strcmp(icsk->icsk_ulp_ops->name, "mptcp"))
		return NULL;
	return *(struct sock **)(subflow + subflow_conn.at / BITS_PER_BYTE);
}

void tkernel_mptcp_for_each(const struct net *net,
			    void (*visit)(struct sock *sk, const void *arg), const void *arg)
{
	long slot = 0, nr = 0;
	struct sock *msk;

	for (;;) {
		msk = (struct sock *)tkhooks_call(next_mptcp->address, (unsigned long)net,
						  (unsigned long)&slot, (unsigned long)&nr,
						  0, 0, 0);
		if (!msk)
			break;
		visit(msk, arg);
		sock_put(msk);
		cond_resched();
	}
}

#else

static int find_mptcp(void)
{
	return 0;
}

#endif

int tkhooks_find_tcp(void)
{
	return tkhooks_find_data("tcp_hashinfo", &tkhooks_tcp_hashinfo) ?:
	       tkhooks_find_data("sysctl_tcp_max_orphans", &tkhooks_sysctl_tcp_max_orphans) ?:
	       find_mptcp();
}

struct tkhooks_site tkhooks_tcp_sites[] = {
	[INIT_CWND] = {
		.function = "tcp_init_cwnd",
		.signature = "4pp",
		.answers = answer_init_cwnd,
	},
	[INIT_TRANSFER] = {
		.function = "tcp_init_transfer",
		.signature = "0p4p",
		.around = around_init_transfer,
	},
	[INIT_CONTROL] = {
		.function = "tcp_init_congestion_control",
		.signature = "0p",
		.enter = enter_init_control,
	},
	[ACK] = {
		.function = "__tcp_ack_snd_check",
		.signature = "0p4",
		.enter = enter_ack,
	},
	[DESTROY] = {
		.function = "inet_csk_destroy_sock",
		.signature = "0p",
		.enter = enter_destroy,
	},
	[ENTER_LOSS] = {
		.function = "tcp_enter_loss",
		.signature = "0p",
		.around = around_enter_loss,
	},
	[CHECK_OOM] = {
		.function = "tcp_check_oom",
		.signature = "1p4",
		.around = around_check_oom,
	},
	{}
};
