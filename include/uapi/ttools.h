/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/ttools: process protection, and reference counts of open files.
 *
 * Every ioctl returns 0, or -1 with errno. Errors that all share: EPERM without
 * CAP_SYS_ADMIN if the module was loaded with admin_only=1, EINVAL for an
 * unknown command. The mode that the device was opened with doesn't matter, and
 * nothing depends on the file staying open.
 */
#ifndef _UAPI_TTOOLS_H
#define _UAPI_TTOOLS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TTOOLS_IO 0xEE

/* For TTOOLS_GET_FD_REFS_CNT. */
struct ttools_fd_ref {
	int fd;		/* in: a descriptor of the caller */
	long ref_cnt;	/* out */
};

/*
 * Protect the calling process, all its threads, until it ends or unprotects
 * itself, across exec too. Nobody else can undo it short of unloading the
 * module. Children are not protected. The argument is ignored.
 *
 * EEXIST: it is protected already. ENOMEM.
 */
#define TTOOLS_PTRACE_PROTECT		_IO(TTOOLS_IO, 0x00)

/*
 * End the protection of the calling process; no error if there is none. The
 * argument is ignored.
 */
#define TTOOLS_PTRACE_UNPROTECT		_IO(TTOOLS_IO, 0x01)

/*
 * Count the references to an open file. For a file that is in no file system
 * (eventfd, epoll, timerfd and their like) those to the open file description,
 * which dup(2) and fork(2) add to; for others those to the directory entry,
 * which each open(2) adds to.
 *
 * EBADF: not a descriptor, or one of O_PATH. EFAULT. EOVERFLOW: the count does
 * not fit a 32-bit program's long. The structure is left alone on errors.
 */
#define TTOOLS_GET_FD_REFS_CNT		_IOWR(TTOOLS_IO, 0x02, struct ttools_fd_ref)

/*
 * As TTOOLS_PTRACE_PROTECT, and processes that the process makes from now on
 * are protected in the same way from their first moment, and those that they
 * make, and so on. A process may still unprotect itself. A process that is
 * protected without its tree gets this in addition. The argument is ignored.
 *
 * EEXIST: it is protected with its tree already. ENOMEM. A fork(2) of a
 * protected process fails with ENOMEM rather than make an unprotected child.
 */
#define TTOOLS_PTRACE_PROTECT_TREE	_IO(TTOOLS_IO, 0x03)

/*
 * Let another process, given by a pidfd as the argument, access the calling
 * process as far as the kernel's own rules let it: a crash handler, or one's
 * own debugger. For up to 8 processes; children that inherit the protection
 * inherit this too. Ends with the protection.
 *
 * ENOENT: the caller is not protected. EBADF: not a pidfd. EINVAL: a pidfd of a
 * thread other than the first. ESRCH: the process is gone. EEXIST: it may
 * already. ENOSPC: there are 8. ENOMEM.
 */
#define TTOOLS_PTRACE_ALLOW		_IO(TTOOLS_IO, 0x04)

/*
 * Take TTOOLS_PTRACE_ALLOW back. A tracer that is attached stays so, and is
 * refused every request.
 *
 * ENOENT: the caller is not protected, or had not allowed it. EBADF. ENOMEM.
 */
#define TTOOLS_PTRACE_DISALLOW		_IO(TTOOLS_IO, 0x05)

#endif /* _UAPI_TTOOLS_H */
