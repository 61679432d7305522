// SPDX-License-Identifier: GPL-2.0
/*
 * ptrace-cost: prints the nanoseconds, which are instructions in deterministic
 * time, that one ptrace(PTRACE_PEEKDATA) call takes.
 *
 * The median of many batches: a timer tick that falls into a batch makes that
 * one longer and doesn't count.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#define BATCHES 101
#define CALLS 1000

static long word = 42;

int main(void)
{
	long long batch[BATCHES];
	pid_t child = fork();
	long data;
	int i, j;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child) {
		perror("ptrace-cost");
		return 1;
	}

	for (i = 0; i < BATCHES; i++) {
		long long start = now();

		for (j = 0; j < CALLS; j++) {
			/* The system call itself: the library's wrapper adds to it. */
			if (syscall(SYS_ptrace, PTRACE_PEEKDATA, child, &word, &data) ||
			    data != word) {
				perror("PTRACE_PEEKDATA");
				return 1;
			}
		}
		batch[i] = now() - start;
	}
	sort_times(batch, BATCHES);
	printf("%.2f\n", (double)batch[BATCHES / 2] / CALLS);

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
