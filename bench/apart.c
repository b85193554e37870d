/*
 * apart.c - how long does a value take to a task on another worker, and back?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: while both workers are awake a value crosses in two cache misses each way, the inbox and
 * the value itself: some five times two threads that spin on one word.  When both have slept, after
 * a millisecond of nothing, a round trip is two futex wakes.
 */
#include "bench.h"
#include "pass.h"

static void by_spinning(long n)
{
    pass_turns(false, n);
}

static urd_chan to, from;
static int begun;

static int echo(void *arg)
{
    (void)arg;
    long v;
    __atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
    while (urd_chan_recv(&to, &v) == 0)
        bench_must(urd_chan_send(&from, &v), "send");
    return 0;
}

/* The partner begins elsewhere, since this worker does nothing else until it has. */
static void open_partner(urd_scope *s)
{
    urd_chan_init(&to, sizeof(long), NULL, 0);
    urd_chan_init(&from, sizeof(long), NULL, 0);
    urd_scope_open(s);
    __atomic_store_n(&begun, 0, __ATOMIC_RELEASE);
    urd_go(s, echo, NULL);
    while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
        ;
}

static void there_and_back(long i)
{
    long v;
    bench_must(urd_chan_send(&to, &i), "send");
    bench_must(urd_chan_recv(&from, &v), "recv");
}

static void close_partner(urd_scope *s)
{
    urd_chan_close(&to);
    bench_must(urd_scope_join(s), "join");
}

static void awake(long n)
{
    urd_scope s;
    open_partner(&s);
    for (long i = 0; i < n; i++)
        there_and_back(i);
    close_partner(&s);
}

/* ---- After a pause -------------------------------------------------------------------------- */

enum { TRIPS = 300 };
static const urd_time PAUSE = URD_MS;

static void asleep_on_futexes(int64_t *took)
{
    pass p = {.sleeping = true, .times = TRIPS};
    pthread_t thread;
    bench_must(-pthread_create(&thread, NULL, pass_answer, &p), "pthread_create");
    for (int i = 0; i < TRIPS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
        int64_t start = urd_now();
        pass_on(&p, 1);
        pass_wait(&p, 0);
        took[i] = urd_now() - start;
    }
    bench_must(-pthread_join(thread, NULL), "pthread_join");
}

static void asleep(int64_t *took)
{
    urd_scope s;
    open_partner(&s);
    for (int i = 0; i < TRIPS; i++) {
        bench_must(urd_sleep(PAUSE), "sleep");
        int64_t start = urd_now();
        there_and_back(i);
        took[i] = urd_now() - start;
    }
    close_partner(&s);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure_asleep(int rounds)
{
    static const struct {
        const char *name;
        void (*run)(int64_t *took);
    } rows[] = {{"two threads that sleep on futexes", asleep_on_futexes},
                {"two workers that sleep", asleep}};
    enum { ROWS = sizeof rows / sizeof *rows };
    size_t n = (size_t)rounds * TRIPS;
    int64_t *took[ROWS];
    for (int r = 0; r < ROWS; r++)
        took[r] = malloc(n * sizeof *took[r]);
    for (int i = 0; i < rounds * ROWS; i++)
        rows[i % ROWS].run(took[i % ROWS] + (ptrdiff_t)(i / ROWS) * TRIPS);
    for (int r = 0; r < ROWS; r++) {
        qsort(took[r], n, sizeof *took[r], by_value);
        double p50 = (double)took[r][n / 2], p90 = (double)took[r][n * 9 / 10];
        printf("%-44s p50 %8.1f ns %5.2f x   p90 %9.1f ns %5.2f x\n", rows[r].name, p50,
               p50 / (double)took[0][n / 2], p90, p90 / (double)took[0][n * 9 / 10]);
    }
    for (int r = 0; r < ROWS; r++)
        free(took[r]);
}

static int measure(void *arg)
{
    int rounds = *(int *)arg;
    bench_case cases[] = {{.name = "two threads that spin", .run = by_spinning, .n = 200000},
                          {.name = "two workers that are awake", .run = awake, .n = 100000},
                          {.run = NULL}};
    bench_run(cases, rounds);
    measure_asleep(rounds);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
