/*
 * overflow.h - say which task overran its stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_OVERFLOW_H
#define URD_CORE_OVERFLOW_H

/* Handle SIGSEGV and SIGBUS from now on; other faults go on to the handlers that were there. */
void urd__overflow_install(void);
void urd__overflow_uninstall(void);

/* A signal stack for one thread: 0, -ENOMEM; and its use by the calling thread, NULL: no more. */
int urd__overflow_stack(void **out);
void urd__overflow_stack_free(void *stack);
void urd__overflow_thread(void *stack);

#endif
