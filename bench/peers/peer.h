/*
 * peer.h - what the compared programs in C and C++ share: clock, memory, results, the command line.
 *
 * SPDX-License-Identifier: MIT
 *
 * Every program of the comparison, in whatever language, is called and answers in the same way:
 *
 *     PROGRAM ROW WORKERS N [SECONDS]     a line for each result: NAME VALUE UNIT, lower is better
 *
 * The rows of files read the folder that BENCH_FILES names: files 0 to 9999, of 1 KiB, and `large`.
 * It warms up, does the work of ROW, of size N, on so many threads, and exits with 0; with 77 if it
 * has no such row; with 3 if the sleepers took longer to start than the SECONDS they were to sleep;
 * with anything else if it failed.
 */
#ifndef PEER_H
#define PEER_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PEER_NO_ROW = 77, PEER_TOO_SMALL = 3, PEER_BATCH = 1000 };

static inline int64_t peer_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Seconds of processor time of all threads. */
static inline double peer_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void peer_fail(const char *what)
{
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static inline void peer_must(int rc, const char *what)
{
    if (rc < 0)
        peer_fail(what);
}

static inline double peer_resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        peer_fail("/proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static inline void peer_say(const char *name, double value, const char *unit)
{
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}

static inline void peer_say_each(const char *name, int64_t start, long times)
{
    peer_say(name, (double)(peer_now() - start) / (double)times, "ns");
}

/* When all slept, when they were to wake, and that all have ended now; seconds for a million. */
static inline void peer_say_sleepers(long n, double bytes, int64_t start, int64_t asleep,
                                     int64_t when)
{
    int64_t end = peer_now();
    if (asleep >= when) {
        fprintf(stderr, "%ld tasks took %.1f s to start: give them longer\n", n,
                (double)(asleep - start) / 1e9);
        exit(PEER_TOO_SMALL);
    }
    peer_say("sleepers.bytes", bytes / (double)n, "B");
    peer_say("sleepers.start", (double)(asleep - start) / (double)n / 1e3, "s");
    peer_say("sleepers.wake", (double)(end - when) / (double)n / 1e3, "s");
}

static inline int peer_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The 50th and the 99th of a hundred, in microseconds. */
static inline void peer_say_wakes(int64_t *samples, long n)
{
    qsort(samples, (size_t)n, sizeof *samples, peer_compare);
    peer_say("wake.p50", (double)samples[n / 2] / 1e3, "us");
    peer_say("wake.p99", (double)samples[n * 99 / 100] / 1e3, "us");
}

/* What comes now and then: so often, after so many nanoseconds of nothing. */
enum { PEER_BURSTS = 60, PEER_PAUSE = 5000000 };

static inline void peer_pause(void)
{
    struct timespec pause = {.tv_sec = 0, .tv_nsec = PEER_PAUSE};
    nanosleep(&pause, NULL);
}

static inline void peer_say_bursts(int64_t *took)
{
    qsort(took, PEER_BURSTS, sizeof *took, peer_compare);
    peer_say("burst", (double)took[PEER_BURSTS / 2] / 1e3, "us");
}

/* Processor time for a million timers, and how late they fired. */
static inline void peer_say_timers(double cpu, double late_sum, double late_max, long n)
{
    peer_say("timers-fire.cpu", cpu * 1e6 / (double)n, "s");
    peer_say("timers-fire.late", late_sum / (double)n / 1e6, "ms");
    peer_say("timers-fire.latest", late_max / 1e6, "ms");
}

/* Numbers that every program draws alike. */
static inline uint64_t peer_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline void peer_fill(double *x, long n)
{
    uint64_t state = 88172645463325252u;
    for (long i = 0; i < n; i++)
        x[i] = (double)(peer_random(&state) >> 11) / 9007199254740992.0;
}

/* Of the loops; and of the nested one's outer loop. */
enum { PEER_STEPS = 8, PEER_ROWS = 1000 };

/* The compiler may not know the number, or it would unroll and vectorize, and some would better. */
static inline long peer_steps(void)
{
    long steps = PEER_STEPS;
    __asm__("" : "+r"(steps));
    return steps;
}

/* One element's work in the loops: a chain of dependent operations. */
static inline double peer_work(double x, long steps)
{
    for (long i = 0; i < steps; i++)
        x = x * x * 0.25 + 0.5;
    return x;
}

static inline long peer_steps_at(long i, long n)
{
    return 2 * PEER_STEPS * i / n;
}

/* How many spawns fib(n) makes, with one in each call of 2 or more. */
static inline double peer_fib_spawns(long n)
{
    double a = 0, b = 0; /* spawns(n) = spawns(n - 1) + spawns(n - 2) + 1 */
    for (long i = 2; i <= n; i++) {
        double next = a + b + 1;
        a = b;
        b = next;
    }
    return b;
}

/* Milliseconds for fib(32); who is slow is asked for a smaller one, and it is scaled. */
static inline void peer_say_fib(int64_t start, long n, long result)
{
    long a = 0, b = 1;
    for (long i = 0; i < n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    if (result != a)
        peer_fail("fib is wrong");
    double scale = peer_fib_spawns(32) / peer_fib_spawns(n);
    peer_say("fib", (double)(peer_now() - start) / 1e6 * scale, "ms");
}

/* Milliseconds for 1 M leaves. */
static inline void peer_say_skynet(int64_t start, long leaves, long sum)
{
    if (sum != leaves * (leaves - 1) / 2)
        peer_fail("the sum is wrong");
    peer_say("skynet", (double)(peer_now() - start) / (double)leaves, "ms");
}

/* ---- processes and pools ---- */

enum { PEER_SMALL_BYTES = 64 << 10, PEER_LARGE_BYTES = 16 << 20, PEER_PAGE_BYTES = 4096 };

/* Of a loop that looks again and again. */
static inline void peer_spin(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* What goes from process to process. */
typedef struct peer_message {
    long number;
    char rest[56];
} peer_message;

static inline void peer_say_us(const char *name, int64_t start, long times)
{
    peer_say(name, (double)(peer_now() - start) / 1e3 / (double)times, "us");
}

/* Of samples in nanoseconds, which are put in order. */
static inline void peer_say_median(const char *name, int64_t *samples, long n)
{
    qsort(samples, (size_t)n, sizeof *samples, peer_compare);
    peer_say(name, (double)samples[n / 2] / 1e3, "us");
}

/* Since the first of n was there; their numbers count from 0. */
static inline void peer_say_messages(int64_t start, long n, long sum)
{
    if (sum != n * (n - 1) / 2)
        peer_fail("messages are missing");
    peer_say_each("chan-process", start, n - 1);
}

/* The job of rows that pass bytes: it looks at each page. */
static inline long peer_touch(const void *bytes, size_t n)
{
    const unsigned char *at = (const unsigned char *)bytes;
    long sum = 0;
    for (size_t i = 0; i < n; i += PEER_PAGE_BYTES)
        sum += at[i];
    return sum;
}

/* ---- files ---- */

enum { PEER_FILE_BYTES = 1024, PEER_PIECE_BYTES = 256 << 10 };

static inline const char *peer_folder(void)
{
    const char *folder = getenv("BENCH_FILES");
    if (!folder)
        peer_fail("BENCH_FILES is not set");
    return folder;
}

/* The path of small file i. */
static inline const char *peer_file(char path[512], const char *folder, long i)
{
    snprintf(path, 512, "%s/%ld", folder, i);
    return path;
}

/* The path of the large one. */
static inline const char *peer_large(char path[512])
{
    snprintf(path, 512, "%s/large", peer_folder());
    return path;
}

/* 2 GiB that were written to, as the programs have that start others. */
static inline void peer_grow(void)
{
    size_t bytes = (size_t)2 << 30;
    char *at = (char *)malloc(bytes);
    if (!at)
        peer_fail("memory");
    for (size_t i = 0; i < bytes; i += PEER_PAGE_BYTES)
        at[i] = 1;
    __asm__ volatile("" ::"r"(at) : "memory");
}

typedef struct peer_args {
    const char *row;
    int workers;
    long times;
    double seconds; /* of sleepers: until they are to wake */
} peer_args;

static inline peer_args peer_parse(int argc, char **argv)
{
    peer_args a = {.row = argc > 1 ? argv[1] : "",
                   .workers = argc > 2 ? atoi(argv[2]) : 0,
                   .times = argc > 3 ? atol(argv[3]) : 0,
                   .seconds = argc > 4 ? atof(argv[4]) : 2};
    if (a.workers < 1 || a.times < 1 || a.seconds <= 0) {
        fprintf(stderr, "usage: %s ROW WORKERS N [SECONDS]\n", argv[0]);
        exit(2);
    }
    return a;
}

/* One row: a function that does it and says the result.  A NULL name ends the list. */
typedef struct peer_row {
    const char *name;
    void (*run)(peer_args a);
} peer_row;

static inline int peer_main(int argc, char **argv, const peer_row *rows)
{
    peer_args a = peer_parse(argc, argv);
    for (const peer_row *row = rows; row->name; row++) {
        if (strcmp(row->name, a.row) == 0) {
            row->run(a);
            return 0;
        }
    }
    return PEER_NO_ROW;
}

#endif
