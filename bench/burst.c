/*
 * burst.c - how soon do idle workers help with a burst of work?
 *
 * SPDX-License-Identifier: MIT
 *
 * A program that mostly waits and now and then has a few hundred microseconds of work for all
 * processors: a frame, a request, a batch.  Sketch: one worker begins at once, the other comes as
 * soon as the kernel has brought its processor back, some 50 us on a virtual machine; so a burst of
 * 2 ms takes 1.03 ms.  Where the woken thread is put behind the waker, it helps only after a time
 * slice: 3 ms, and then there is nothing left to do.
 * Floor: half of the work alone on one thread.  Beside it: a thread that sleeps on a futex and is
 * given its half.
 *
 *     burst [ROUNDS]        5 rounds of 50 bursts a row; 1 is enough to see that it runs
 */
#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

enum { BURSTS = 50, STEPS = 400, STEP = 500, ROWS = 4 };
static const urd_time PAUSE = 5 * URD_MS;

static double out[STEPS];

static int step(long lo, long hi, void *arg)
{
    (void)arg;
    for (long i = lo; i < hi; i++) {
        double sum = (double)i;
        for (int k = 0; k < STEP; k++)
            sum = sqrt(sum + 1.0);
        out[i] = sum;
    }
    return 0;
}

static void alone(void)
{
    step(0, STEPS, NULL);
}

/* ---- A thread on a futex -------------------------------------------------------------------- */

enum { WAIT, WORK, END };
static int turn;

static void set_turn(int value)
{
    __atomic_store_n(&turn, value, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other_half(void *arg)
{
    int now;
    while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != END) {
        if (now == WAIT) {
            syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, WAIT, NULL, NULL, 0);
            continue;
        }
        step(STEPS / 2, STEPS, NULL);
        __atomic_store_n(&turn, WAIT, __ATOMIC_RELEASE);
    }
    return arg;
}

static void by_futex(void)
{
    set_turn(WORK);
    step(0, STEPS / 2, NULL);
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != WAIT)
        ;
}

/* ---- Ours ----------------------------------------------------------------------------------- */

static void by_loop(void)
{
    bench_must(urd_for(0, STEPS, step, NULL), "urd_for");
}

static int half(void *arg)
{
    return step((long)(intptr_t)arg, (long)(intptr_t)arg + STEPS / 2, NULL);
}

static void by_jobs(void)
{
    urd_scope s;
    urd_scope_open(&s);
    for (long lo = 0; lo < STEPS; lo += STEPS / 2)
        urd_go(&s, half, (void *)(intptr_t)lo);
    bench_must(urd_scope_join(&s), "join");
}

/* ---- Results -------------------------------------------------------------------------------- */

static struct {
    const char *name;
    void (*run)(void);
    double *took; /* microseconds, of all rounds */
    int n;
} rows[ROWS] = {{.name = "alone, on one thread", .run = alone},
                {.name = "two threads, one asleep on a futex", .run = by_futex},
                {.name = "urd_for", .run = by_loop},
                {.name = "two jobs of a scope", .run = by_jobs}};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(void *arg)
{
    int rounds = *(int *)arg;
    pthread_t thread;
    bench_must(-pthread_create(&thread, NULL, other_half, NULL), "pthread_create");
    for (int r = 0; r < ROWS; r++)
        rows[r].took = malloc(sizeof(double) * (size_t)(rounds * BURSTS));
    for (int i = 0; i < rounds * ROWS; i++) {
        for (int burst = 0; burst < BURSTS; burst++) {
            bench_must(urd_sleep(PAUSE), "sleep");
            urd_time start = urd_now();
            rows[i % ROWS].run();
            rows[i % ROWS].took[rows[i % ROWS].n++] = (double)(urd_now() - start) / URD_US;
        }
    }
    set_turn(END);
    bench_must(-pthread_join(thread, NULL), "pthread_join");
    for (int r = 0; r < ROWS; r++)
        qsort(rows[r].took, (size_t)rows[r].n, sizeof(double), by_value);
    double ideal = rows[0].took[rows[0].n / 2] / 2;
    for (int r = 0; r < ROWS; r++) {
        double p50 = rows[r].took[rows[r].n / 2], p90 = rows[r].took[rows[r].n * 9 / 10];
        printf("%-40s p50 %8.1f us %6.2f x   p90 %8.1f us %6.2f x\n", rows[r].name, p50,
               p50 / ideal, p90, p90 / ideal);
        free(rows[r].took);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
