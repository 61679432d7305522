/* SPDX-License-Identifier: GPL-2.0 */
/*
 * To be included before fs/proc/internal.h, which can't be compiled in a module: there
 * <linux/proc_fs.h> has another value for what must not be unloaded.
 */
#ifndef TKHOOKS_PROC_FS_H
#define TKHOOKS_PROC_FS_H

/* What that includes is as in any module. */
#include <linux/compiler.h>
#include <linux/fs.h>
#include <linux/types.h>

#pragma push_macro("MODULE")
#undef MODULE
#include <linux/proc_fs.h>
#pragma pop_macro("MODULE")

#endif
