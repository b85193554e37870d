/*
 * switch.h - what a context switch saves, and why not more.
 *
 * SPDX-License-Identifier: MIT
 *
 * A switch is a function call, so the compiler has already saved whatever a call may destroy.  What
 * remains is what the ABI calls callee-saved, which is kept on the stack that is left:
 *
 *   x86-64   rbx rbp r12-r15
 *   AArch64  x19-x30, d8-d15
 *
 * It leaves by a return.  The processor predicts a return from the calls made before; since nearly
 * all switches are called from one place, on both sides, that prediction is right, and so are those
 * of the callers' returns.  Leaving by a jump is faster where two contexts switch from different
 * places, but it leaves one call too many on the predictor's stack, and then every return above is
 * wrong: 22 ns a yield instead of 10, on a busy machine (bench/yield.c runs such yields).
 *
 * Not saved, with the reason:
 *   MXCSR, x87 control word, FPCR   9 ns a switch, of which the rest takes 2, for what few programs
 *                touches.  Rounding mode and traps belong to the worker, as a task finds them; who
 *                changes them puts them back before it blocks.
 *   signal mask  a system call; it belongs to the worker too.
 *   shadow stack code that switches stacks cannot run under one unless it switches that too; this
 *                library does not mark itself as able to, so the loader leaves shadow stacks off.
 */
#ifndef URD_CORE_SWITCH_H
#define URD_CORE_SWITCH_H

#include <stddef.h>

/* Save the caller's context on its stack, its address in *from, and go on in `to`. */
void urd__switch(void **from, void *to);

/* A context on the stack below `top` (aligned to 16) that calls fn(arg), which never returns. */
void *urd__switch_make(void *top, void (*fn)(void *), void *arg);

#endif
