/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_RECLAIM_H
#define TKHOOKS_RECLAIM_H

#include <linux/types.h>

struct scan_control;

/* Finds what tkernel_reclaim_file() calls. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_reclaim(void);

/* Whether it is one of tkernel_reclaim_file() that takes only what was used once. */
bool tkhooks_is_cold_scan(const struct scan_control *scan);

#endif
