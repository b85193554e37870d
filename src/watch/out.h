/*
 * out.h - text that grows, and is kept or written to a descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_OUT_H
#define URD_WATCH_OUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct urd__out {
    char *text; /* ends in NUL; NULL: nothing yet */
    size_t used, room;
    bool cut; /* there was no memory for all of it */
} urd__out;

__attribute__((format(printf, 2, 3))) void urd__out_print(urd__out *out, const char *format, ...);
void urd__out_free(urd__out *out);

#endif
