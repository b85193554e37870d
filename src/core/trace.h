/*
 * trace.h - print the stack of the caller, with names of functions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_TRACE_H
#define URD_CORE_TRACE_H

/* On stderr, innermost first, a recursion on one line; without the first `skip` frames. */
void urd__trace_print(int skip);

#endif
