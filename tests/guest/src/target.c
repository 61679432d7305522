// SPDX-License-Identifier: GPL-2.0
/*
 * A process that does what it is told: one command a line on standard input,
 * one line of answer on standard output. An answer is a number, negative for an
 * errno, or a few words. lib/target.py speaks with it and lists the commands.
 *
 * Also the other side: as a program of its own, of another user or with 32
 * bits, it does to other processes what a debugger does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ttools.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define LINE_SIZE 16384
#define MAX_WORDS 16
#define MAX_CHILDREN 16
#define TRANSFER_SIZE 4096
#define STACK_SIZE (256 * 1024)

/* What nobody else should read. */
static char secret[64] = "the secret of a protected process";
/* Enough pages that reading them takes the kernel more than one go. */
static char large[64 * 4096];

static const char *self_path = "/proc/self/exe";
static struct child {
	pid_t pid;
	int to;
	int from;
} children[MAX_CHILDREN];
static int nr_children;

static int in_fd = STDIN_FILENO;
static int out_fd = STDOUT_FILENO;

static void die(const char *what)
{
	dprintf(STDERR_FILENO, "target: %s: %s\n", what, strerror(errno));
	_exit(99);
}

static void send_line(int fd, const char *format, va_list args)
{
	char line[LINE_SIZE];
	int len = vsnprintf(line, sizeof(line) - 1, format, args);

	line[len++] = '\n';
	if (write(fd, line, len) != len)
		_exit(98);
}

[[gnu::format(printf, 1, 2)]]
static void answer(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_line(out_fd, format, args);
	va_end(args);
}

[[gnu::format(printf, 2, 3)]]
static void tell(int fd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_line(fd, format, args);
	va_end(args);
}

/* For calls that return -1 and errno. */
static void answer_call(long ret)
{
	answer("%ld", ret == -1 ? -(long)errno : ret);
}

/*
 * A byte a time: what comes after the line is for whoever reads next, maybe a
 * program that this one executes.
 */
static int read_line(int fd, char *line)
{
	int len = 0;

	for (;;) {
		ssize_t got = read(fd, line + len, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1)
			return -1;
		if (line[len] == '\n')
			break;
		if (++len == LINE_SIZE)
			return -1;
	}
	line[len] = '\0';
	return len;
}

static unsigned long number(const char *word)
{
	/* strtoul() takes -1 as well. */
	return word ? strtoull(word, NULL, 0) : 0;
}

static void *address(const char *word)
{
	return (void *)number(word);
}

static int from_hex(const char *hex, unsigned char *bytes)
{
	int len = strlen(hex) / 2;

	for (int i = 0; i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
			return -1;
	return len;
}

static void answer_hex(const unsigned char *bytes, ssize_t len)
{
	static const char digits[] = "0123456789abcdef";
	char line[2 * TRANSFER_SIZE + 1];

	if (len < 0) {
		answer_call(len);
		return;
	}
	for (ssize_t i = 0; i < len; i++) {
		line[2 * i] = digits[bytes[i] >> 4];
		line[2 * i + 1] = digits[bytes[i] & 15];
	}
	line[2 * len] = '\0';
	answer("=%s", line);
}

/*
 * An ioctl of the device, which isn't kept open; a failure to open it has a
 * range of its own.
 */
static long device_ioctl(unsigned long cmd, unsigned long arg)
{
	int fd = open("/dev/ttools", O_RDONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -1000 - errno;
	/* The C library's prototype takes an int on some systems. */
	ret = syscall(SYS_ioctl, fd, cmd, arg);
	ret = ret == -1 ? -errno : ret;
	close(fd);
	return ret;
}

/* --- Threads ----------------------------------------------------------------- */

static int thread_pipe[2];
/* What the next thread does. */
static char **thread_exec;
static unsigned long thread_cmd, thread_arg;
static long thread_result;

static void *thread_main(void *unused)
{
	pid_t tid = syscall(SYS_gettid);

	(void)unused;
	if (thread_exec) {
		execv(thread_exec[0], thread_exec);
		die("exec by a thread");
	}
	if (thread_cmd)
		thread_result = device_ioctl(thread_cmd, thread_arg);
	if (write(thread_pipe[1], &tid, sizeof(tid)) != sizeof(tid))
		die("pipe");
	for (;;)
		pause();
	return NULL;
}

static pid_t start_thread(void)
{
	pthread_t thread;
	pid_t tid;
	int error;

	if (!thread_pipe[0] && pipe2(thread_pipe, O_CLOEXEC))
		die("pipe");
	error = pthread_create(&thread, NULL, thread_main, NULL);
	if (error)
		return -error;
	if (read(thread_pipe[0], &tid, sizeof(tid)) != sizeof(tid))
		die("pipe");
	return tid;
}

/* --- Children ---------------------------------------------------------------- */

static int wait_for_byte(int fd)
{
	char byte;
	ssize_t got;

	do
		got = read(fd, &byte, 1);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : -1;
}

/* Becomes a program that writes a byte to FD and waits to be killed. */
static void exec_sleeper(int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	execl(self_path, self_path, "--sleeper", number, NULL);
	_exit(97);
}

static int new_child(pid_t pid, int to, int from)
{
	if (nr_children == MAX_CHILDREN)
		die("too many children");
	children[nr_children] = (struct child){ pid, to, from };
	return nr_children++;
}

/* A child that takes commands too, by "child"; with the pid WANT if not 0. */
static void command_fork(pid_t want)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	if (want) {
		struct clone_args args = {
			.exit_signal = SIGCHLD,
			.set_tid = (uintptr_t)&want,
			.set_tid_size = 1,
		};

		pid = syscall(SYS_clone3, &args, sizeof(args));
	} else {
		pid = fork();
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Where the next program image looks for them, too. */
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		nr_children = 0;
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		return;
	}
	if (pid < 0) {
		int error = errno;

		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		answer("%d", -error);
		return;
	}
	close(to[0]);
	close(from[1]);
	new_child(pid, to[1], from[0]);
	answer("%d", pid);
}

static void command_child(const char *index, const char *rest)
{
	unsigned long i = number(index);
	char line[LINE_SIZE];

	if (i >= (unsigned long)nr_children) {
		answer("no such child");
		return;
	}
	tell(children[i].to, "%s", rest);
	if (read_line(children[i].from, line) < 0)
		answer("gone");
	else
		answer("%s", line);
}

static void command_child_exit(const char *index)
{
	unsigned long i = number(index);
	char line[LINE_SIZE];

	if (i >= (unsigned long)nr_children) {
		answer("no such child");
		return;
	}
	tell(children[i].to, "exit 0");
	/* Its end of the pipe is closed. */
	answer("%d", read_line(children[i].from, line) < 0 ? 0 : -EBUSY);
}

/* Runs in the parent's memory: the fewer calls, the better. */
static int clone_vm_pipe[2];
static int clone_vm_ready[2];

static int clone_vm_main(void *unused)
{
	char byte;

	(void)unused;
	while (read(clone_vm_pipe[0], &byte, 1) != 1)
		;
	if (byte == 'x')
		exec_sleeper(clone_vm_ready[1]);
	if (byte == 'u')
		device_ioctl(TTOOLS_PTRACE_UNPROTECT, 0);
	if (byte == 'p')
		device_ioctl(TTOOLS_PTRACE_PROTECT, 0);
	if (write(clone_vm_ready[1], "", 1) != 1)
		_exit(97);
	for (;;)
		pause();
	return 0;
}

static void command_clone_vm(void)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		die("mmap");
	if (pipe2(clone_vm_pipe, 0) || pipe2(clone_vm_ready, 0))
		die("pipe");
	answer_call(clone(clone_vm_main, stack + STACK_SIZE, CLONE_VM | SIGCHLD, NULL));
}

/* Tells the child of "clone_vm" what to do, and waits until it has. */
static void command_clone_vm_do(const char *what)
{
	if (write(clone_vm_pipe[1], what, 1) != 1 ||
	    wait_for_byte(clone_vm_ready[0]))
		die("pipe");
	answer("0");
}

static void run(void);
/* In the child of a vfork: what tells of its exec. */
static int vfork_ready = -1;

/*
 * The child answers and takes commands in the parent's place until it executes
 * a program ("exec_sleeper") or ends ("exit"); the parent answers after that.
 */
static void command_vfork(void)
{
	int ready[2];
	pid_t pid;

	if (pipe2(ready, 0))
		die("pipe");
	pid = vfork();
	if (pid == 0) {
		vfork_ready = ready[1];
		answer("%d", (int)syscall(SYS_getpid));
		run();
		_exit(0);
	}
	if (pid < 0) {
		answer("%d", -errno);
		return;
	}
	vfork_ready = -1;
	close(ready[1]);
	/* The new program says so, or nobody is left who might. */
	wait_for_byte(ready[0]);
	close(ready[0]);
	answer("0");
}

static void command_exec(char **args, int by_thread)
{
	if (!by_thread) {
		execv(args[0], args);
		answer("%d", -errno);
		return;
	}
	thread_exec = args;
	start_thread();
	/* Not reached if it works. */
	answer("%d", -ENOEXEC);
}

/* Processes that protect themselves and end, one after the other. */
static void command_rounds(unsigned long rounds)
{
	while (rounds--) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(!!device_ioctl(TTOOLS_PTRACE_PROTECT, 0));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
			answer("%d", -ECHILD);
			return;
		}
	}
	answer("0");
}

/* --- Looking into other processes ----------------------------------------------- */

static void transfer(int write, pid_t pid, void *remote, const char *what)
{
	unsigned char buffer[TRANSFER_SIZE];
	struct iovec here = { buffer, 0 }, there = { remote, 0 };
	ssize_t done;

	here.iov_len = write ? (size_t)from_hex(what, buffer) : number(what);
	there.iov_len = here.iov_len;
	if (write) {
		answer_call(process_vm_writev(pid, &here, 1, &there, 1, 0));
		return;
	}
	done = process_vm_readv(pid, &here, 1, &there, 1, 0);
	answer_hex(buffer, done);
}

static void command_pread(int fd, unsigned long long offset, size_t len)
{
	unsigned char buffer[TRANSFER_SIZE];
	ssize_t done = pread64(fd, buffer, len, offset);

	answer_hex(buffer, done);
}

static void command_pwrite(int fd, unsigned long long offset, const char *hex)
{
	unsigned char buffer[TRANSFER_SIZE];

	answer_call(pwrite64(fd, buffer, from_hex(hex, buffer), offset));
}

static void command_read(int fd, size_t len)
{
	unsigned char buffer[TRANSFER_SIZE];

	answer_hex(buffer, read(fd, buffer, len));
}

/* "PID STATUS" */
static void command_wait(pid_t pid, int options)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, options | __WALL);

	if (got < 0)
		answer("%d", -errno);
	else
		answer("%d %d", got, status);
}

/* --- Memory of its own ----------------------------------------------------------- */

/*
 * SIZE bytes at the end of a page, with nothing after them, of a page with
 * protection PROT.
 */
static void command_alloc(size_t size, int prot)
{
	char *page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || munmap(page + 4096, 4096) ||
	    mprotect(page, 4096, prot))
		die("mmap");
	answer("%lu", (unsigned long)(page + 4096 - size));
}

/* A memfd, mapped: "ADDRESS FD". */
static void command_map_shared(void)
{
	int fd = memfd_create("shared", MFD_CLOEXEC);
	void *page;

	if (fd < 0 || ftruncate(fd, 4096))
		die("memfd");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		die("mmap");
	memcpy(page, secret, sizeof(secret));
	answer("%lu %d", (unsigned long)page, fd);
}

static void command_peek(void *at, size_t len)
{
	answer_hex(at, len);
}

static void command_poke(void *at, const char *hex)
{
	answer("%d", from_hex(hex, at));
}

/* --- Itself ---------------------------------------------------------------------- */

static void command_setuid(unsigned long uid)
{
	if (syscall(SYS_setgroups, 0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		answer("%d", -errno);
	else
		answer("0");
}

static void command_comm(const char *hex)
{
	unsigned char name[TRANSFER_SIZE];

	name[from_hex(hex, name)] = '\0';
	answer_call(prctl(PR_SET_NAME, name));
}

static void command_syscall(char **words)
{
	/* Through unsigned long: an address of a 32-bit program keeps its sign. */
	answer_call(syscall(number(words[1]), number(words[2]), number(words[3]),
			    number(words[4]), number(words[5]), number(words[6]),
			    number(words[7])));
}

static int split(char *line, char **words)
{
	int n = 0;

	for (char *word = strtok(line, " "); word && n < MAX_WORDS - 1;
	     word = strtok(NULL, " "))
		words[n++] = word;
	for (int i = n; i < MAX_WORDS; i++)
		words[i] = NULL;
	return n;
}

/* --- The commands: words[0] is the name, MAX_WORDS words, NULL after the last ------ */

static void do_ioctl(char **w)
{
	answer("%ld", device_ioctl(number(w[1]), number(w[2])));
}

static void do_thread(char **w)
{
	(void)w;
	answer("%d", start_thread());
}

static void do_thread_ioctl(char **w)
{
	thread_cmd = number(w[1]);
	thread_arg = number(w[2]);
	start_thread();
	thread_cmd = 0;
	answer("%ld", thread_result);
}

static void do_fork(char **w)
{
	command_fork(number(w[1]));
}

static void do_child(char **w)
{
	char line[LINE_SIZE] = "";

	for (int i = 2; w[i]; i++) {
		strncat(line, w[i], sizeof(line) - strlen(line) - 2);
		strcat(line, " ");
	}
	command_child(w[1], line);
}

static void do_child_exit(char **w)
{
	command_child_exit(w[1]);
}

static void do_vfork(char **w)
{
	(void)w;
	command_vfork();
}

static void do_exec_sleeper(char **w)
{
	(void)w;
	if (vfork_ready < 0)
		answer("only after vfork");
	else
		exec_sleeper(vfork_ready);
}

static void do_clone_vm(char **w)
{
	(void)w;
	command_clone_vm();
}

static void do_clone_vm_do(char **w)
{
	command_clone_vm_do(w[1]);
}

static void do_exec(char **w)
{
	command_exec(w + 1, 0);
}

static void do_exec_by_thread(char **w)
{
	command_exec(w + 1, 1);
}

static void do_rounds(char **w)
{
	command_rounds(number(w[1]));
}

static void do_vmread(char **w)
{
	transfer(0, number(w[1]), address(w[2]), w[3]);
}

static void do_vmwrite(char **w)
{
	transfer(1, number(w[1]), address(w[2]), w[3]);
}

static void do_open(char **w)
{
	answer_call(open(w[1], number(w[2])));
}

static void do_read(char **w)
{
	command_read(number(w[1]), number(w[2]));
}

static void do_pread(char **w)
{
	command_pread(number(w[1]), number(w[2]), number(w[3]));
}

static void do_pwrite(char **w)
{
	command_pwrite(number(w[1]), number(w[2]), w[3]);
}

static void do_wait(char **w)
{
	command_wait(number(w[1]), number(w[2]));
}

static void do_ptrace(char **w)
{
	answer_call(syscall(SYS_ptrace, number(w[1]), number(w[2]), number(w[3]),
			    number(w[4])));
}

static void do_alloc(char **w)
{
	command_alloc(number(w[1]), number(w[2]));
}

static void do_map_shared(char **w)
{
	(void)w;
	command_map_shared();
}

static void do_peek(char **w)
{
	command_peek(address(w[1]), number(w[2]));
}

static void do_poke(char **w)
{
	command_poke(address(w[1]), w[2]);
}

static void do_secret(char **w)
{
	(void)w;
	answer("%lu", (unsigned long)secret);
}

static void do_large(char **w)
{
	(void)w;
	memset(large, 'L', sizeof(large));
	answer("%lu", (unsigned long)large);
}

static void do_eventfd(char **w)
{
	(void)w;
	answer_call(eventfd(0, 0));
}

static void do_dup(char **w)
{
	answer_call(dup(number(w[1])));
}

static void do_close(char **w)
{
	answer_call(close(number(w[1])));
}

static void do_setuid(char **w)
{
	command_setuid(number(w[1]));
}

static void do_uid(char **w)
{
	(void)w;
	answer("%u %u", getuid(), geteuid());
}

static void do_comm(char **w)
{
	command_comm(w[1]);
}

static void do_pid(char **w)
{
	(void)w;
	answer("%d", (int)syscall(SYS_getpid));
}

/* The threads go on. */
static void do_leader_exit(char **w)
{
	(void)w;
	syscall(SYS_exit, 0);
}

static void do_exit(char **w)
{
	_exit(number(w[1]));
}

static const struct command {
	const char *name;
	/* How many words have to follow. */
	int args;
	void (*run)(char **words);
} commands[] = {
	/* Protection: COMMAND ARG */
	{ "ioctl", 2, do_ioctl },
	{ "thread_ioctl", 2, do_thread_ioctl },
	/* Other threads and processes */
	{ "thread", 0, do_thread },
	{ "fork", 0, do_fork },			/* [PID] */
	{ "child", 2, do_child },		/* INDEX COMMAND... */
	{ "child_exit", 1, do_child_exit },	/* INDEX */
	{ "vfork", 0, do_vfork },
	{ "exec_sleeper", 0, do_exec_sleeper },
	{ "clone_vm", 0, do_clone_vm },
	{ "clone_vm_do", 1, do_clone_vm_do },	/* x: exec, p: PROTECT, u: UNPROTECT */
	{ "exec", 1, do_exec },			/* PROGRAM ARG... */
	{ "exec_by_thread", 1, do_exec_by_thread },
	{ "rounds", 1, do_rounds },		/* N */
	/* Looking into others */
	{ "ptrace", 4, do_ptrace },		/* REQUEST PID ADDR DATA */
	{ "wait", 2, do_wait },			/* PID OPTIONS */
	{ "vmread", 3, do_vmread },		/* PID ADDRESS LENGTH */
	{ "vmwrite", 3, do_vmwrite },		/* PID ADDRESS HEX */
	{ "open", 2, do_open },			/* PATH FLAGS */
	{ "read", 2, do_read },			/* FD LENGTH */
	{ "pread", 3, do_pread },		/* FD OFFSET LENGTH */
	{ "pwrite", 3, do_pwrite },		/* FD OFFSET HEX */
	{ "syscall", 1, command_syscall },	/* NUMBER ARG... */
	/* Itself */
	{ "alloc", 2, do_alloc },		/* SIZE PROT */
	{ "peek", 2, do_peek },			/* ADDRESS LENGTH */
	{ "poke", 2, do_poke },			/* ADDRESS HEX */
	{ "map_shared", 0, do_map_shared },
	{ "secret", 0, do_secret },
	{ "large", 0, do_large },
	{ "eventfd", 0, do_eventfd },
	{ "dup", 1, do_dup },			/* FD */
	{ "close", 1, do_close },		/* FD */
	{ "setuid", 1, do_setuid },		/* UID */
	{ "uid", 0, do_uid },
	{ "comm", 1, do_comm },			/* HEX */
	{ "pid", 0, do_pid },
	{ "leader_exit", 0, do_leader_exit },
	{ "exit", 1, do_exit },			/* STATUS */
};

static void run(void)
{
	char line[LINE_SIZE];
	char *words[MAX_WORDS];

	while (read_line(in_fd, line) >= 0) {
		const struct command *command = commands;
		int n = split(line, words);

		if (!n)
			continue;
		while (command < commands + ARRAY_SIZE(commands) &&
		       strcmp(command->name, words[0]))
			command++;
		if (command == commands + ARRAY_SIZE(commands) || n <= command->args)
			answer("what is %s?", words[0]);
		else
			command->run(words);
	}
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);

	if (argc == 3 && !strcmp(argv[1], "--sleeper")) {
		if (write(number(argv[2]), "", 1) != 1)
			die("pipe");
		for (;;)
			pause();
	}
	/* What "exec" is answered with is that the new program runs. */
	if (argc == 2 && !strcmp(argv[1], "--again"))
		answer("0");
	run();
	return 0;
}
