// SPDX-License-Identifier: GPL-2.0
/*
 * pods CGROUP COUNT SECONDS: keeps COUNT containers in cgroups below CGROUP, each
 * with a process that reads all files of /proc that have a view of their own, and
 * replaces, limits anew or moves one of them after the other, until the time is
 * over and standard input ends. Prints in the end
 *
 *	made N		containers made
 *	reads N		rounds of all files
 *	own N host N	whose memory was shown: the container's, the host's
 *	wrong N		somebody else's, or a file that made no sense
 *
 * and says of the first wrong one what it read. Says "ready" when all are there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each container has two limits of its own, which no other has. */
#define FIRST_MIB 64
#define OTHER_MIB 1000

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* What all of them count; in shared memory. */
struct counts {
	unsigned long reads, own, host, wrong;
	char what[400];
};

static struct counts *counts;
static const char *parent_path;
static unsigned long host_kb;
static char buffer[1 << 18];

static void die(const char *what)
{
	fprintf(stderr, "pods: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void add(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static void wrong(const char *path, const char *text)
{
	if (!__atomic_fetch_add(&counts->wrong, 1, __ATOMIC_RELAXED))
		snprintf(counts->what, sizeof(counts->what), "%s: %.300s", path, text);
}

static const char *slurp(const char *path)
{
	ssize_t length = 0, got;
	int fd = open(path, O_RDONLY);

	buffer[0] = 0;
	if (fd < 0)
		return buffer;
	while ((got = read(fd, buffer + length, sizeof(buffer) - 1 - length)) > 0)
		length += got;
	close(fd);
	buffer[length] = 0;
	return buffer;
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static unsigned long mem_total(void)
{
	unsigned long kb = 0;

	return sscanf(slurp("/proc/meminfo"), "MemTotal: %lu kB", &kb) == 1 ? kb : 0;
}

/* One of the container's own limits, if not the host's whole memory. */
static void judge(const char *path, unsigned long kb, int number)
{
	unsigned long first = (FIRST_MIB + number) * 1024UL;
	unsigned long other = (OTHER_MIB + number) * 1024UL;

	if (kb == first || kb == other)
		add(&counts->own);
	else if (kb == host_kb)
		add(&counts->host);
	else
		wrong(path, buffer);
}

static void read_all(int number)
{
	static const char * const starts[][2] = {
		{ "/proc/stat", "cpu  " },
		{ "/proc/vmstat", "nr_free_pages " },
		{ "/proc/cpuinfo", "processor\t: 0\n" },
		{ "/proc/swaps", "Filename" },
		{ "/sys/devices/system/cpu/online", "0" },
	};
	double a, b, c;
	struct sysinfo info;
	unsigned int i;

	judge("/proc/meminfo", mem_total(), number);
	for (i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (strncmp(slurp(starts[i][0]), starts[i][1], strlen(starts[i][1])))
			wrong(starts[i][0], buffer);
	if (sscanf(slurp("/proc/uptime"), "%lf %lf\n", &a, &b) != 2 || a < 0 || a > 1e6)
		wrong("/proc/uptime", buffer);
	if (sscanf(slurp("/proc/loadavg"), "%lf %lf %lf ", &a, &b, &c) != 3 || a > 1e4)
		wrong("/proc/loadavg", buffer);
	if (!strstr(slurp("/proc/diskstats"), " vda "))
		/* A container that did no I/O may have no line for it. */
		if (buffer[0] && buffer[strlen(buffer) - 1] != '\n')
			wrong("/proc/diskstats", buffer);
	if (sysinfo(&info))
		die("sysinfo");
	snprintf(buffer, sizeof(buffer), "%lu", info.totalram);
	judge("sysinfo", info.totalram * info.mem_unit / 1024, number);
	add(&counts->reads);
}

static void container(int number)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 0);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL))
		die("mount");
	for (;;) {
		read_all(number);
		/* Leaves some of the machine to the others, and to who makes them. */
		usleep(1000 * (300 + 100 * (number % 7)));
	}
}

static const char *path_of(int number, const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/pod%d%s", parent_path, number, name);
	return path;
}

static void limit(int number, int other)
{
	char text[30];

	snprintf(text, sizeof(text), "%dM", number + (other ? OTHER_MIB : FIRST_MIB));
	write_to(path_of(number, "/memory.max"), text);
}

static pid_t make(int number)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
	};
	long pid;
	int fd;

	if (mkdir(path_of(number, ""), 0755))
		die("mkdir");
	limit(number, 0);
	fd = open(path_of(number, ""), O_RDONLY | O_DIRECTORY);
	args.cgroup = fd;
	/* Every third has the host's pid namespace: it sees itself all the same. */
	if (number % 3 == 2)
		args.flags &= ~CLONE_NEWPID;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		die("clone3");
	if (!pid)
		container(number);
	close(fd);
	return pid;
}

static void end(int number, pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	rmdir(path_of(number, "/below"));
	/* The last process leaves its cgroup some time after its end. */
	while (rmdir(path_of(number, ""))) {
		if (errno != EBUSY)
			die("rmdir");
		usleep(1000);
	}
}

/* To a group below its own, which doesn't change whose container it is. */
static void move(int number, pid_t pid)
{
	char text[30];

	snprintf(text, sizeof(text), "%d", pid);
	if (mkdir(path_of(number, "/below"), 0755)) {
		if (errno != EEXIST)
			die("mkdir");
		write_to(path_of(number, "/cgroup.procs"), text);
		rmdir(path_of(number, "/below"));
	} else {
		write_to(path_of(number, "/below/cgroup.procs"), text);
	}
}

int main(int argc, char **argv)
{
	int count = argc == 4 ? atoi(argv[2]) : 0, i;
	struct pollfd in = { .fd = 0, .events = POLLIN };
	unsigned long made = 0, step;
	time_t until;
	pid_t *pids;

	if (count <= 0) {
		fprintf(stderr, "usage: pods CGROUP COUNT SECONDS\n");
		return 2;
	}
	parent_path = argv[1];
	pids = calloc(count, sizeof(*pids));
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	host_kb = mem_total();
	if (!pids || counts == MAP_FAILED || !host_kb)
		die("start");
	setpriority(PRIO_PROCESS, 0, -10);
	for (i = 0; i < count; i++, made++)
		pids[i] = make(i);
	puts("ready");
	fflush(stdout);

	until = time(NULL) + atoi(argv[3]);
	/* 7 has no factor in common with a count of 200. */
	for (step = 0, i = 0; time(NULL) < until || !poll(&in, 1, 0); step++, i = (i + 7) % count) {
		switch (step % 4) {
		case 0:
			limit(i, step & 4);
			break;
		case 1:
			move(i, pids[i]);
			break;
		default:
			end(i, pids[i]);
			pids[i] = make(i);
			made++;
		}
	}
	for (i = 0; i < count; i++)
		end(i, pids[i]);
	printf("made %lu\nreads %lu\nown %lu\nhost %lu\nwrong %lu\n", made, counts->reads,
	       counts->own, counts->host, counts->wrong);
	if (counts->wrong)
		printf("first %s\n", counts->what);
	return 0;
}
