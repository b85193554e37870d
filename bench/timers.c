/*
 * timers.c - what do a million timers cost that fire, and a million that are set and stopped?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a wheel links a node and unlinks it, each a cache miss when there are a million of them.
 * A timer of ours is also a member of its scope, for cancels, and starts a task.
 * Floor: a bare wheel of milliseconds in this file, with one thread, no lock, no cancel, and a call
 * in the place of a task.  Both sleep while nothing is due; what counts is processor time.
 *
 *     timers [ROUNDS [TIMERS]]        1 round of 1,000,000; 1 as the only argument: of 10,000
 */
#include <string.h>
#include <time.h>

#include "bench.h"

enum { SLOTS = 2048 };

static long count = 1000000;
static long fired;

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Spread over a second, in no order; no two runs of the loop are in step with the slots. */
static urd_time delay_of(long i)
{
    return (urd_time)((uint64_t)i * 2654435761U % 1000000) * URD_US + URD_MS;
}

static urd_time latest;

/* Fires; the argument is the time at which it should. */
static int count_and_look(void *due)
{
    urd_time late = urd_now() - (urd_time)(intptr_t)due;
    latest = late > latest ? late : latest;
    fired++;
    return 0;
}

/* ---- The floor ------------------------------------------------------------------------------ */

typedef struct node {
    struct node *next, **before;
    urd_time when;
    int (*fn)(void *);
    void *arg;
} node;

static node *slots[SLOTS];

static void link_node(node *n, urd_time when)
{
    node **slot = &slots[when / URD_MS % SLOTS];
    n->when = when;
    n->next = *slot;
    n->before = slot;
    if (*slot)
        (*slot)->before = &n->next;
    *slot = n;
}

static void unlink_node(node *n)
{
    *n->before = n->next;
    if (n->next)
        n->next->before = n->before;
}

static void wheel_fires(void)
{
    node *nodes = calloc((size_t)count, sizeof *nodes);
    urd_time start = urd_now(), tick = start / URD_MS;
    for (long i = 0; i < count; i++) {
        urd_time due = start + delay_of(i);
        nodes[i].fn = count_and_look;
        nodes[i].arg = (void *)(intptr_t)due;
        link_node(&nodes[i], due);
    }
    for (fired = 0; fired < count; tick++) {
        urd_time end = (tick + 1) * URD_MS;
        struct timespec until = {.tv_sec = end / URD_SECOND, .tv_nsec = end % URD_SECOND};
        if (urd_now() < end)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        for (node *n; (n = slots[tick % SLOTS]) != NULL;) {
            unlink_node(n);
            n->fn(n->arg);
        }
    }
    free(nodes);
}

static void wheel_stops(void)
{
    node *nodes = calloc((size_t)count, sizeof *nodes);
    urd_time start = urd_now();
    for (long i = 0; i < count; i++)
        link_node(&nodes[i], start + delay_of(i));
    for (long i = 0; i < count; i++)
        unlink_node(&nodes[i]);
    free(nodes);
}

/* ---- Ours ----------------------------------------------------------------------------------- */

static void timers_fire(void)
{
    urd_timer *timers = calloc((size_t)count, sizeof *timers);
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    fired = latest = 0;
    for (long i = 0; i < count; i++) {
        urd_time due = start + delay_of(i);
        int rc = urd_timer_once(&timers[i], &s, due, count_and_look, (void *)(intptr_t)due);
        bench_must(rc, "urd_timer_once");
    }
    bench_must(urd_scope_join(&s), "join");
    bench_must(fired == count ? 0 : -1, "all fire");
    free(timers);
}

static void timers_stop(void)
{
    urd_timer *timers = calloc((size_t)count, sizeof *timers);
    urd_time start = urd_now();
    urd_scope s;
    urd_scope_open(&s);
    for (long i = 0; i < count; i++)
        bench_must(urd_timer_once(&timers[i], &s, start + URD_SECOND * 100 + delay_of(i),
                                  count_and_look, NULL),
                   "urd_timer");
    for (long i = 0; i < count; i++)
        bench_must(urd_timer_stop(&timers[i]) ? 0 : -1, "urd_timer_stop");
    bench_must(urd_scope_join(&s), "join");
    free(timers);
}

/* What most timers are: the deadline of a call that comes back in time. */
static void deadlines_stop(void)
{
    for (long i = 0; i < count; i++) {
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + URD_SECOND * 30);
        bench_must(urd_scope_join(&s), "join");
    }
}

typedef struct work {
    const char *name;
    void (*run)(void);
    double best;
} work;

static int measure(void *arg)
{
    work all[] = {{"bare wheel, all fire", wheel_fires, 0},
                  {"urd_timer, all fire", timers_fire, 0},
                  {"bare wheel, set, then stopped", wheel_stops, 0},
                  {"urd_timer, set, then stopped", timers_stop, 0},
                  {"urd_scope with a deadline, joined", deadlines_stop, 0}};
    int n = sizeof all / sizeof *all;
    for (int round = 0; round < *(int *)arg; round++) {
        for (work *w = all; w < all + n; w++) {
            double start = cpu_seconds();
            w->run();
            double seconds = cpu_seconds() - start;
            if (round == 0 || seconds < w->best)
                w->best = seconds;
        }
    }
    printf("%ld timers, processor seconds, and the ratio to the wheel that fires\n", count);
    for (work *w = all; w < all + n; w++)
        printf("%-40s %8.3f s   %6.2f x\n", w->name, w->best, w->best / all->best);
    printf("the latest was %.1f ms late\n", (double)latest / (double)URD_MS);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? bench_rounds(argc, argv) : 1;
    if (argc > 2)
        count = atol(argv[2]);
    else if (argc > 1 && rounds == 1)
        count = 10000;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
