/*
 * sleepers.c - how much memory does a sleeping task take, and how long do a million need?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a task that sleeps has touched the top page of its stack, where its control block and its
 * few frames lie, and has a descriptor: 4 KiB and some.  First touch of a page costs 2 to 10 us on
 * a virtual machine, so a million take a few seconds.  A compact task keeps its few frames in less
 * than 2 KiB, in huge pages, whose first touch is mostly that the kernel clears them.
 * Floors: touching as many pages, or as many bytes in huge pages, by hand.
 *
 * Processor time is what the machine had to do; on one that others use too, seconds say little.
 *
 *     sleepers [ROUNDS [TASKS]]       1 round of 1,000,000; 1 as the only argument: of 10,000
 */
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static long tasks = 1000000;
static urd_event all_sleep;
static long sleeping;

typedef struct moment {
    double wall, cpu;
} moment;

static moment now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (moment){.wall = (double)urd_now() / (double)URD_SECOND,
                    .cpu = (double)t.tv_sec + (double)t.tv_nsec / 1e9};
}

static moment since(moment start)
{
    moment end = now();
    return (moment){.wall = end.wall - start.wall, .cpu = end.cpu - start.cpu};
}

static long resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        bench_must(-1, "/proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static moment touch(long each, int advice)
{
    size_t step = (size_t)each, bytes = (size_t)tasks * step;
    moment start = now();
    unsigned char *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        bench_must(-1, "mmap");
    madvise(p, bytes, advice);
    for (size_t i = 0; i < bytes; i += step)
        p[i] = 1;
    moment spent = since(start);
    munmap(p, bytes);
    return spent;
}

/* One worker runs all tasks, so that the count needs no lock. */
static int sleeper(void *arg)
{
    const urd_time *when = arg;
    if (++sleeping == tasks)
        urd_event_set(&all_sleep);
    return urd_sleep_until(*when);
}

static int measure(void *arg)
{
    bool compact = *(bool *)arg;
    long before = resident_bytes();
    moment start = now();
    urd_time when = urd_now() + tasks * 20 * URD_US;
    urd_scope s;
    urd_scope_open(&s);
    if (compact)
        urd_scope_compact(&s);
    for (long i = 0; i < tasks; i++)
        urd_go(&s, sleeper, &when);
    bench_must(urd_event_wait(&all_sleep), "urd_event_wait");
    moment started = since(start);
    long each = (resident_bytes() - before) / tasks;
    moment floor =
        compact ? touch(each, MADV_HUGEPAGE) : touch(sysconf(_SC_PAGESIZE), MADV_NOHUGEPAGE);
    /* All wake now: cancelled would be quicker, but waking by the timer is what is asked. */
    while (urd_now() < when - URD_MS)
        bench_must(urd_sleep_until(when - URD_MS), "urd_sleep_until");
    moment late = now();
    bench_must(urd_scope_join(&s), "join");
    moment ended = since(late);
    printf("%ld %s tasks sleep: %ld bytes each; to start %.2f s, %.2f of the processor; all wake "
           "and end in %.2f s, %.2f of the processor\n",
           tasks, compact ? "compact" : "ordinary", each, started.wall, started.cpu, ended.wall,
           ended.cpu);
    printf("touching so much by hand: %.2f s, %.2f of the processor; starting is %.2f x that\n",
           floor.wall, floor.cpu, started.cpu / floor.cpu);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? bench_rounds(argc, argv) : 1;
    if (argc > 2)
        tasks = atol(argv[2]);
    else if (argc > 1 && rounds == 1)
        tasks = 10000;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    for (int i = 0; i < 2 * rounds; i++) {
        bool compact = i % 2 == 1;
        sleeping = 0;
        all_sleep = (urd_event)URD_ZERO_;
        bench_must(urd_run(&config, measure, &compact), "urd_run");
    }
    return 0;
}
