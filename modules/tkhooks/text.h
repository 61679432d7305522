/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changing what the kernel has written into a file.
 */
#ifndef TKHOOKS_TEXT_H
#define TKHOOKS_TEXT_H

#include <linux/seq_file.h>

/**
 * tkhooks_replace - replace a part of what was written into a file last
 * @m: the file, which hasn't overflowed
 * @old: the part's beginning, in its buffer
 * @size: its length
 * @text: what comes in its place
 *
 * If there is no room for it the file has overflowed, and will be asked again with more.
 */
void tkhooks_replace(struct seq_file *m, char *old, size_t size, const char *text);

#endif
