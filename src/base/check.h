/*
 * check.h - programmer errors: say what and where, then abort; also in release builds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_BASE_CHECK_H
#define URD_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* Abort with "urd: message" and the job that runs, where the core has said how to name it. */
__attribute__((noreturn, format(printf, 1, 2))) void urd__die(const char *format, ...);

/* A line "urd: message" on stderr, written at once. */
__attribute__((format(printf, 1, 2))) void urd__say(const char *format, ...);

/* An invariant of ours; names itself.  Kept in release builds: all are a compare and a branch. */
#define urd__assert(condition)                                                                     \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            urd__die("%s:%d: broken invariant: %s", __FILE__, __LINE__, #condition);               \
    } while (0)

/* Set by the core: writes " in job NAME, started at FILE:LINE" for the job that runs. */
extern void (*urd__die_context)(char *out, size_t size);

#endif
