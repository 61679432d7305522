// SPDX-License-Identifier: GPL-2.0
/*
 * Where the kernel tells its release. The system calls have put it into the caller's
 * memory when it is changed there: another thread that looks meanwhile may see it.
 */
#include <linux/compat.h>
#include <linux/personality.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/tkernel/uname.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <asm/ptrace.h>

#include "attach.h"
#include "text.h"

enum { NEWUNAME, UNAME, OSRELEASE, VERSION, IA32_NEWUNAME };

static long change(char __user *told)
{
	char release[__NEW_UTS_LEN + 1];

	/* It has been told the release of a kernel that is no more. */
	if (current->personality & UNAME26)
		return 0;
	if (copy_from_user(release, told, sizeof(release)))
		return -EFAULT;
	release[sizeof(release) - 1] = '\0';
	tkernel_uname_release(release, sizeof(release));
	return copy_to_user(told, release, sizeof(release)) ? -EFAULT : 0;
}

static long call(int site, const struct pt_regs *regs)
{
	return tkhooks_original(&tkhooks_uname_sites[site], (unsigned long)regs,
				0, 0, 0, 0, 0);
}

static long around_newuname(const struct pt_regs *regs)
{
	struct new_utsname __user *name = (void __user *)regs->di;

	guard(srcu)(&tkhooks_inside);
	return call(NEWUNAME, regs) ?: change(name->release);
}

static long around_uname(const struct pt_regs *regs)
{
	struct old_utsname __user *name = (void __user *)regs->di;

	guard(srcu)(&tkhooks_inside);
	return call(UNAME, regs) ?: change(name->release);
}

#ifdef CONFIG_IA32_EMULATION
static long around_ia32_newuname(const struct pt_regs *regs)
{
	struct new_utsname __user *name = compat_ptr(regs->bx);

	guard(srcu)(&tkhooks_inside);
	return call(IA32_NEWUNAME, regs) ?: change(name->release);
}
#endif

static int around_osrelease(const struct ctl_table *table, int write, void *buffer,
			    size_t *lenp, loff_t *ppos)
{
	char release[__NEW_UTS_LEN + 1];
	struct ctl_table changed;

	guard(srcu)(&tkhooks_inside);
	if (write || table->data != init_uts_ns.name.release)
		return tkhooks_original(&tkhooks_uname_sites[OSRELEASE],
					(unsigned long)table, write,
					(unsigned long)buffer, (unsigned long)lenp,
					(unsigned long)ppos, 0);
	/* Of a namespace it never changes. */
	strscpy(release, utsname()->release);
	tkernel_uname_release(release, sizeof(release));
	changed = *table;
	changed.data = release;
	return proc_dostring(&changed, 0, buffer, lenp, ppos);
}

/* "Linux version RELEASE (…": only the kernel itself has the rest. */
static int around_version(struct seq_file *m, void *v)
{
	const char *old = utsname()->release;
	size_t before = m->count;
	char release[__NEW_UTS_LEN + 1], *found;
	int ret;

	guard(srcu)(&tkhooks_inside);
	ret = tkhooks_original(&tkhooks_uname_sites[VERSION], (unsigned long)m,
			       (unsigned long)v, 0, 0, 0, 0);
	if (ret || seq_has_overflowed(m))
		return ret;
	strscpy(release, old);
	tkernel_uname_release(release, sizeof(release));
	found = strnstr(m->buf + before, old, m->count - before);
	if (found)
		tkhooks_replace(m, found, strlen(old), release);
	return 0;
}

struct tkhooks_site tkhooks_uname_sites[] = {
	[NEWUNAME] = {
		.function = "__x64_sys_newuname",
		.signature = "8p",
		.around = around_newuname,
	},
	[UNAME] = {
		.function = "__x64_sys_uname",
		.signature = "8p",
		.around = around_uname,
	},
	[OSRELEASE] = {
		.function = "proc_do_uts_string",
		.signature = "4p4ppp",
		.around = around_osrelease,
	},
	[VERSION] = {
		.function = "version_proc_show",
		.signature = "4pp",
		.around = around_version,
	},
#ifdef CONFIG_IA32_EMULATION
	[IA32_NEWUNAME] = {
		.function = "__ia32_sys_newuname",
		.signature = "8p",
		.around = around_ia32_newuname,
	},
#endif
	{}
};
