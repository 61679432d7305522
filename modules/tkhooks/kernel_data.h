/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data that the patch, or what it exports, uses and an unpatched kernel has for itself
 * only. To be included before anything else: the kernel's own declarations, and what
 * uses them, then mean what a pointer leads to.
 */
#ifndef TKHOOKS_KERNEL_DATA_H
#define TKHOOKS_KERNEL_DATA_H

/* Features use these: set before one can be loaded. */
#define cgroup_lifetime_notifier	(*tkhooks_cgroup_lifetime_notifier)
#define total_swap_pages		(*tkhooks_total_swap_pages)
#define vmstat_text			(*tkhooks_vmstat_text)

/* The procview hook's: set before it is registered. */
#define cpuinfo_op			(*tkhooks_cpuinfo_op)
#define init_cgroup_ns			(*tkhooks_init_cgroup_ns)
#define init_nsproxy			(*tkhooks_init_nsproxy)

/* The tcp hook's, likewise. */
#define sysctl_tcp_max_orphans		(*tkhooks_sysctl_tcp_max_orphans)
#define tcp_hashinfo			(*tkhooks_tcp_hashinfo)

#endif
