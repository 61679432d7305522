// SPDX-License-Identifier: GPL-2.0
/*
 * bt-pipe ROUNDS [BATCH [apart]]: two processes hand four bytes to each other
 * through two pipes, as `perf bench sched pipe` does, but with the time of each
 * round: prints "pipe COUNT MEAN P50 P99 P99.9 MAX", in ns. With a BATCH, the time
 * of so many rounds is taken at once, and divided by that: the clock and timer ticks
 * don't count then. "apart" pins the two to the CPUs 0 and 1, and each computes for a
 * while before it writes, which isn't counted: so the other one's CPU is idle by then,
 * each time. Without that it depends on the moment whether it is, and the emulator's CPUs
 * take turns in a pattern that any other instruction on the way changes.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bt-times.h"

/* How often compute() turns: for some 30 us where an instruction is a nanosecond. */
#define TURNS 10000

static void compute(int turns)
{
	while (turns-- > 0)
		__asm__ volatile("");
}

static void pass_on(int from, int to, int turns)
{
	int token;

	if (read(from, &token, sizeof(token)) != sizeof(token)) {
		perror("bt-pipe");
		_exit(1);
	}
	compute(turns);
	if (write(to, &token, sizeof(token)) != sizeof(token)) {
		perror("bt-pipe");
		_exit(1);
	}
}

static void pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
		perror("sched_setaffinity");
		_exit(1);
	}
}

/* What compute() takes, in ns. */
static long long time_of(int turns)
{
	long long start = now();
	int i;

	for (i = 0; i < 100; i++)
		compute(turns);
	return (now() - start) / 100;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 0, batch = argc > 2 ? atoi(argv[2]) : 1;
	int apart = argc > 3 && !strcmp(argv[3], "apart");
	int turns = apart ? TURNS : 0;
	int there[2], back[2], token = 0, i, j, status;
	long long *times, computes;
	pid_t other;

	if (batch < 1 || rounds < batch || rounds % batch) {
		fprintf(stderr, "usage: bt-pipe ROUNDS [BATCH [apart]]\n");
		return 2;
	}
	if (pipe(there) || pipe(back)) {
		perror("pipe");
		return 1;
	}
	times = alloc_times(rounds / batch);
	other = fork();
	if (other < 0) {
		perror("fork");
		return 1;
	}
	if (apart)
		pin(!other);
	if (!other) {
		for (i = 0; i < rounds; i++)
			pass_on(there[0], back[1], turns);
		_exit(0);
	}
	computes = time_of(turns);
	for (i = 0; i < rounds / batch; i++) {
		times[i] = now();
		for (j = 0; j < batch; j++) {
			compute(turns);
			if (write(there[1], &token, sizeof(token)) != sizeof(token) ||
			    read(back[0], &token, sizeof(token)) != sizeof(token)) {
				perror("bt-pipe");
				return 1;
			}
		}
		times[i] = (now() - times[i]) / batch - 2 * computes;
	}
	if (waitpid(other, &status, 0) != other || status)
		return 1;
	report_times("pipe", times, rounds / batch);
	return 0;
}
