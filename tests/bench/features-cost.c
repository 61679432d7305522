// SPDX-License-Identifier: GPL-2.0
/*
 * features-cost: prints what calls take that the small features have hooks in: a
 * name and the nanoseconds, which are instructions in deterministic time, of one.
 *
 * The median of many batches: a timer tick that falls into a batch makes that one
 * longer and doesn't count.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "timing.h"

#define BATCHES 41

static char buffer[1 << 16];
static int epoll, ready, server, client;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void names(void)
{
	struct utsname name;

	if (syscall(SYS_uname, &name))
		die("uname");
}

/*
 * What a batch spent on things that aren't measured: making a socket and closing
 * it takes eight times as long as binding it, and not always the same.
 */
static long long besides;

static void bind_to(int type, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	long long start = now(), begin, end;
	int fd = socket(AF_INET, type, 0), failed;

	begin = now();
	failed = bind(fd, (struct sockaddr *)&address, sizeof(address));
	end = now();
	if (fd < 0 || failed)
		die("bind");
	close(fd);
	besides += begin - start + now() - end;
}

static void bind_any(void)
{
	bind_to(SOCK_DGRAM, 0);
}

static void bind_tcp(void)
{
	bind_to(SOCK_STREAM, 8080);
}

static void bind_privileged(void)
{
	bind_to(SOCK_DGRAM, 80);
}

static void wait_none(void)
{
	struct epoll_event event;

	if (syscall(SYS_epoll_wait, epoll, &event, 1, 0))
		die("epoll_wait");
}

static void wait_ready(void)
{
	struct epoll_event event;

	if (syscall(SYS_epoll_wait, ready, &event, 1, 1000) != 1)
		die("epoll_wait");
}

static void send_signal(void)
{
	if (syscall(SYS_kill, getpid(), SIGUSR1))
		die("kill");
}

static void send_fatal(void)
{
	if (syscall(SYS_kill, getpid(), SIGSEGV))
		die("kill");
}

static void slurp(const char *path, size_t size)
{
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	while ((got = read(fd, buffer, size)) > 0)
		;
	if (got < 0)
		die(path);
	close(fd);
}

static void read_mounts(void)
{
	slurp("/proc/self/mounts", sizeof(buffer));
}

static void read_mountinfo(void)
{
	slurp("/proc/self/mountinfo", sizeof(buffer));
}

static void read_version(void)
{
	slurp("/proc/version", sizeof(buffer));
}

static void read_osrelease(void)
{
	/* The kernel allocates and clears as much as is asked for. */
	slurp("/proc/sys/kernel/osrelease", 256);
}

static void read_status(void)
{
	slurp("/proc/self/status", sizeof(buffer));
}

static void missing(void)
{
	if (access("/proc/self/no-such-file", F_OK) == 0)
		die("access");
}

static void stream(void)
{
	if (write(client, buffer, 4096) != 4096 || read(server, buffer, 4096) != 4096)
		die("stream");
}

static const struct {
	const char *name;
	void (*call)(void);
	int calls;
} works[] = {
	{ "uname", names, 500 },
	{ "epoll_wait-0", wait_none, 500 },
	{ "epoll_wait-ready", wait_ready, 500 },
	{ "bind-udp-any", bind_any, 200 },
	{ "bind-tcp-8080", bind_tcp, 200 },
	{ "bind-udp-80", bind_privileged, 200 },
	{ "kill-ignored", send_signal, 500 },
	{ "kill-fatal", send_fatal, 500 },
	{ "tcp-4096-bytes", stream, 100 },
	{ "mounts", read_mounts, 50 },
	{ "mountinfo", read_mountinfo, 50 },
	{ "version", read_version, 100 },
	{ "osrelease", read_osrelease, 100 },
	{ "status", read_status, 50 },
	{ "missing-in-pid", missing, 100 },
};

static void setup(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN };
	socklen_t length = sizeof(address);
	int ends[2], listener = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGUSR1, SIG_IGN);
	signal(SIGSEGV, SIG_IGN);
	epoll = epoll_create1(0);
	ready = epoll_create1(0);
	if (pipe(ends) || write(ends[1], "x", 1) != 1 ||
	    epoll_ctl(ready, EPOLL_CTL_ADD, ends[0], &event))
		die("epoll");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(client, (struct sockaddr *)&address, length))
		die("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		die("accept");
}

int main(void)
{
	long long batch[BATCHES];
	size_t i;
	int j, k;

	setup();
	for (i = 0; i < sizeof(works) / sizeof(*works); i++) {
		for (k = 0; k < works[i].calls; k++)
			works[i].call();
		for (j = 0; j < BATCHES; j++) {
			long long start = now();

			besides = 0;
			for (k = 0; k < works[i].calls; k++)
				works[i].call();
			batch[j] = now() - start - besides;
		}
		sort_times(batch, BATCHES);
		printf("%s %.2f\n", works[i].name,
		       (double)batch[BATCHES / 2] / works[i].calls);
	}
	return 0;
}
