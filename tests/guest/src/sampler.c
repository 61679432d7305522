// SPDX-License-Identifier: GPL-2.0
/*
 * sampler PERIOD_US [BEGIN_NS]: looks every PERIOD_US at what memory is used for,
 * until standard input ends, and then prints it all as CSV: a line with the names,
 * and one for each look. The time is that of CLOCK_MONOTONIC, less BEGIN_NS.
 *
 * Allocates nothing while it runs and comes before all other tasks, so that it
 * sees what happens while they reclaim.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_SAMPLES 120000

static const char * const names[] = {
	"nr_free_pages", "nr_file_pages", "nr_shmem", "nr_swapcached", "nr_dirty",
	"nr_writeback", "nr_mapped", "nr_unevictable", "nr_inactive_file",
	"nr_active_file", "nr_slab_reclaimable", "nr_slab_unreclaimable",
	"pgscan_kswapd", "pgscan_direct",
};

#define NAMES (sizeof(names) / sizeof(*names))

struct sample {
	long long time;
	/* Of the names above, and of pclimit. */
	long long value[NAMES + 1];
};

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Of "NAME NUMBER" lines, which are in the same order each time. */
static const char *find(const char *text, const char *name, long long *value)
{
	size_t length = strlen(name);

	while (text && (strncmp(text, name, length) || text[length] != ' ')) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	*value = text ? atoll(text + length) : -1;
	return text;
}

static int look(struct sample *sample, int vmstat, int usage)
{
	static char text[65536];
	ssize_t length = pread(vmstat, text, sizeof(text) - 1, 0);
	size_t i;

	if (length <= 0)
		return -1;
	text[length] = 0;
	sample->time = now();
	for (i = 0; i < NAMES; i++)
		find(text, names[i], &sample->value[i]);
	/* The file goes with the module. */
	length = usage < 0 ? -1 : pread(usage, text, 31, 0);
	text[length < 0 ? 0 : length] = 0;
	sample->value[NAMES] = length > 0 ? atoll(text) : -1;
	return 0;
}

int main(int argc, char **argv)
{
	long long period = argc > 1 ? atoll(argv[1]) * 1000 : 0, next, begin;
	struct sched_param priority = { .sched_priority = 90 };
	struct pollfd input = { .fd = 0, .events = POLLIN };
	struct sample *samples;
	int vmstat, usage;
	size_t i;
	long n = 0, k;

	if (period <= 0) {
		fprintf(stderr, "usage: sampler PERIOD_US [BEGIN_NS]\n");
		return 2;
	}
	begin = argc > 2 ? atoll(argv[2]) : 0;
	samples = calloc(MAX_SAMPLES, sizeof(*samples));
	vmstat = open("/proc/vmstat", O_RDONLY);
	usage = open("/proc/sys/vm/pagecache_system_usage", O_RDONLY);
	if (!samples || vmstat < 0 || mlockall(MCL_CURRENT) ||
	    sched_setscheduler(0, SCHED_FIFO, &priority)) {
		perror("sampler");
		return 1;
	}

	printf("ready\n");
	fflush(stdout);
	next = now();
	do {
		struct timespec wait = { 0 };
		long long left;

		if (n == MAX_SAMPLES || look(&samples[n], vmstat, usage)) {
			fprintf(stderr, "sampler: can't go on\n");
			return 1;
		}
		n++;
		/* A look that came late isn't made up for. */
		next += period;
		left = next - now();
		if (left < 0) {
			next -= left;
			left = 0;
		}
		wait.tv_sec = left / 1000000000;
		wait.tv_nsec = left % 1000000000;
		if (ppoll(&input, 1, &wait, NULL) > 0)
			break;
	} while (1);

	printf("time_ns");
	for (i = 0; i < NAMES; i++)
		printf(",%s", names[i]);
	printf(",pclimit\n");
	for (k = 0; k < n; k++) {
		printf("%lld", samples[k].time - begin);
		for (i = 0; i <= NAMES; i++)
			printf(",%lld", samples[k].value[i]);
		printf("\n");
	}
	return 0;
}
