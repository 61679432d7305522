/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inline functions and macros of the kernel that Rust can't call, one plain
 * function each.
 */
#ifndef _TK_HELPERS_H
#define _TK_HELPERS_H

#include <linux/types.h>

struct file;
struct pid;
struct ratelimit_state;
struct task_struct;
struct wait_queue_head;

struct pid *tk_helper_get_pid(struct pid *pid);
struct pid *tk_helper_get_task_tgid(struct task_struct *task);
pid_t tk_helper_pid_nr(struct pid *pid);
bool tk_helper_same_thread_group(struct task_struct *a, struct task_struct *b);
struct task_struct *tk_helper_ptrace_parent(struct task_struct *task);
struct task_struct *tk_helper_real_parent(struct task_struct *task);
struct task_struct *tk_helper_next_process(struct task_struct *process);
bool tk_helper_uses_our_memory(struct task_struct *process);
bool tk_helper_others_use_our_memory(void);

long tk_helper_file_count(struct file *file);
bool tk_helper_file_is_anon(struct file *file);
int tk_helper_file_dentry_count(struct file *file);

void tk_helper_ratelimit_default_init(struct ratelimit_state *rs);

bool tk_helper_path_exists(const char *path);

bool tk_helper_wait_interrupted(void);
bool tk_helper_wq_has_sleeper(struct wait_queue_head *head);

s64 __percpu *tk_helper_percpu_alloc(void);
s64 tk_helper_percpu_add_return(s64 __percpu *counter, s64 n);
void tk_helper_percpu_set(s64 __percpu *counter, s64 n);
void tk_helper_percpu_set_all(s64 __percpu *counter, s64 n);
s64 tk_helper_percpu_sum(s64 __percpu *counter);

#endif /* _TK_HELPERS_H */
