/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_RECLAIM_H
#define TKHOOKS_RECLAIM_H

/* Finds what tkernel_reclaim_file() calls. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_reclaim(void);

#endif
