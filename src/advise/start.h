/*
 * start.h - start the program, or join one that runs, and watch it to the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_START_H
#define URD_ADVISE_START_H

#include <sys/resource.h>

#include "advise/advise.h"

typedef struct urd__advise_options {
    char **command; /* NULL: pid */
    pid_t pid;
    double seconds;          /* 0: to the end */
    double interval_ms;      /* 0: the default */
    const char *json, *html; /* NULL: none; json "-": stdout */
    bool live, try, deep;
} urd__advise_options;

typedef struct urd__advise_end {
    int failed; /* errno of a program that could not be started; 0: it was */
    int status; /* as wait(2) has it */
    bool ended; /* by itself */
    bool time_up;
    int signal; /* that we got last */
    struct rusage usage;
} urd__advise_end;

/* 0, or a negative errno of the runtime. */
int urd__advise_watch(urd__watched *w, const urd__advise_options *options, urd__advise_end *out);

/* live.c: draw the state of things, over what was drawn before. */
void urd__live_draw(const urd__watched *w, int64_t now);
void urd__live_clear(void);

#endif
