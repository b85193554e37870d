/*
 * intensity.h - do things happen too often within a time?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_PROC_INTENSITY_H
#define URD_PROC_INTENSITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct urd__intensity {
    int64_t *times; /* when the last ones were, a ring; set once: room for `max` */
    size_t n;       /* so far */
    size_t max;     /* set once; at least 1 */
    int64_t duration;
} urd__intensity;

/* One more, now: are these more than `max` within `duration`? */
static inline bool urd__intensity_exceeded(urd__intensity *i, int64_t now)
{
    int64_t *last = &i->times[i->n++ % i->max];
    bool exceeded = i->n > i->max && now - *last < i->duration;
    *last = now;
    return exceeded;
}

#endif
