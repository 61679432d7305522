// SPDX-License-Identifier: GPL-2.0
/*
 * storm SECONDS CHUNK_KIB PAUSE_US {read|write} FILE [{read|write} FILE]...: a
 * process for each FILE that reads it, or writes it, from its beginning to its
 * end, over and over; a writer pauses after each chunk. A written file has its
 * length before. Of a disk each process has a part of its own. Says "ready" when
 * all run. What is read from standard input forgets what was measured before.
 * Ends after SECONDS, or with standard input, and prints a line for each process:
 *
 *	read|write CALLS PID {LONGEST_NS WALL_NS AT_NS}...
 *
 * the number of its system calls, and of the longest four what they took without
 * the time that the process waited for a CPU, as far as the kernel counts that,
 * and with it, and when they ended (CLOCK_MONOTONIC).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONGEST 4

struct call {
	long long time, wall, at;
};

struct result {
	volatile int started;
	int pid;
	long long calls;
	/* The longest first. */
	struct call longest[LONGEST];
};

static struct control {
	volatile int stop;
	/* Calls of an earlier round don't count. */
	volatile int round;
} *control;

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* What this process has waited for a CPU so far. */
static long long run_delay(int schedstat)
{
	char text[80];
	ssize_t length = pread(schedstat, text, sizeof(text) - 1, 0);
	char *delay;

	if (length <= 0)
		return 0;
	text[length] = 0;
	delay = strchr(text, ' ');
	return delay ? atoll(delay) : 0;
}

static void keep(struct result *result, struct call call)
{
	int i, j;

	for (i = 0; i < LONGEST && result->longest[i].time >= call.time; i++)
		;
	if (i == LONGEST)
		return;
	for (j = LONGEST - 1; j > i; j--)
		result->longest[j] = result->longest[j - 1];
	result->longest[i] = call;
}

static int work(int writes, const char *path, int number, int total, size_t chunk,
		useconds_t pause, struct result *result)
{
	int fd = open(path, writes ? O_WRONLY : O_RDONLY);
	int schedstat = open("/proc/self/schedstat", O_RDONLY);
	char *buffer = malloc(chunk);
	off_t first = 0, place, end;
	struct stat status;
	int round = 0;

	if (fd < 0 || schedstat < 0 || !buffer || fstat(fd, &status)) {
		fprintf(stderr, "storm: %s: %s\n", path, strerror(errno));
		return 1;
	}
	memset(buffer, 'x', chunk);
	end = lseek(fd, 0, SEEK_END);
	if (S_ISBLK(status.st_mode)) {
		end = end / total / chunk * chunk;
		first = end * number;
		end += first;
	}
	place = first;
	result->pid = getpid();
	result->started = 1;
	while (!control->stop) {
		long long delay = run_delay(schedstat), start = now(), wall;
		ssize_t done;

		if (round != control->round) {
			round = control->round;
			result->calls = 0;
			memset(result->longest, 0, sizeof(result->longest));
		}
		done = writes ? pwrite(fd, buffer, chunk, place) :
				pread(fd, buffer, chunk, place);
		wall = now() - start;
		if (done < 0) {
			fprintf(stderr, "storm: %s: %s\n", path, strerror(errno));
			return 1;
		}
		delay = run_delay(schedstat) - delay;
		keep(result, (struct call){ wall - delay, wall, start + wall });
		result->calls++;
		place += done;
		if (!done || place + (off_t)chunk > end)
			place = first;
		if (writes && pause)
			usleep(pause);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int n = (argc - 4) / 2, status = 0, i;
	struct result *results;
	char text[16];
	size_t chunk;

	if (argc < 6 || argc % 2) {
		fprintf(stderr, "usage: storm SECONDS CHUNK_KIB PAUSE_US {read|write} FILE...\n");
		return 2;
	}
	chunk = atol(argv[2]) << 10;
	results = mmap(NULL, n * sizeof(*results) + sizeof(*control), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED) {
		perror("storm");
		return 1;
	}
	control = (struct control *)(results + n);

	for (i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			exit(work(argv[4 + 2 * i][0] == 'w', argv[5 + 2 * i], i, n,
				  chunk, atoi(argv[3]), &results[i]));
		}
		if (pid < 0) {
			perror("storm");
			kill(0, SIGTERM);
			return 1;
		}
	}
	for (i = 0; i < n; i++)
		while (!results[i].started && !waitpid(-1, NULL, WNOHANG))
			usleep(1000);

	printf("ready\n");
	fflush(stdout);
	while (poll(&input, 1, atoi(argv[1]) * 1000) > 0 && read(0, text, sizeof(text)) > 0)
		control->round++;
	control->stop = 1;
	for (i = 0; i < n; i++) {
		int its;

		status |= wait(&its) < 0 || its;
	}
	for (i = 0; i < n; i++) {
		int j;

		printf("%s %lld %d", argv[4 + 2 * i], results[i].calls, results[i].pid);
		for (j = 0; j < LONGEST; j++)
			printf(" %lld %lld %lld", results[i].longest[j].time,
			       results[i].longest[j].wall, results[i].longest[j].at);
		printf("\n");
	}
	return status ? 1 : 0;
}
