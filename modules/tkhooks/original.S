/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ways into and out of functions whose beginning ftrace has: attach.h.
 */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

	.text

/*
 * Goes to the address in %rax, as if it had been called from where this was. Not by a
 * jump: where the CPU checks those (IBT), the kernel has sealed its functions. Returns
 * are not checked, and with the mitigations for them this one is what others are.
 */
SYM_CODE_START(tkhooks_go)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	pushq	%rax
	RET
SYM_CODE_END(tkhooks_go)

/* What a function is replaced with whose answer is in its registers already. */
SYM_CODE_START(tkhooks_return)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	RET
SYM_CODE_END(tkhooks_return)

/*
 * Calls what is to be done before a function, and then the function: its arguments are in
 * their registers, the site is in %rax.
 */
SYM_CODE_START(tkhooks_go_before)
	UNWIND_HINT_FUNC
	ANNOTATE_NOENDBR
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%r9
	pushq	%r8
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	movq	%rax, %rdi
	movq	%rsp, %rsi
	call	tkhooks_run_before
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%r8
	popq	%r9
	popq	%rbp
	pushq	%rax
	RET
SYM_CODE_END(tkhooks_go_before)
