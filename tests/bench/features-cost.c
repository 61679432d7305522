// SPDX-License-Identifier: GPL-2.0
/*
 * features-cost [all [SOCKETS]]: prints what calls take that the small features have
 * hooks in, or those of the others, too: a name and the nanoseconds, which are
 * instructions in deterministic time, of one. So many more sockets are open while
 * connections are made.
 *
 * The lower quartile of many batches: a timer tick that falls into a batch makes that
 * one longer, and doesn't count as long as enough have none: a batch takes about a
 * millisecond, a quarter of the time between ticks. Not the median: connections take
 * random numbers that the kernel makes in blocks, in some batches one more than in
 * others, and with the ticks the median is now in the middle of these batches, now at
 * their upper end.
 */
#define _GNU_SOURCE
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
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#define BATCHES 41

static char buffer[1 << 16];
static int epoll, ready, server, client, listener, file, sockets;
static struct sockaddr_in listens = { .sin_family = AF_INET };

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

static void read_limits(void)
{
	slurp("/proc/self/limits", sizeof(buffer));
}

static void read_environ(void)
{
	slurp("/proc/self/environ", sizeof(buffer));
}

static void read_meminfo(void)
{
	slurp("/proc/meminfo", sizeof(buffer));
}

static void read_stat(void)
{
	slurp("/proc/stat", sizeof(buffer));
}

static void read_cpuinfo(void)
{
	slurp("/proc/cpuinfo", sizeof(buffer));
}

static void follow(void)
{
	if (access("/proc/self/fd/1", F_OK))
		die("access");
}

static void read_memory(void)
{
	static char from[64], to[64];
	struct iovec local = { to, sizeof(to) }, remote = { from, sizeof(from) };

	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != sizeof(to))
		die("process_vm_readv");
}

/* A page of page cache more. */
static void grow(void)
{
	static off_t at;
	long long start;

	if (at == 256 << 12) {
		start = now();
		if (ftruncate(file, 0))
			die("ftruncate");
		at = 0;
		besides += now() - start;
	}
	if (pwrite(file, buffer, 1 << 12, at) != 1 << 12)
		die("pwrite");
	at += 1 << 12;
}

static void fork_and_wait(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork");
	if (!child)
		_exit(0);
	if (waitpid(child, &status, 0) != child || status)
		die("waitpid");
}

static unsigned long long mounts[256];

/* struct mnt_id_req */
static long about_mounts(long number, unsigned long long id, void *answer, size_t size)
{
	unsigned long long request[] = { 32, id, number == 457 ? 2 : 0, 0 };

	return syscall(number, request, answer, size, 0);
}

static void list_mounts(void)
{
	if (about_mounts(458, -1ULL, mounts, 256) < 1)
		die("listmount");
}

static void stat_mount(void)
{
	if (about_mounts(457, mounts[0], buffer, sizeof(buffer)))
		die("statmount");
}

/*
 * The client is an orphan for a moment, and the server's reset ends it.
 *
 * One of its two dentries may be what finds the CPU's sheaf of free ones empty, and
 * full when it's freed, and so each time, with 90 instructions more. Whether one does
 * depends on how many dentries there are: with some more sockets none does.
 */
static void connect_and_close(void)
{
	struct linger reset = { 1, 0 };
	int near, far;

	for (; sockets; sockets--)
		if (socket(AF_INET, SOCK_STREAM, 0) < 0)
			die("socket");
	near = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(near, (struct sockaddr *)&listens, sizeof(listens)))
		die("connect");
	far = accept(listener, NULL, NULL);
	if (far < 0 || setsockopt(far, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("accept");
	close(near);
	close(far);
}

struct work {
	const char *name;
	void (*call)(void);
	int calls;
};

static const struct work works[] = {
	{ "uname", names, 500 },
	{ "epoll_wait-0", wait_none, 500 },
	{ "epoll_wait-ready", wait_ready, 500 },
	{ "bind-udp-any", bind_any, 200 },
	{ "bind-tcp-8080", bind_tcp, 200 },
	{ "bind-udp-80", bind_privileged, 200 },
	{ "kill-ignored", send_signal, 500 },
	{ "kill-fatal", send_fatal, 500 },
	{ "tcp-4096-bytes", stream, 50 },
	{ "mounts", read_mounts, 15 },
	{ "mountinfo", read_mountinfo, 10 },
	{ "version", read_version, 100 },
	{ "osrelease", read_osrelease, 100 },
	{ "status", read_status, 25 },
	{ "missing-in-pid", missing, 100 },
};

static const struct work more[] = {
	{ "limits", read_limits, 20 },
	{ "environ", read_environ, 50 },
	{ "follow-fd", follow, 100 },
	{ "process_vm_readv", read_memory, 100 },
	{ "fork-exit", fork_and_wait, 4 },
	{ "page-cache-page", grow, 100 },
	{ "meminfo", read_meminfo, 25 },
	{ "stat", read_stat, 25 },
	{ "cpuinfo", read_cpuinfo, 15 },
	{ "listmount", list_mounts, 50 },
	{ "statmount", stat_mount, 100 },
	{ "tcp-connect-close", connect_and_close, 15 },
};

static void setup(void)
{
	char path[] = "/var/tmp/features-cost.XXXXXX";
	struct epoll_event event = { .events = EPOLLIN };
	socklen_t length = sizeof(listens);
	int ends[2];

	signal(SIGUSR1, SIG_IGN);
	signal(SIGSEGV, SIG_IGN);
	epoll = epoll_create1(0);
	ready = epoll_create1(0);
	if (pipe(ends) || write(ends[1], "x", 1) != 1 ||
	    epoll_ctl(ready, EPOLL_CTL_ADD, ends[0], &event))
		die("epoll");
	listens.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&listens, sizeof(listens)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&listens, &length) ||
	    connect(client, (struct sockaddr *)&listens, length))
		die("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		die("accept");
	file = mkstemp(path);
	if (file < 0 || unlink(path))
		die(path);
}

static void measure(const struct work *works, size_t count)
{
	long long batch[BATCHES];
	size_t i;
	int j, k;

	for (i = 0; i < count; i++) {
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
		       (double)batch[BATCHES / 4] / works[i].calls);
	}
}

int main(int argc, char **argv)
{
	if (argc > 2)
		sockets = atoi(argv[2]);
	setup();
	measure(works, sizeof(works) / sizeof(*works));
	if (argc > 1 && !strcmp(argv[1], "all"))
		measure(more, sizeof(more) / sizeof(*more));
	return 0;
}
