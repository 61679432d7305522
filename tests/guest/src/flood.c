// SPDX-License-Identifier: GPL-2.0
/*
 * flood receive INTERFACE PORT MIB: waits for datagrams, and lets the interface
 * take them as network cards do, into pages of its own: an XDP program that does
 * nothing but pass them on makes veth allocate one for each, in softirq. Up to
 * MIB MiB wait in the socket. Says "ready"; when standard input ends, takes what
 * is there and prints how many datagrams came.
 *
 * flood send ADDRESS PORT COUNT SIZE: sends datagrams, as fast as it can.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH 32

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(1);
	}
}

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* Lasts as long as this process. */
static void pass_all(const char *interface)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (unsigned long)program,
		.insn_cnt = 2,
		.license = (unsigned long)"GPL",
	};
	union bpf_attr link = { .link_create.attach_type = BPF_XDP };

	link.link_create.prog_fd = bpf(BPF_PROG_LOAD, &load);
	check((int)link.link_create.prog_fd < 0, "BPF_PROG_LOAD");
	link.link_create.target_ifindex = if_nametoindex(interface);
	check(bpf(BPF_LINK_CREATE, &link) < 0, "BPF_LINK_CREATE");
}

static int receive(const char *interface, int port, long mib)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = mib << 19;
	char packet[65536];
	long count = 0;

	pass_all(interface);
	/* The kernel doubles it. */
	check(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), "SO_RCVBUFFORCE");
	check(bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	printf("ready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	while (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) >= 0)
		count++;
	check(errno != EAGAIN, "recv");
	printf("%ld\n", count);
	return 0;
}

static int send_all(const char *to, int port, long count, size_t length)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct iovec data = { .iov_base = calloc(1, length), .iov_len = length };
	struct mmsghdr messages[BATCH] = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), i, done;

	check(inet_pton(AF_INET, to, &address.sin_addr) != 1, to);
	check(connect(fd, (struct sockaddr *)&address, sizeof(address)), "connect");
	for (i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &data;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (; count > 0; count -= done) {
		done = sendmmsg(fd, messages, count < BATCH ? count : BATCH, 0);
		check(done < 0, "sendmmsg");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "receive"))
		return receive(argv[2], atoi(argv[3]), atol(argv[4]));
	if (argc == 6 && !strcmp(argv[1], "send"))
		return send_all(argv[2], atoi(argv[3]), atol(argv[4]), atol(argv[5]));
	fprintf(stderr, "usage: flood receive INTERFACE PORT MIB | send ADDRESS PORT COUNT SIZE\n");
	return 2;
}
