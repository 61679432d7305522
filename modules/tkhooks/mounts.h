/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_MOUNTS_H
#define TKHOOKS_MOUNTS_H

/* Finds what the sites look at. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_mounts(void);

/* The same for what tells an op a mount's path. */
int tkhooks_find_path(void);

#endif
