// SPDX-License-Identifier: GPL-2.0
/*
 * bt-beside [OPTIONS] COMMAND…: runs COMMAND beside hogs, and says who had the
 * CPUs meanwhile: "beside ELAPSED ONLINE HOGS IDLE CPUS", in ns: how long it took,
 * what COMMAND with its children ran, what the hogs ran, how long CPUs idled.
 *
 *	-n N		so many hogs (none)
 *	-p POLICY	their scheduling policy, a number (0)
 *	-N NICE		their nice value (0)
 *	-g CGROUP	the directory of their cgroup
 *	-c FIRST-LAST	one of these CPUs each, in turn
 *	-k		they read /dev/zero, 64 KiB at a time, instead of counting
 *	-P POLICY	COMMAND's policy; real-time ones with priority 1
 *	-C FIRST-LAST	the CPUs that COMMAND may use
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bt-times.h"

#define MAX_HOGS 256

/* For the hogs to settle on the CPUs. */
#define SETTLE_US 150000

static pid_t hogs[MAX_HOGS];
static int nr_hogs;

static void die(const char *what)
{
	fprintf(stderr, "bt-beside: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void set_policy(int policy)
{
	struct sched_param parameter = {
		.sched_priority = policy == SCHED_FIFO || policy == SCHED_RR,
	};

	if (policy && sched_setscheduler(0, policy, &parameter))
		die("sched_setscheduler");
}

/* The process runs on the CPUs first to last alone, or on all if first is -1. */
static void set_cpus(int first, int last)
{
	cpu_set_t cpus;

	if (first < 0)
		return;
	CPU_ZERO(&cpus);
	for (; first <= last; first++)
		CPU_SET(first, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity");
}

static void parse_cpus(const char *text, int *first, int *last)
{
	char *end;

	*first = strtol(text, &end, 10);
	*last = *end == '-' ? strtol(end + 1, &end, 10) : *first;
	if (*end || *first < 0 || *last < *first) {
		errno = EINVAL;
		die(text);
	}
}

static void burn(int in_kernel)
{
	static char buffer[1 << 16];
	volatile unsigned long count = 0;
	int zero = open("/dev/zero", O_RDONLY);

	for (;;) {
		if (!in_kernel)
			count++;
		else if (read(zero, buffer, sizeof(buffer)) < 0)
			die("/dev/zero");
	}
}

static void enter_cgroup(const char *directory)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die(path);
	close(fd);
}

static long long process_time(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
		die("a hog is gone");
	return used.tv_sec * 1000000000LL + used.tv_nsec;
}

static long long hogs_time(void)
{
	long long sum = 0;
	int i;

	for (i = 0; i < nr_hogs; i++)
		sum += process_time(hogs[i]);
	return sum;
}

static long long children_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

static long long idle_time(void)
{
	FILE *file = fopen("/proc/uptime", "r");
	double up, idle;

	if (!file || fscanf(file, "%lf %lf", &up, &idle) != 2)
		die("/proc/uptime");
	fclose(file);
	return idle * 1e9;
}

int main(int argc, char **argv)
{
	int policy = 0, nice = 0, first = -1, last = -1, in_kernel = 0;
	int online_policy = 0, online_first = -1, online_last = -1;
	long long start, elapsed, ran, idle;
	int option, i, ready[2], status;
	const char *cgroup = NULL;
	pid_t online;

	while ((option = getopt(argc, argv, "+n:p:N:g:c:kP:C:")) != -1) {
		switch (option) {
		case 'n':
			nr_hogs = atoi(optarg);
			break;
		case 'p':
			policy = atoi(optarg);
			break;
		case 'N':
			nice = atoi(optarg);
			break;
		case 'g':
			cgroup = optarg;
			break;
		case 'c':
			parse_cpus(optarg, &first, &last);
			break;
		case 'k':
			in_kernel = 1;
			break;
		case 'P':
			online_policy = atoi(optarg);
			break;
		case 'C':
			parse_cpus(optarg, &online_first, &online_last);
			break;
		default:
			return 125;
		}
	}
	if (optind == argc || nr_hogs < 0 || nr_hogs > MAX_HOGS) {
		fprintf(stderr, "usage: bt-beside [OPTIONS] COMMAND…\n");
		return 125;
	}
	if (pipe(ready))
		die("pipe");
	for (i = 0; i < nr_hogs; i++) {
		hogs[i] = fork();
		if (hogs[i] < 0)
			die("fork");
		if (hogs[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (first >= 0)
			set_cpus(first + i % (last - first + 1), first + i % (last - first + 1));
		if (setpriority(PRIO_PROCESS, 0, nice))
			die("setpriority");
		set_policy(policy);
		if (cgroup)
			enter_cgroup(cgroup);
		if (write(ready[1], "", 1) != 1)
			die("write");
		close(ready[1]);
		burn(in_kernel);
	}
	/* A hog that fails is none that we wait for. */
	close(ready[1]);
	/* Beside so many hogs, we come late otherwise. */
	if (setpriority(PRIO_PROCESS, 0, -20))
		die("setpriority");
	for (i = 0; i < nr_hogs; i++) {
		char byte;

		if (read(ready[0], &byte, 1) != 1) {
			errno = ECHILD;
			die("a hog has ended");
		}
	}
	usleep(SETTLE_US);

	idle = idle_time();
	ran = hogs_time();
	start = now();
	online = fork();
	if (online < 0)
		die("fork");
	if (!online) {
		setpriority(PRIO_PROCESS, 0, 0);
		set_cpus(online_first, online_last);
		set_policy(online_policy);
		execvp(argv[optind], argv + optind);
		die(argv[optind]);
	}
	if (waitpid(online, &status, 0) != online)
		die("waitpid");
	elapsed = now() - start;
	ran = hogs_time() - ran;
	idle = idle_time() - idle;
	printf("beside %lld %lld %lld %lld %ld\n", elapsed, children_time(), ran, idle,
	       sysconf(_SC_NPROCESSORS_ONLN));
	for (i = 0; i < nr_hogs; i++)
		kill(hogs[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
