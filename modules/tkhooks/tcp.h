/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_TCP_H
#define TKHOOKS_TCP_H

/* Finds what the hook and its sites use. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_tcp(void);

#endif
