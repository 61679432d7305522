// SPDX-License-Identifier: GPL-2.0
/*
 * batch [-p POLICY] [-n NICE] [-c CPU] [-t THREADS] [-s USEC] WHAT [ARGUMENT]:
 * something for a process of a scheduling class to do. It sets its own policy, nice
 * value and CPU first, if told so; then each of its THREADS (1) does WHAT over and
 * over, and sleeps so long in between, until SIGTERM, which prints how often. Says
 * "ready" when all threads are there.
 *
 *	burn		counts; of what is printed, each is a million turns
 *	sleep USEC	sleeps so long, and computes a little
 *	fork		children that end at once, or that lose their parent
 *	proc		reads files of /proc, most of it in RCU read sections
 *	rename DIR	makes, renames and removes directories in DIR, under its lock
 *	mkdir DIR	makes and removes them
 *	mmap		maps memory, writes to it and unmaps it
 *	policy POLICY	switches itself to POLICY and back
 *	affinity	moves itself from CPU to CPU
 *	yield		gives up the CPU, after a little work
 *	pi POLICY	see hold_lock()
 *
 * Something that ought to work and doesn't ends it with status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_bool stop;
static atomic_ulong done;
static const char *argument = "0";
static int pause_us;

static void on_term(int sig)
{
	(void)sig;
	stop = true;
}

static void die(const char *what)
{
	fprintf(stderr, "batch: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void compute(unsigned long turns)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(turns));
}

/* Of the calling thread. */
static int set_policy(int policy)
{
	struct sched_param parameter = {
		.sched_priority = policy == SCHED_FIFO || policy == SCHED_RR,
	};

	return sched_setscheduler(0, policy, &parameter);
}

static void set_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity");
}

static void set_any_cpu(void)
{
	cpu_set_t cpus;

	memset(&cpus, 0xff, sizeof(cpus));
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity");
}

static void burn(unsigned long turn)
{
	(void)turn;
	compute(1000000);
}

static void sleep_a_while(unsigned long turn)
{
	(void)turn;
	usleep(atoi(argument));
	compute(10000);
}

static void fork_child(unsigned long turn)
{
	pid_t child = fork();

	if (!child) {
		/* The grandchild is nobody's to wait for, and dies when it likes. */
		if (turn % 2 && !fork())
			compute(10000);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	else if (errno != EAGAIN)
		die("fork");
}

static void read_proc(unsigned long turn)
{
	static const char *const files[] = {
		"/proc/self/status", "/proc/self/maps", "/proc/self/mountinfo", "/proc/locks",
		"/proc/self/cgroup", "/proc/net/unix",
	};
	const char *path = files[turn % (sizeof(files) / sizeof(*files))];
	char buffer[4096];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

static void rename_directory(unsigned long turn)
{
	char one[256], other[256];
	long tid = syscall(SYS_gettid);

	snprintf(one, sizeof(one), "%s/%ld-%lu", argument, tid, turn);
	snprintf(other, sizeof(other), "%s/%ld-%lu-renamed", argument, tid, turn);
	if (mkdir(one, 0700) || rename(one, other) || rmdir(other))
		die("rename");
}

static void make_directory(unsigned long turn)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/%ld-%lu", argument, syscall(SYS_gettid), turn);
	if (mkdir(name, 0700) || rmdir(name))
		die("mkdir");
}

static void map_memory(unsigned long turn)
{
	size_t size = (turn % 16 + 1) << 14, i;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	for (i = 0; i < size; i += 4096)
		memory[i] = 1;
	if (munmap(memory, size))
		die("munmap");
}

/* A module that is being unloaded takes nobody. */
static void switch_policy(unsigned long turn)
{
	int policy = turn % 2 ? SCHED_OTHER : atoi(argument);

	if (set_policy(policy) && errno != EINVAL)
		die("sched_setscheduler");
	compute((turn % 7 + 1) * 1000);
}

/* A CPU may have gone since we looked. */
static void move(unsigned long turn)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(turn % sysconf(_SC_NPROCESSORS_CONF), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) && errno != EINVAL)
		die("sched_setaffinity");
	compute(1000);
}

static void yield(unsigned long turn)
{
	(void)turn;
	sched_yield();
	compute(1000);
}

static const struct work {
	const char *name;
	void (*turn)(unsigned long turn);
} works[] = {
	{ "burn", burn }, { "sleep", sleep_a_while }, { "fork", fork_child },
	{ "proc", read_proc }, { "rename", rename_directory }, { "mkdir", make_directory },
	{ "mmap", map_memory }, { "policy", switch_policy }, { "affinity", move },
	{ "yield", yield },
};

static void *repeat(void *work)
{
	const struct work *what = work;
	unsigned long turn;

	for (turn = 0; !stop; turn++) {
		what->turn(turn);
		done++;
		if (pause_us)
			usleep(pause_us);
	}
	return NULL;
}

/*
 * pi POLICY, in deeds: a thread takes a lock with priority inheritance and enters
 * POLICY, and another one of the class of everybody takes all of the CPU: "ready
 * TID", of the first. At the next line of input, "POLICY MS", a third thread of that
 * POLICY waits for the lock, on any CPU, and the second ends after so many milliseconds. The
 * owner needs 20 ms of CPU time before it unlocks. "waited NS" says how long it took.
 */
static pthread_mutex_t lock;
static pthread_mutex_t *const locks = &lock;
static atomic_int owner;
static atomic_bool hog_ends;
static int waiter_policy;

static long long clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void *own_lock(void *unused)
{
	long long start;

	(void)unused;
	pthread_mutex_lock(locks);
	if (set_policy(atoi(argument)))
		die("sched_setscheduler");
	owner = syscall(SYS_gettid);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < start + 20000000)
		compute(10000);
	pthread_mutex_unlock(locks);
	return NULL;
}

static void *hog(void *unused)
{
	(void)unused;
	while (!hog_ends)
		compute(10000);
	return NULL;
}

static void *want_lock(void *unused)
{
	long long start;

	(void)unused;
	/* Beside the hog it might not even come to ask for the lock. */
	set_any_cpu();
	if (set_policy(waiter_policy))
		die("sched_setscheduler");
	start = clock_ns(CLOCK_MONOTONIC);
	pthread_mutex_lock(locks);
	printf("waited %lld\n", clock_ns(CLOCK_MONOTONIC) - start);
	pthread_mutex_unlock(locks);
	return NULL;
}

static int hold_lock(void)
{
	pthread_mutexattr_t attributes;
	pthread_t first, second, third;
	int ms;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(locks, &attributes);
	/* Before the hog: what the owner can't do afterwards. */
	if (pthread_create(&first, NULL, own_lock, NULL))
		die("pthread_create");
	while (!owner)
		usleep(100);
	if (pthread_create(&second, NULL, hog, NULL))
		die("pthread_create");
	printf("ready %d\n", owner);
	fflush(stdout);
	if (scanf("%d %d", &waiter_policy, &ms) != 2)
		return 1;
	if (pthread_create(&third, NULL, want_lock, NULL))
		die("pthread_create");
	usleep(ms * 1000);
	hog_ends = true;
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	pthread_join(third, NULL);
	return 0;
}

int main(int argc, char **argv)
{
	int policy = -1, threads = 1, option, i;
	const struct work *work = NULL;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((option = getopt(argc, argv, "+p:n:c:t:s:")) != -1) {
		switch (option) {
		case 'p':
			policy = atoi(optarg);
			break;
		case 'n':
			if (setpriority(PRIO_PROCESS, 0, atoi(optarg)))
				die("setpriority");
			break;
		case 'c':
			set_cpu(atoi(optarg));
			break;
		case 't':
			threads = atoi(optarg);
			break;
		case 's':
			pause_us = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "usage: batch [OPTIONS] WHAT [ARGUMENT]\n");
		return 2;
	}
	if (optind + 1 < argc)
		argument = argv[optind + 1];
	if (policy >= 0 && set_policy(policy))
		die("sched_setscheduler");
	if (!strcmp(argv[optind], "pi"))
		return hold_lock();
	for (i = 0; i < (int)(sizeof(works) / sizeof(*works)); i++)
		if (!strcmp(argv[optind], works[i].name))
			work = &works[i];
	if (!work) {
		fprintf(stderr, "batch: what is %s?\n", argv[optind]);
		return 2;
	}
	signal(SIGTERM, on_term);
	for (i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, repeat, (void *)work))
			die("pthread_create");
	puts("ready");
	fflush(stdout);
	repeat((void *)work);
	printf("%lu\n", (unsigned long)done);
	fflush(stdout);
	/* Threads may be in the middle of something. */
	_exit(0);
}
