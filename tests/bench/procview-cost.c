// SPDX-License-Identifier: GPL-2.0
/*
 * procview-cost read READERS READS FILE…: what it costs to open a file, read it to
 * the end and close it, or to call sysinfo(2) if FILE is "sysinfo". For each file a
 * line: its path, nanoseconds (which are instructions in deterministic time) per
 * read, of all readers together, and the median and the 99th percentile of what a
 * read took.
 *
 * procview-cost crowd COUNT CGROUP DIRECTORY FILE…: makes COUNT containers in
 * cgroups below CGROUP, each of which reads the files once and then waits, until
 * standard input ends. Where DIRECTORY isn't "-", its files are mounted over those
 * of the same name in the container's /proc. Says "ready N".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timing.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

#define WARM_UP 3

static char buffer[1 << 18];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void slurp(const char *path)
{
	ssize_t got, length = 0;
	struct sysinfo info;
	int fd;

	if (!strcmp(path, "sysinfo")) {
		if (sysinfo(&info))
			die(path);
		return;
	}
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die(path);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		length += got;
	if (got < 0 || (!length && !strstr(path, "diskstats")))
		die(path);
	close(fd);
}

static void reader(const char *path, int reads, long long *times, int ready, int start,
		   int hold)
{
	int i;
	char c = 0;

	for (i = 0; i < WARM_UP; i++)
		slurp(path);
	/* All begin when the last is warm. */
	if (write(ready, &c, 1) != 1 || read(start, &c, 1) != 0)
		die("start");
	for (i = 0; i < reads; i++) {
		long long before = now();

		slurp(path);
		times[i] = now() - before;
	}
	/* Its end isn't part of the time. */
	if (write(ready, &c, 1) != 1 || read(hold, &c, 1) != 0)
		die("end");
	_exit(0);
}

static void measure(const char *path, int readers, int reads, long long *times)
{
	int ready[2], start[2], hold[2], i, status, all = readers * reads;
	long long before, elapsed;
	char c;

	if (pipe(ready) || pipe(start) || pipe(hold))
		die("pipe");
	for (i = 0; i < readers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			close(start[1]);
			close(hold[1]);
			reader(path, reads, times + i * reads, ready[1], start[0], hold[0]);
		}
	}
	/* Ours, or the end of a reader that failed would go unnoticed. */
	close(ready[1]);
	for (i = 0; i < readers; i++)
		if (read(ready[0], &c, 1) != 1)
			die("ready");
	before = now();
	close(start[1]);
	for (i = 0; i < readers; i++)
		if (read(ready[0], &c, 1) != 1)
			die("end");
	elapsed = now() - before;
	close(hold[1]);
	for (i = 0; i < readers; i++)
		if (wait(&status) < 0 || status)
			exit(1);
	close(start[0]);
	close(hold[0]);
	close(ready[0]);
	sort_times(times, all);
	printf("%s %lld %lld %lld\n", path, elapsed / all, times[all / 2],
	       times[(int)(all * 0.99)]);
	fflush(stdout);
}

static void container(const char *directory, char **files, int ready)
{
	char c = 0, path[300];
	const char *name;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL))
		die("mount");
	for (i = 0; files[i]; i++) {
		name = strrchr(files[i], '/');
		snprintf(path, sizeof(path), "%s%s", directory, name);
		if (*directory != '-' && mount(path, files[i], NULL, MS_BIND, NULL))
			die(path);
		slurp(files[i]);
	}
	if (write(ready, &c, 1) != 1)
		die("ready");
	for (;;)
		pause();
}

static int make_crowd(int count, const char *cgroup, const char *directory, char **files)
{
	int ready[2], i, fd;
	char c, path[300];
	pid_t *pids = calloc(count + 1, sizeof(*pids));

	if (!pids || pipe(ready))
		die("pipe");
	for (i = 0; i < count; i++) {
		struct clone_args args = {
			.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_INTO_CGROUP,
			.exit_signal = SIGCHLD,
		};

		snprintf(path, sizeof(path), "%s/crowd%d", cgroup, i);
		if (mkdir(path, 0755))
			die(path);
		fd = open(path, O_RDONLY | O_DIRECTORY);
		args.cgroup = fd;
		pids[i] = syscall(SYS_clone3, &args, sizeof(args));
		if (pids[i] < 0)
			die("clone3");
		if (!pids[i])
			container(directory, files, ready[1]);
		close(fd);
		/* One after the other: else they wait for each other's turns. */
		if (read(ready[0], &c, 1) != 1)
			die("ready");
	}
	printf("ready %d\n", count);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	for (i = 0; i < count; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
		snprintf(path, sizeof(path), "%s/crowd%d", cgroup, i);
		while (rmdir(path))
			usleep(1000);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int readers, reads, i;
	long long *times;

	if (argc > 4 && !strcmp(argv[1], "crowd"))
		return make_crowd(atoi(argv[2]), argv[3], argv[4], argv + 5);
	if (argc < 5 || strcmp(argv[1], "read")) {
		fprintf(stderr, "usage: procview-cost read READERS READS FILE...\n"
			"       procview-cost crowd COUNT CGROUP DIRECTORY FILE...\n");
		return 2;
	}
	readers = atoi(argv[2]);
	reads = atoi(argv[3]);
	times = mmap(NULL, sizeof(*times) * readers * reads, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times == MAP_FAILED)
		die("mmap");
	for (i = 4; i < argc; i++)
		measure(argv[i], readers, reads, times);
	return 0;
}
