/*
 * ours_waits.c - our side of the comparison with other runtimes: sleepers, timers, wakes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "ours.h"

static long asleep;
static urd_event all_asleep;

/* One worker runs all of them, so that the count needs no lock. */
static int sleeper(void *arg)
{
    if (++asleep == ours_args.times)
        urd_event_set(&all_asleep);
    return urd_sleep_until(*(urd_time *)arg);
}

static int measure_sleepers(void *arg)
{
    (void)arg;
    long times = ours_args.times;
    double before = peer_resident();
    int64_t start = peer_now();
    urd_time when = urd_now() + (urd_time)(ours_args.seconds * 1e9);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_compact(&s);
    for (long i = 0; i < times; i++)
        urd_go(&s, sleeper, &when);
    peer_must(urd_event_wait(&all_asleep), "urd_event_wait");
    int64_t slept = peer_now();
    double bytes = peer_resident() - before;
    peer_must(urd_scope_join(&s), "join");
    peer_say_sleepers(times, bytes, start, slept, when);
    return 0;
}

static int64_t *samples;
static urd_chan wakes;

static void *wake_from_outside(void *arg)
{
    (void)arg;
    for (long i = 0; i < ours_args.times; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        int64_t now = peer_now();
        peer_must(urd_chan_send(&wakes, &now), "send");
    }
    return NULL;
}

/* The program is idle; a thread that the runtime does not know wakes a task. */
static int measure_wake(void *arg)
{
    (void)arg;
    samples = calloc((size_t)ours_args.times, sizeof *samples);
    int64_t ring[8];
    urd_chan_init(&wakes, sizeof(int64_t), ring, 8);
    pthread_t thread;
    peer_must(-pthread_create(&thread, NULL, wake_from_outside, NULL), "pthread_create");
    for (long i = 0; i < ours_args.times; i++) {
        int64_t sent;
        peer_must(urd_chan_recv(&wakes, &sent), "recv");
        samples[i] = peer_now() - sent;
    }
    pthread_join(thread, NULL);
    peer_say_wakes(samples, ours_args.times);
    return 0;
}

#if __has_include("urd/timer.h")
typedef struct due {
    urd_timer timer;
    urd_time when;
} due;

static double late_sum, late_max; /* one worker runs all that write them */

static int fired(void *arg)
{
    double late = (double)(peer_now() - ((due *)arg)->when);
    late_sum += late;
    late_max = late > late_max ? late : late_max;
    return 0;
}

static due *new_timers(void)
{
    due *all = calloc((size_t)ours_args.times, sizeof *all);
    if (!all)
        peer_fail("memory");
    return all;
}

static int measure_timers_fire(void *arg)
{
    (void)arg;
    due *all = new_timers();
    uint64_t seed = 88172645463325252u;
    urd_scope s;
    urd_scope_open(&s);
    double cpu = peer_cpu();
    int64_t start = peer_now();
    for (long i = 0; i < ours_args.times; i++) {
        all[i].when = start + (urd_time)(peer_random(&seed) % 1000000000);
        peer_must(urd_timer_once(&all[i].timer, &s, all[i].when, fired, &all[i]), "timer");
    }
    peer_must(urd_scope_join(&s), "join");
    peer_say_timers(peer_cpu() - cpu, late_sum, late_max, ours_args.times);
    return 0;
}

static int measure_timers_set(void *arg)
{
    (void)arg;
    due *all = new_timers();
    uint64_t seed = 88172645463325252u;
    urd_scope s;
    urd_scope_open(&s);
    double cpu = peer_cpu();
    urd_time later = urd_now() + 60 * URD_SECOND;
    for (long i = 0; i < ours_args.times; i++) {
        urd_time when = later + (urd_time)(peer_random(&seed) % 1000000000);
        peer_must(urd_timer_once(&all[i].timer, &s, when, fired, &all[i]), "timer");
    }
    for (long i = 0; i < ours_args.times; i++)
        urd_timer_stop(&all[i].timer);
    peer_say("timers-set", (peer_cpu() - cpu) * 1e6 / (double)ours_args.times, "s");
    return urd_scope_join(&s);
}
#endif

const ours_row ours_waits[] = {{"sleepers", measure_sleepers},
                               {"wake", measure_wake},
#if __has_include("urd/timer.h")
                               {"timers-fire", measure_timers_fire},
                               {"timers-set", measure_timers_set},
#endif
                               {NULL, NULL}};
