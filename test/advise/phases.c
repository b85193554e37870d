/*
 * phases.c - a program that computes, then waits, then computes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* phases SECONDS: of CPU time in each of the two phases, and of waiting in between */
int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    uint64_t x = 1;
    for (int phase = 0; phase < 2; phase++) {
        for (double end = cpu_seconds() + seconds; cpu_seconds() < end;)
            for (int i = 0; i < 100000; i++)
                x = x * 6364136223846793005u + 1442695040888963407u;
        struct timespec pause = {.tv_sec = (time_t)(seconds * 2)};
        if (phase == 0)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return x == 1;
}
