/*
 * bench.h - time a loop several times, keep the best, print it beside a baseline of the same run.
 *
 * SPDX-License-Identifier: MIT
 *
 * A bench answers one question; its head comment says which, and what a sketch predicts.  Ours and
 * the baseline take turns, so that a slow minute of the machine hits both.
 *
 *     PROGRAM [ROUNDS]        5 rounds; 1 is enough to see that it runs
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>

#include "urd.h"

/* Something that is done n times by a call; NULL run ends the list. */
typedef struct bench_case {
    const char *name;
    void (*run)(long n);
    long n;
    bool fixed;     /* no other n will do */
    double best_ns; /* per operation; filled in */
} bench_case;

static inline void bench_must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: error %d\n", what, -rc);
        exit(1);
    }
}

static inline int bench_rounds(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    return rounds > 0 ? rounds : 1;
}

/* Run all cases in turn, `rounds` times; then a line each, with the ratio to the first.  A single
 * round is a trial, of a tenth. */
static inline void bench_run(bench_case *cases, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        for (bench_case *c = cases; c->run; c++) {
            long n = rounds > 1 || c->fixed || c->n < 10 ? c->n : c->n / 10;
            urd_time start = urd_now();
            c->run(n);
            double ns = (double)(urd_now() - start) / (double)n;
            if (round == 0 || ns < c->best_ns)
                c->best_ns = ns;
        }
    }
    for (bench_case *c = cases; c->run; c++)
        printf("%-44s %12.1f ns   %7.2f x\n", c->name, c->best_ns, c->best_ns / cases->best_ns);
}

/* The whole of main(): measure(&rounds) on one worker, then on two. */
static inline int bench_one_and_two(int argc, char **argv, urd_fn *measure)
{
    int rounds = bench_rounds(argc, argv);
    for (int workers = 1; workers <= 2; workers++) {
        printf("%d worker(s)\n", workers);
        urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE};
        bench_must(urd_run(&config, measure, &rounds), "urd_run");
    }
    return 0;
}

#endif
