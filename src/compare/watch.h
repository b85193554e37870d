/*
 * watch.h - look at a running program from outside, through /proc.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_COMPARE_WATCH_H
#define URD_COMPARE_WATCH_H

#include "compare/compare.h"

typedef struct urd__watch {
    pid_t pid;
    urd__board *board;
    urd__sample *samples; /* owned until taken over by the run */
    int count, room;
    int64_t memory_peak;
    int64_t next_threads, next_memory; /* times */
} urd__watch;

/* Look where it is time to; returns when to come back. */
int64_t urd__watch_look(urd__watch *watch, int64_t now);

/* All processes below pid, pid first; at most max.  How many. */
int urd__watch_tree(pid_t pid, pid_t *out, int max);

/* Processor time that the machine has spent on anything so far, ns; -1: not known. */
int64_t urd__watch_machine(void);

#endif
