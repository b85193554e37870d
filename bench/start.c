/*
 * start.c - what does it cost to start the runtime, and how much of that is the zygote?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: without processes a start is one pthread_create a further worker and a few mappings.  The
 * zygote adds a fork of a small program and its end: at most 500 us more, for a program that never
 * starts a process.
 */
#include "bench.h"

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void start(const urd_config *config, long n)
{
    for (long i = 0; i < n; i++)
        bench_must(urd_run(config, nothing, NULL), "urd_run");
}

static void without(long n)
{
    start(&(urd_config){.processes = URD_PROCESSES_NONE}, n);
}

static void with_zygote(long n)
{
    start(NULL, n);
}

int main(int argc, char **argv)
{
    bench_case cases[] = {{.name = "urd_run, no processes", .run = without, .n = 50},
                          {.name = "urd_run, with the zygote", .run = with_zygote, .n = 50},
                          {.run = NULL}};
    bench_run(cases, bench_rounds(argc, argv));
    double more = cases[1].best_ns - cases[0].best_ns;
    printf("the zygote costs %.0f us, %.2f of the 500 it may\n", more / 1e3, more / 500e3);
    return 0;
}
