/* SPDX-License-Identifier: GPL-2.0 */
/* What the benchmarks share: a clock, and sorting of what it said. */
#ifndef _BENCH_TIMING_H
#define _BENCH_TIMING_H

#include <stdlib.h>
#include <time.h>

/* Nanoseconds, which are instructions in deterministic time. */
static inline long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline int compare_times(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static inline void sort_times(long long *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare_times);
}

#endif /* _BENCH_TIMING_H */
