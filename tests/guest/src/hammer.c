// SPDX-License-Identifier: GPL-2.0
/*
 * hammer WHAT [PID | PATH]: does one thing over and over until SIGTERM, then says
 * how often it worked, how often it was refused and how often there was no device
 * or file.
 *
 * WHAT: ptrace (attach to PID, read and detach), ioctl (protect and unprotect itself,
 * and the rest), fork (children that inherit protection, exec or just end),
 * memory (read PID's), file (read PATH and write a number to it).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ttools.h>

static volatile sig_atomic_t stop;
static unsigned long worked, refused, no_device;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void count(long ret)
{
	if (ret != -1)
		worked++;
	else if (errno == EPERM || errno == EACCES)
		refused++;
}

/*
 * Each attempt is that of a process of its own: one that is refused to detach
 * has to end, or its tracee stays stopped.
 */
static int trace(pid_t pid)
{
	int fine;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, NULL, __WALL) != pid)
		return errno;
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, (void *)trace, 0);
	fine = !errno && !ptrace(PTRACE_DETACH, pid, 0, 0);
	return fine ? 0 : errno;
}

static void do_ptrace(pid_t pid)
{
	pid_t tracer = fork();
	int status;

	if (tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(trace(pid));
	}
	if (tracer < 0 || waitpid(tracer, &status, 0) != tracer)
		return;
	errno = WEXITSTATUS(status);
	count(errno ? -1 : 0);
}

static int open_device(void)
{
	int fd = open("/dev/ttools", O_RDONLY | O_CLOEXEC);

	no_device += fd < 0;
	return fd;
}

static void do_ioctl(void)
{
	struct ttools_fd_ref ref = { .fd = 0 };
	int fd = open_device();
	int pidfd;

	if (fd < 0)
		return;
	count(ioctl(fd, TTOOLS_PTRACE_PROTECT, 0));
	count(ioctl(fd, TTOOLS_PTRACE_PROTECT_TREE, 0));
	pidfd = syscall(SYS_pidfd_open, getppid(), 0);
	count(ioctl(fd, TTOOLS_PTRACE_ALLOW, pidfd));
	count(ioctl(fd, TTOOLS_GET_FD_REFS_CNT, &ref));
	count(ioctl(fd, TTOOLS_PTRACE_DISALLOW, pidfd));
	count(ioctl(fd, TTOOLS_PTRACE_UNPROTECT, 0));
	close(pidfd);
	close(fd);
}

static void do_fork(unsigned long round)
{
	int fd = open_device();
	pid_t pid;

	if (fd >= 0) {
		ioctl(fd, TTOOLS_PTRACE_PROTECT_TREE, 0);
		close(fd);
	}
	pid = round % 2 ? vfork() : fork();
	if (pid == 0) {
		if (round % 4 == 0)
			execl("/proc/self/exe", "hammer", "none", NULL);
		_exit(0);
	}
	count(pid);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void do_memory(pid_t pid)
{
	char path[64], byte;
	struct iovec here = { &byte, 1 }, there = { on_term, 1 };
	int fd;

	count(process_vm_readv(pid, &here, 1, &there, 1, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	count(fd);
	if (fd < 0)
		return;
	count(pread(fd, &byte, 1, (uintptr_t)on_term));
	close(fd);
}

static void do_file(const char *path)
{
	char text[64];
	int fd = open(path, O_RDWR | O_CLOEXEC);

	no_device += fd < 0;
	if (fd < 0)
		return;
	/* It may go while it is open. */
	for (int i = 0; i < 8; i++) {
		count(pread(fd, text, sizeof(text), 0));
		count(pwrite(fd, "8", 1, 0));
	}
	close(fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	pid_t pid = argc > 2 ? atoi(argv[2]) : 0;

	if (!strcmp(what, "none"))
		return 0;
	signal(SIGTERM, on_term);
	printf("ready\n");
	fflush(stdout);
	for (unsigned long round = 0; !stop; round++) {
		if (!strcmp(what, "ptrace"))
			do_ptrace(pid);
		else if (!strcmp(what, "ioctl"))
			do_ioctl();
		else if (!strcmp(what, "fork"))
			do_fork(round);
		else if (!strcmp(what, "memory"))
			do_memory(pid);
		else if (!strcmp(what, "file") && argc > 2)
			do_file(argv[2]);
		else
			return 2;
	}
	printf("%lu %lu %lu\n", worked, refused, no_device);
	return 0;
}
