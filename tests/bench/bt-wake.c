// SPDX-License-Identifier: GPL-2.0
/*
 * bt-wake WORKERS PERIOD_US WORK REQUESTS [apart]: what schbench measures, with
 * requests that come when they come (an open loop): a thread hands a request to
 * one of the WORKERS after the other, each of which gets one every PERIOD_US
 * microseconds. A request is WORK thousand instructions. What comes while its
 * worker is busy waits. "apart" pins the thread to the CPU 0 and the workers to
 * the CPU 1: each wake-up is that of another CPU then.
 *
 * Prints lines of "NAME COUNT MEAN P50 P99 P99.9 MAX", in ns:
 *
 *	timer	how late the thread woke up to hand out a request
 *	wakeup	from the call that wakes a worker until it runs
 *	request	from when the request was due until it is done
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bt-times.h"

struct request {
	long long due, handed_out;
};

struct worker {
	atomic_int pending;
	int first, last;
	struct request *requests;
};

static int work, requests;
static long long *timers, *wakeups, *responses;
static atomic_int nr_wakeups, nr_responses, nr_done;

/* Two instructions a turn, whatever the compiler thinks. */
static void compute(void)
{
	long turns = work * 500L;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns));
}

static void *serve(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		struct request *request;
		int slept = 0;
		long long then;

		while (!atomic_load(&worker->pending)) {
			slept = 1;
			syscall(SYS_futex, &worker->pending, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		}
		then = now();
		request = &worker->requests[worker->first++];
		if (slept)
			wakeups[atomic_fetch_add(&nr_wakeups, 1)] = then - request->handed_out;
		compute();
		then = now();
		responses[atomic_fetch_add(&nr_responses, 1)] = then - request->due;
		atomic_fetch_add(&nr_done, 1);
		atomic_fetch_sub(&worker->pending, 1);
	}
	return NULL;
}

static void hand_out(struct worker *worker, long long due)
{
	struct request *request = &worker->requests[worker->last++];

	request->due = due;
	request->handed_out = now();
	if (!atomic_fetch_add(&worker->pending, 1))
		syscall(SYS_futex, &worker->pending, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (pthread_setaffinity_np(thread, sizeof(cpus), &cpus)) {
		fprintf(stderr, "bt-wake: can't run on CPU %d\n", cpu);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct worker *workers;
	int nr_workers, apart, i;
	long long gap, due;

	if (argc < 5) {
		fprintf(stderr, "usage: bt-wake WORKERS PERIOD_US WORK REQUESTS [apart]\n");
		return 2;
	}
	nr_workers = atoi(argv[1]);
	gap = atoll(argv[2]) * 1000 / nr_workers;
	work = atoi(argv[3]);
	requests = atoi(argv[4]);
	apart = argc > 5 && !strcmp(argv[5], "apart");

	timers = alloc_times(requests);
	wakeups = alloc_times(requests);
	responses = alloc_times(requests);
	/* 50 us of slack would be all that the timer shows. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	workers = calloc(nr_workers, sizeof(*workers));
	for (i = 0; i < nr_workers; i++) {
		pthread_t thread;

		workers[i].requests = calloc(requests / nr_workers + 1, sizeof(struct request));
		if (!workers[i].requests || pthread_create(&thread, NULL, serve, &workers[i])) {
			perror("bt-wake");
			return 1;
		}
		if (apart)
			pin(thread, 1);
	}
	if (apart)
		pin(pthread_self(), 0);
	/* All sleep in their futex. */
	usleep(20000);

	due = now();
	for (i = 0; i < requests; i++) {
		struct timespec until;

		due += gap;
		until.tv_sec = due / 1000000000;
		until.tv_nsec = due % 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		timers[i] = now() - due;
		hand_out(&workers[i % nr_workers], due);
	}
	while (atomic_load(&nr_done) < requests)
		usleep(1000);
	report_times("timer", timers, requests);
	report_times("wakeup", wakeups, nr_wakeups);
	report_times("request", responses, requests);
	fflush(stdout);
	_exit(0);
}
