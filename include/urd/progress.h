/*
 * progress.h - how far a long work has come: a line on the terminal, or a function of yours.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd_progress bar;
 *     urd_progress_open(&bar, "hash", files, NULL);
 *     for (...)
 *         urd_progress_add(&bar, 1);
 *     urd_progress_close(&bar);
 *
 *     hash: 1204/5000 (24%), 312/s, 0:12 left
 *
 * On a terminal the line is written over itself, ten times a second at most; anywhere else it is a
 * line each ten seconds, and one at the end: a log stays readable.
 */
#ifndef URD_PROGRESS_H
#define URD_PROGRESS_H

#include "urd/time.h"

URD_BEGIN_DECLS

typedef struct urd_progress_state {
    uint64_t done, total;   /* total 0: not known */
    urd_time past_duration; /* since the open */
    urd_time left_duration; /* if it goes on as it did so far; -1: not known */
    double rate;            /* a second, over the whole time */
    bool closed;            /* the last call */
} urd_progress_state;

typedef void urd_progress_fn(const urd_progress_state *state, void *arg);

/* All zero is a good choice. */
typedef struct urd_progress_options {
    urd_progress_fn *show; /* called in the place of the line, by who adds; by one at a time */
    void *arg;
    urd_time interval_duration; /* between two; 0: 0.1 s for show and terminals, else 10 s */
    int fd;                     /* to which the line is written; 0: stderr.  A terminal that is
                                   stopped (Ctrl-S) stops who adds, too */
    long reserved[4];           /* zero */
} urd_progress_options;

/* In the caller's memory. */
typedef struct urd_progress {
    char name[32]; /* these are set by open */
    urd_progress_options options;
    urd_time began;
    int columns;    /* of the terminal; 0: it is none */
    uint64_t total; /* atomic */
    uint64_t done;  /* atomic */
    urd_time due;   /* atomic: when to show it next */
    int showing;    /* atomic: somebody does */
    long reserved[2];
} urd_progress;

/* name: in front of the line, copied and cut to fit; NULL: none.  total 0: not known.  Nothing is
 * to be freed, and nothing is shown yet. */
void urd_progress_open(urd_progress *p, const char *name, uint64_t total,
                       const urd_progress_options *o);

/* So many more are done, or wanted.  By any job or thread of this process.  Waits for nothing but
 * the writing. */
void urd_progress_add(urd_progress *p, uint64_t n);
void urd_progress_expect(urd_progress *p, uint64_t more);

void urd_progress_get(const urd_progress *p, urd_progress_state *out);

/* Show it for the last time, when nobody adds any more. */
void urd_progress_close(urd_progress *p);

URD_END_DECLS

#endif
