// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "text.h"

void tkhooks_replace(struct seq_file *m, char *old, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (m->count - size + len >= m->size) {
		m->count = m->size;
		return;
	}
	memmove(old + len, old + size, m->buf + m->count - (old + size));
	memcpy(old, text, len);
	m->count += len - size;
}
