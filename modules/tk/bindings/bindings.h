/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for the Rust layer: headers that the kernel crate's
 * bindings don't cover, and the helpers for inline functions.
 */
#include <linux/blkdev.h>
#include <linux/cgroup.h>
#include <linux/irqnr.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/tkernel/access.h>
#include <linux/tkernel/epoll.h>
#include <linux/tkernel/irqs.h>
#include <linux/tkernel/maps.h>
#include <linux/tkernel/mounts.h>
#include <linux/tkernel/netbind.h>
#include <linux/tkernel/pagecache.h>
#include <linux/tkernel/pidfile.h>
#include <linux/tkernel/proc.h>
#include <linux/tkernel/process.h>
#include <linux/tkernel/procview.h>
#include <linux/tkernel/ptrace.h>
#ifdef CONFIG_TKERNEL_SCHED_SLOT
#include <linux/tkernel/sched_slot.h>
#endif
#include <linux/tkernel/signal.h>
#include <linux/tkernel/tcp.h>
#include <linux/tkernel/uname.h>
#include <net/net_namespace.h>

#include "helpers.h"
