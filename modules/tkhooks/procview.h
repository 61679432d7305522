/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_PROCVIEW_H
#define TKHOOKS_PROCVIEW_H

/* Finds what views are made of. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_procview(void);

#endif
