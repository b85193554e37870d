/*
 * wake.c - how long after it was made ready does a task run on a worker that slept?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: the kernel has to bring an idle processor back, 20 to 70 us on a virtual machine.  Ours
 * adds a fence and a swap at this end, the inbox and a look around at the other: below 1 us.  A job
 * that a sleeping worker is to take from one that computes costs a theft more.
 * Floor: a thread that sleeps on a futex, woken by another one.
 * And the price: what processor time the program takes while all of it sleeps.
 *
 *     wake [ROUNDS]        5 rounds of 200 wakes each; 1 is enough to see that it runs
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { WAKES = 200 };
static const urd_time PAUSE = URD_MS, IDLE = URD_SECOND / 4;

typedef struct row {
    const char *name;
    void (*run)(struct row *);
    int64_t *late; /* each wake's, of all rounds */
    long n;
} row;

static void add(row *r, int64_t sent)
{
    r->late[r->n++] = urd_now() - sent;
}

/* ---- The floor ------------------------------------------------------------------------------ */

static int turn;
static int64_t turn_sent;

static void *wait_on_futex(void *arg)
{
    for (int i = 0; i < WAKES; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == i)
            syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
        add(arg, turn_sent);
    }
    return NULL;
}

static void by_futex(row *r)
{
    pthread_t thread;
    turn = 0;
    bench_must(-pthread_create(&thread, NULL, wait_on_futex, r), "pthread_create");
    for (int i = 0; i < WAKES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
        turn_sent = urd_now();
        __atomic_store_n(&turn, i + 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    bench_must(-pthread_join(thread, NULL), "pthread_join");
}

/* ---- Ours ----------------------------------------------------------------------------------- */

static urd_chan wakes;
static int begun;

static void await_begin(void)
{
    while (!__atomic_load_n(&begun, __ATOMIC_ACQUIRE))
        ;
    __atomic_store_n(&begun, 0, __ATOMIC_RELEASE);
}

static int receive(void *arg)
{
    int64_t sent;
    __atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
    while (urd_chan_recv(&wakes, &sent) == 0)
        add(arg, sent);
    return 0;
}

/* Starts the receiver on the other worker: this one does nothing else until it has begun. */
static void open_receiver(urd_scope *s, row *r)
{
    urd_chan_init(&wakes, sizeof(int64_t), NULL, 0);
    urd_scope_open(s);
    urd_go(s, receive, r);
    await_begin();
}

static void close_receiver(urd_scope *s)
{
    urd_chan_close(&wakes);
    bench_must(urd_scope_join(s), "join");
}

static void by_task(row *r)
{
    urd_scope s;
    open_receiver(&s, r);
    for (int i = 0; i < WAKES; i++) {
        bench_must(urd_sleep(PAUSE), "sleep");
        int64_t sent = urd_now();
        bench_must(urd_chan_send(&wakes, &sent), "send");
    }
    close_receiver(&s);
}

static void *send_from_outside(void *unused)
{
    for (int i = 0; i < WAKES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
        int64_t sent = urd_now();
        bench_must(urd_chan_send(&wakes, &sent), "send");
    }
    return unused;
}

static int join_thread(void *arg)
{
    return -pthread_join(*(pthread_t *)arg, NULL);
}

static void by_thread(row *r)
{
    urd_scope s;
    pthread_t thread;
    open_receiver(&s, r);
    bench_must(-pthread_create(&thread, NULL, send_from_outside, NULL), "pthread_create");
    bench_must(urd_block(join_thread, &thread), "pthread_join"); /* both workers sleep */
    close_receiver(&s);
}

static row *of_jobs;
static int64_t job_sent;

static int begin(void *unused)
{
    (void)unused;
    add(of_jobs, job_sent);
    __atomic_store_n(&begun, 1, __ATOMIC_RELEASE);
    return 0;
}

static void by_job(row *r)
{
    of_jobs = r;
    for (int i = 0; i < WAKES; i++) {
        urd_scope s;
        urd_scope_open(&s);
        bench_must(urd_sleep(PAUSE), "sleep");
        job_sent = urd_now();
        urd_go(&s, begin, NULL);
        await_begin();
        bench_must(urd_scope_join(&s), "join");
    }
}

/* ---- Results -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(const row *r, int percent)
{
    return (double)r->late[r->n * percent / 100] / (double)URD_US;
}

/* Processor time of the process, in microseconds for each second that all of it sleeps. */
static double idle_cost(void)
{
    struct timespec t[2];
    bench_must(urd_sleep(PAUSE), "sleep"); /* what the last row left has ended */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[0]);
    bench_must(urd_sleep(IDLE), "sleep");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[1]);
    double ns = (double)(t[1].tv_sec - t[0].tv_sec) * 1e9 + (double)(t[1].tv_nsec - t[0].tv_nsec);
    return ns / (double)IDLE * 1e6;
}

static int measure(void *arg)
{
    row rows[] = {{.name = "a thread that sleeps on a futex", .run = by_futex},
                  {.name = "a task of a worker that sleeps, by a task", .run = by_task},
                  {.name = "the same, by a thread of the program's", .run = by_thread},
                  {.name = "a job, its worker computing, another asleep", .run = by_job}};
    int rounds = *(int *)arg;
    const size_t n = sizeof rows / sizeof *rows;
    for (row *r = rows; r < rows + n; r++)
        r->late = malloc(sizeof *r->late * (size_t)(rounds * WAKES));
    for (int round = 0; round < rounds; round++)
        for (row *r = rows; r < rows + n; r++)
            r->run(r);
    for (row *r = rows; r < rows + n; r++) {
        qsort(r->late, (size_t)r->n, sizeof *r->late, by_value);
        printf("%-44s p50 %6.1f us %5.2f x   p99 %7.1f us %5.2f x\n", r->name, percentile(r, 50),
               percentile(r, 50) / percentile(rows, 50), percentile(r, 99),
               percentile(r, 99) / percentile(rows, 99));
    }
    printf("idle, a second of it takes %.0f us of processor time\n", idle_cost());
    for (row *r = rows; r < rows + n; r++)
        free(r->late);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 2, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
