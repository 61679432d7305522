// SPDX-License-Identifier: GPL-2.0
/*
 * A program with a secret. It protects itself when it gets SIGUSR1 and ends the
 * protection at SIGUSR2.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ttools.h"

char secret[] = "correct horse battery staple";

int main(void)
{
	sigset_t set;
	int fd, sig;

	fd = open("/dev/ttools", O_RDONLY);
	if (fd < 0) {
		perror("/dev/ttools");
		return 1;
	}

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Where the secret is, for whoever wants to read it from outside. */
	printf("%lu %zu\n", (unsigned long)secret, strlen(secret));
	fflush(stdout);

	while (!sigwait(&set, &sig)) {
		if (ioctl(fd, sig == SIGUSR1 ? TTOOLS_PTRACE_PROTECT :
					       TTOOLS_PTRACE_UNPROTECT, 0))
			perror("ttools");
		puts(sig == SIGUSR1 ? "protected" : "unprotected");
		fflush(stdout);
	}
	return 0;
}
