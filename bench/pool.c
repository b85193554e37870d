/*
 * pool.c - what does it cost to have a job done by a worker that is up?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a job for a process is a slot of three cache lines that go to another core and back, two
 * compare-and-swaps and two fences: some 300 to 500 ns one at a time while the worker looks, and
 * less in a row, as the lines of several jobs are on their way at once.  Baselines: a 64-byte
 * message to another process and back, both spinning, and both sleeping on a futex.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

enum { MAP = 1000000 };

/* Shared with the process at the other end. */
static struct wire {
    _Alignas(64) atomic_int ask;
    _Alignas(64) atomic_int answer;
    _Alignas(64) atomic_int sleeps;
    char message[64];
} * wire;

static void await(atomic_int *word, int value, bool sleeps)
{
    while (atomic_load(word) != value)
        if (sleeps)
            syscall(SYS_futex, word, FUTEX_WAIT, value - 1, NULL, NULL, 0);
}

static void tell(atomic_int *word, int value, bool sleeps)
{
    atomic_store(word, value);
    if (sleeps)
        syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void answer_for_ever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 1;; i++) {
        await(&wire->ask, i, true);
        bool sleeps = atomic_load(&wire->sleeps);
        wire->message[0]++;
        tell(&wire->answer, i, sleeps);
        /* While the other end spins, so does this one. */
        while (!atomic_load(&wire->sleeps) && atomic_load(&wire->ask) == i)
            continue;
    }
}

static void hand_over(long n, bool sleeps)
{
    int base = atomic_load(&wire->ask);
    atomic_store(&wire->sleeps, sleeps);
    for (int i = 1; i <= n; i++) {
        tell(&wire->ask, base + i, sleeps || i == 1);
        await(&wire->answer, base + i, sleeps);
    }
    atomic_store(&wire->sleeps, true);
}

static void spinning(long n)
{
    hand_over(n, false);
}

static void sleeping(long n)
{
    hand_over(n, true);
}

static urd_pool *pools[3];
static long *in, *out;

static int increment(const void *from, void *to)
{
    *(long *)to = *(const long *)from + 1;
    return 0;
}

static void one_at_a_time(urd_kind kind, long n)
{
    urd_pool_job job;
    for (long i = 0; i < n; i++) {
        bench_must(urd_pool_submit(&job, pools[kind], increment, &i, sizeof i, out, sizeof *out),
                   "submit");
        bench_must(urd_pool_wait(&job), "wait");
    }
}

static void map(urd_kind kind, long n)
{
    bench_must(urd_pool_map(pools[kind], increment, in, out, (size_t)n), "map");
}

static void flow(urd_kind kind, long n)
{
    urd_pool_flow *f;
    urd_pool_result r;
    urd_pool_flow_options o = {
        .in = in, .n = (size_t)n, .in_bytes = sizeof *in, .out_bytes = sizeof *out};
    bench_must(urd_pool_flow_open(&f, pools[kind], increment, &o), "open of a flow");
    while (urd_pool_flow_next(f, &r) == 1)
        out[r.index] = *(const long *)r.out;
    bench_must(urd_pool_flow_close(f), "close of a flow");
}

/* Many are given, and then waited for. */
static void batches(urd_kind kind, long n)
{
    enum { BATCH = 1000 };
    static urd_pool_job jobs[BATCH];
    for (long i = 0; i < n; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            bench_must(urd_pool_submit(&jobs[k], pools[kind], increment, &in[k], sizeof *in,
                                       &out[k], sizeof *out),
                       "submit");
        for (int k = 0; k < BATCH; k++)
            bench_must(urd_pool_wait(&jobs[k]), "wait");
    }
}

static void task_batches(long n)
{
    batches(URD_TASK, n);
}

static void thread_batches(long n)
{
    batches(URD_THREAD, n);
}

static void process_batches(long n)
{
    batches(URD_PROCESS, n);
}

static void task_flow(long n)
{
    flow(URD_TASK, n);
}

static void thread_flow(long n)
{
    flow(URD_THREAD, n);
}

static void process_flow(long n)
{
    flow(URD_PROCESS, n);
}

static void task_one(long n)
{
    one_at_a_time(URD_TASK, n);
}

static void task_map(long n)
{
    map(URD_TASK, n);
}

static void thread_one(long n)
{
    one_at_a_time(URD_THREAD, n);
}

static void thread_map(long n)
{
    map(URD_THREAD, n);
}

static void process_one(long n)
{
    one_at_a_time(URD_PROCESS, n);
}

static void process_map(long n)
{
    map(URD_PROCESS, n);
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "message, two processes that spin", .run = spinning, .n = 200000},
        {.name = "the same through futexes", .run = sleeping, .n = 2000},
        {.name = "task pool, one at a time", .run = task_one, .n = 200000},
        {.name = "task pool, 1000 at a time", .run = task_batches, .n = 200000},
        {.name = "task pool, map of 1 M", .run = task_map, .n = MAP},
        {.name = "task pool, flow", .run = task_flow, .n = 200000},
        {.name = "thread pool, one at a time", .run = thread_one, .n = 2000},
        {.name = "thread pool, 1000 at a time", .run = thread_batches, .n = 200000},
        {.name = "thread pool, map of 1 M", .run = thread_map, .n = MAP},
        {.name = "thread pool, flow", .run = thread_flow, .n = 200000},
        {.name = "process pool, one at a time", .run = process_one, .n = 100000},
        {.name = "process pool, 1000 at a time", .run = process_batches, .n = 200000},
        {.name = "process pool, map of 1 M", .run = process_map, .n = MAP},
        {.name = "process pool, flow", .run = process_flow, .n = 200000},
        {.run = NULL}};
    for (int kind = URD_TASK; kind <= URD_PROCESS; kind++)
        bench_must(urd_pool_open(&pools[kind], (urd_kind)kind, 2, NULL), "urd_pool_open");
    bench_run(cases, *(int *)arg);
    for (int kind = URD_TASK; kind <= URD_PROCESS; kind++)
        bench_must(urd_pool_close(pools[kind]), "urd_pool_close");
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    wire = mmap(NULL, sizeof *wire, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    in = calloc(MAP, sizeof *in);
    out = calloc(MAP, sizeof *out);
    if (wire == MAP_FAILED || !in || !out)
        return 1;
    atomic_store(&wire->sleeps, true);
    pid_t other = fork();
    if (other == 0)
        answer_for_ever();
    bench_must(urd_run(NULL, measure, &rounds), "urd_run");
    kill(other, SIGKILL);
    free(in);
    free(out);
    return 0;
}
