// SPDX-License-Identifier: GPL-2.0
/*
 * crowd N [unprotected]: N processes that protect themselves, and wait. Says
 * "ready N" when all have; they end when standard input does.
 *
 * They share their memory, else 10,000 of them would not fit into a small
 * machine: to the kernel they are processes all the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ttools.h>

#define STACK_SIZE 4096

static int device = -1;
static int ready[2];

static int member(void *unused)
{
	char result = 0;

	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The end of a process takes a look at each of its group. */
	setpgid(0, 0);
	if (device >= 0 && ioctl(device, TTOOLS_PTRACE_PROTECT, 0))
		result = 1;
	if (write(ready[1], &result, 1) != 1)
		return 1;
	for (;;)
		pause();
	return 0;
}

/* A small machine's limit on threads is lower than what its memory can bear. */
static void raise_limit(const char *path, long least)
{
	FILE *file = fopen(path, "r+");
	long now;

	if (!file)
		return;
	if (fscanf(file, "%ld", &now) == 1 && now < least) {
		rewind(file);
		fprintf(file, "%ld\n", least);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0, made = 0, protected = 0;
	int protect = argc < 3 || strcmp(argv[2], "unprotected");
	char *stacks;
	pid_t *pids;

	if (n < 1) {
		fprintf(stderr, "usage: crowd N [unprotected]\n");
		return 2;
	}
	raise_limit("/proc/sys/kernel/threads-max", n + 4096);
	raise_limit("/proc/sys/kernel/pid_max", n + 32768);

	pids = calloc(n, sizeof(*pids));
	stacks = mmap(NULL, n * STACK_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!pids || stacks == MAP_FAILED || pipe(ready)) {
		perror("crowd");
		return 1;
	}
	if (protect) {
		device = open("/dev/ttools", O_RDONLY);
		if (device < 0) {
			perror("/dev/ttools");
			return 1;
		}
	}

	for (; made < n; made++) {
		pids[made] = clone(member, stacks + (made + 1) * STACK_SIZE,
				   CLONE_VM | CLONE_FS | CLONE_FILES |
				   CLONE_SIGHAND | SIGCHLD, NULL);
		if (pids[made] < 0) {
			perror("crowd: clone");
			break;
		}
	}
	for (long i = 0; i < made; i++) {
		char result;

		if (read(ready[0], &result, 1) != 1)
			break;
		protected += !result;
	}

	printf("ready %ld\n", protected);
	fflush(stdout);
	if (made == n && protected == n)
		while (getchar() != EOF)
			;

	for (long i = 0; i < made; i++)
		kill(pids[i], SIGKILL);
	for (long i = 0; i < made; i++)
		waitpid(pids[i], NULL, 0);
	return made == n && protected == n ? 0 : 1;
}
