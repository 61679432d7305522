/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TKHOOKS_PIDFILE_H
#define TKHOOKS_PIDFILE_H

/* Finds what the file is made of. Sleeps; 0 or -EOPNOTSUPP, the log says why. */
int tkhooks_find_pidfile(void);

/* No file of these can be found any more, when none comes to be any more. Sleeps. */
void tkhooks_drop_pidfiles(void);

#endif
