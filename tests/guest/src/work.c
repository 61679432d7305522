// SPDX-License-Identifier: GPL-2.0
/*
 * work WHAT NUMBER: does something that shows in a container's /proc, in a known
 * amount, until its standard input ends; says "ready" when it has begun, and in the
 * end what it did.
 *
 *	alloc MIB	has that much anonymous memory, all of it touched
 *	burn PERCENT	uses that share of a CPU; in the end: microseconds it used
 *	block COUNT	has so many processes in D state (parents in vfork)
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int ended(int timeout_ms)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char c;

	return poll(&in, 1, timeout_ms) > 0 && read(0, &c, 1) <= 0;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static int alloc(long mib)
{
	char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("work");
		return 1;
	}
	memset(memory, 1, mib << 20);
	ready();
	while (!ended(-1))
		;
	return 0;
}

static int burn(long percent)
{
	long long start = now(CLOCK_MONOTONIC);

	ready();
	for (;;) {
		long long elapsed = now(CLOCK_MONOTONIC) - start;

		if (now(CLOCK_PROCESS_CPUTIME_ID) * 100 < elapsed * percent) {
			for (volatile int i = 0; i < 100000; i++)
				;
			if (ended(0))
				break;
		} else if (ended(2)) {
			break;
		}
	}
	printf("%lld\n", now(CLOCK_PROCESS_CPUTIME_ID) / 1000);
	return 0;
}

/* Waits in D state for its child to let its memory go, which it doesn't. */
static void sleep_in_d(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!vfork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	_exit(0);
}

static int block(long count)
{
	long i;

	for (i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0) {
			perror("work");
			return 1;
		}
		if (!child)
			sleep_in_d();
	}
	ready();
	while (!ended(-1))
		;
	/* They die with us, and their children with them. */
	return 0;
}

int main(int argc, char **argv)
{
	long number = argc == 3 ? atol(argv[2]) : 0;

	if (argc == 3 && !strcmp(argv[1], "alloc"))
		return alloc(number);
	if (argc == 3 && !strcmp(argv[1], "burn"))
		return burn(number);
	if (argc == 3 && !strcmp(argv[1], "block"))
		return block(number);
	fprintf(stderr, "usage: work alloc|burn|block NUMBER\n");
	return 2;
}
