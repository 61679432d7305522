// SPDX-License-Identifier: GPL-2.0
/*
 * read-cost COUNT FILE…: prints for each file the nanoseconds, which are
 * instructions in deterministic time, that it takes to open it, to read it to
 * its end and to close it: median and 99th percentile. "sysinfo" is the system
 * call.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define MOST 10000

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static void read_all(const char *path)
{
	static char text[1 << 17];
	struct sysinfo info;
	ssize_t len;
	int fd;

	if (!strcmp(path, "sysinfo")) {
		sysinfo(&info);
		return;
	}
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	do
		len = read(fd, text, sizeof(text));
	while (len > 0);
	close(fd);
}

int main(int argc, char **argv)
{
	static long long times[MOST];
	int count = argc > 1 ? atoi(argv[1]) : 0;

	if (count < 1 || count > MOST)
		return 1;
	for (int file = 2; file < argc; file++) {
		for (int i = 0; i < 20; i++)
			read_all(argv[file]);
		for (int i = 0; i < count; i++) {
			long long start = now();

			read_all(argv[file]);
			times[i] = now() - start;
		}
		qsort(times, count, sizeof(*times), compare);
		printf("%s %lld %lld\n", argv[file], times[count / 2],
		       times[count * 99 / 100]);
	}
	return 0;
}
