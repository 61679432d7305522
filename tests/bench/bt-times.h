/* SPDX-License-Identifier: GPL-2.0 */
/* What the benchmarks of the class BT share: room for many times, and a line about them. */
#ifndef BT_TIMES_H
#define BT_TIMES_H

#include <stdio.h>
#include <stdlib.h>
#include "timing.h"

/* Prints "NAME COUNT MEAN P50 P99 P99.9 MAX", in ns. Sorts the times. */
static inline void report_times(const char *name, long long *times, size_t count)
{
	long long sum = 0;
	size_t i;

	if (!count)
		return;
	sort_times(times, count);
	for (i = 0; i < count; i++)
		sum += times[i];
	printf("%s %zu %lld %lld %lld %lld %lld\n", name, count, sum / (long long)count,
	       times[count / 2], times[count * 99 / 100], times[count * 999 / 1000],
	       times[count - 1]);
}

static inline long long *alloc_times(size_t count)
{
	long long *times = calloc(count, sizeof(*times));

	if (!times) {
		perror("calloc");
		exit(1);
	}
	return times;
}

#endif
