// SPDX-License-Identifier: GPL-2.0
/*
 * Where binding to a port needs CAP_NET_BIND_SERVICE, in IPv4 and IPv6. A bind that is
 * allowed goes on with the flag for those that a BPF program has exempted. SCTP is
 * a module whose checks are inlined in others of its functions: not hooked.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tkernel/netbind.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/sock.h>

#include "attach.h"

/* Both are (struct sock *sk, struct sockaddr_unsized *uaddr, int addr_len, u32 flags). */
static void bind_to(struct pt_regs *regs, __be16 be_port)
{
	struct net *net = sock_net((struct sock *)regs->di);
	unsigned short port = ntohs(be_port);
	u32 flags = regs->cx;

	if (!(flags & BIND_NO_CAP_NET_BIND_SERVICE) && port &&
	    inet_port_requires_bind_service(net, port) &&
	    tkernel_netbind_allows(net, port))
		regs->cx = flags | BIND_NO_CAP_NET_BIND_SERVICE;
}

static void enter_inet_bind(struct pt_regs *regs)
{
	bind_to(regs, ((struct sockaddr_in *)regs->si)->sin_port);
}

static void enter_inet6_bind(struct pt_regs *regs)
{
	bind_to(regs, ((struct sockaddr_in6 *)regs->si)->sin6_port);
}

struct tkhooks_site tkhooks_netbind_sites[] = {
	{
		.function = "__inet_bind",
		.signature = "4pp44",
		.enter = enter_inet_bind,
	},
	{
		.function = "__inet6_bind",
		.signature = "4pp44",
		.enter = enter_inet6_bind,
	},
	{}
};
