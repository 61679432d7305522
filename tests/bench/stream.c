// SPDX-License-Identifier: GPL-2.0
/*
 * stream FILE MIB: reads FILE from its beginning, 128 KiB at a time, and prints
 * what that cost, a name and a number a line: nanoseconds, which are instructions
 * in deterministic time, or pages.
 *
 *	elapsed reader kswapd kpclimitd	in all, and of that what these tasks ran
 *	mean p50 p99 p999 max		of the read(2) calls
 *	cache				most pages of files in the page cache
 *
 * The looks at the cache, one for 16 MiB, aren't part of the time.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "timing.h"

#define BLOCK (128 << 10)
#define READS_PER_LOOK 128

static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, size - 1);
	close(fd);
	if (length < 0)
		return -1;
	text[length] = 0;
	return 0;
}

/* The time that a task has had a CPU; 0 if there is no such task. */
static long long runtime(const char *pid)
{
	char path[300], text[100];

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	return read_text(path, text, sizeof(text)) ? 0 : atoll(text);
}

/* The number of the process of that name, or one that no process has. */
static void find_task(const char *name, char *pid, size_t size)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	snprintf(pid, size, "none");
	while ((entry = readdir(proc))) {
		char path[300], text[100];

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (read_text(path, text, sizeof(text)))
			continue;
		text[strcspn(text, "\n")] = 0;
		if (!strcmp(text, name))
			snprintf(pid, size, "%.20s", entry->d_name);
	}
	closedir(proc);
}

static long long counter(const char *text, const char *name)
{
	const char *place = strstr(text, name);

	return place ? atoll(place + strlen(name)) : 0;
}

static long long cached(void)
{
	static char text[65536];

	if (read_text("/proc/vmstat", text, sizeof(text)))
		return 0;
	return counter(text, "\nnr_file_pages ") - counter(text, "\nnr_shmem ") -
	       counter(text, "\nnr_swapcached ");
}

int main(int argc, char **argv)
{
	static const char * const tasks[] = { "self", "kswapd0", "kpclimitd" };
	static const char * const names[] = { "reader", "kswapd", "kpclimitd" };
	long long start, elapsed, looking = 0, cache = 0, ran[3], reading = 0;
	long reads = argc > 2 ? atol(argv[2]) * ((1 << 20) / BLOCK) : 0, n, i;
	long long *took = calloc(reads + 1, sizeof(*took));
	char *buffer = malloc(BLOCK), pid[3][32] = { "self" };
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;

	if (reads < 1 || fd < 0 || !took || !buffer) {
		fprintf(stderr, "usage: stream FILE MIB\n");
		return 2;
	}
	/* Neither is to fault later. */
	memset(buffer, 1, BLOCK);
	memset(took, 0, reads * sizeof(*took));
	cached();
	for (i = 1; i < 3; i++)
		find_task(tasks[i], pid[i], sizeof(pid[i]));

	for (i = 0; i < 3; i++)
		ran[i] = runtime(pid[i]);
	start = now();
	for (n = 0; n < reads; n++) {
		long long begin = now(), end;

		if (read(fd, buffer, BLOCK) != BLOCK)
			break;
		end = now();
		took[n] = end - begin;
		if (n % READS_PER_LOOK == READS_PER_LOOK - 1) {
			long long pages = cached();

			if (pages > cache)
				cache = pages;
			looking += now() - end;
		}
	}
	elapsed = now() - start - looking;
	for (i = 0; i < 3; i++)
		ran[i] = runtime(pid[i]) - ran[i];
	if (n < reads) {
		fprintf(stderr, "stream: %s is too short\n", argv[1]);
		return 1;
	}

	for (i = 0; i < n; i++)
		reading += took[i];
	sort_times(took, n);
	printf("elapsed %lld\n", elapsed);
	ran[0] -= looking;
	for (i = 0; i < 3; i++)
		printf("%s %lld\n", names[i], ran[i]);
	printf("mean %lld\np50 %lld\np99 %lld\np999 %lld\nmax %lld\ncache %lld\n",
	       reading / n, took[n / 2], took[n * 99 / 100], took[n * 999 / 1000],
	       took[n - 1], cache);
	return 0;
}
