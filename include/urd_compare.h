/*
 * urd_compare.h - what a file gives `urd compare`, so that it can run its job under every model.
 *
 * SPDX-License-Identifier: MIT
 *
 * The file defines two functions, and may define the others below.  For every model the command
 * starts a fresh program that does, in this order:
 *
 *     n = urd_compare_jobs(argc, argv)        plain memory: every model, also a process, sees it
 *     urd_run: urd_compare_prepare(jobs, n)   optional: fill in the jobs; urd_shared_alloc works
 *              urd_compare_job(&jobs[i])      n times, measured: in turn, or as one of the kinds
 *              urd_compare_check(jobs, n)     optional: are the results right?
 *
 * A comment line near the top of the file says what it is compiled and linked with, e.g.
 *     // urd-compare: cflags=-O3 libs=-lcrypto
 */
#ifndef URD_COMPARE_H
#define URD_COMPARE_H

#include <stdint.h>

#include "urd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One job.  Copied into a process job and back when it has ended, so results go in here. */
struct urd_compare_job {
    int index; /* 0 to count - 1 */
    int count; /* jobs in all */
    int argc;  /* the arguments after "--", without a program's name */
    char **argv;
    int64_t result;           /* yours: what the job found */
    void *shared;             /* yours: memory of urd_shared_alloc, given by prepare */
    char label[32];           /* yours: the job's name in the timeline; "" for its number */
    unsigned char bytes[128]; /* yours: arguments and results */
};

/* How many jobs, at least 1; also the place to read arguments and gather input.  Or -errno. */
int urd_compare_jobs(int argc, char **argv);

/* The work itself; arg is a struct urd_compare_job.  0 or -errno. */
int urd_compare_job(void *arg);

/* Optional, before the jobs start.  0 or -errno. */
int urd_compare_prepare(struct urd_compare_job *jobs, int n);

/* Optional, after all have ended well: 0, or -errno if the results are wrong. */
int urd_compare_check(const struct urd_compare_job *jobs, int n);

/* Optional: a line that says what the work is. */
extern const char *const urd_compare_title;

#ifdef __cplusplus
}
#endif
#endif
