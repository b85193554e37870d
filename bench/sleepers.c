/*
 * sleepers.c - how much memory does a sleeping task take, and how long do a million need?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a task that sleeps has touched the top page of its stack, where its control block and its
 * few frames lie, and has a descriptor: 4 KiB and some.  First touch of a page costs 2 to 10 us on
 * a virtual machine, so a million take a few seconds.  Baseline: touching as many pages by hand.
 *
 *     sleepers [ROUNDS [TASKS]]       1 round of 1,000,000; 1 as the only argument: of 10,000
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

static long tasks = 1000000;
static urd_event all_sleep;
static long sleeping;

static long resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1)
        bench_must(-1, "/proc/self/statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* One worker runs all tasks, so that the count needs no lock. */
static int sleeper(void *arg)
{
    urd_time when = *(urd_time *)arg;
    if (++sleeping == tasks)
        urd_event_set(&all_sleep);
    return urd_sleep_until(when);
}

static double touch_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size_t)tasks * page;
    urd_time start = urd_now();
    unsigned char *p =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        bench_must(-1, "mmap");
    madvise(p, bytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < bytes; i += page)
        p[i] = 1;
    urd_time duration = urd_now() - start;
    munmap(p, bytes);
    return (double)duration / (double)URD_SECOND;
}

static int measure(void *arg)
{
    (void)arg;
    double floor_seconds = touch_pages();
    long before = resident_bytes();
    urd_time start = urd_now();
    urd_time when = start + tasks * 20 * URD_US;
    urd_scope s;
    urd_scope_open(&s);
    for (long i = 0; i < tasks; i++)
        urd_go(&s, sleeper, &when);
    bench_must(urd_event_wait(&all_sleep), "urd_event_wait");
    double started = (double)(urd_now() - start) / (double)URD_SECOND;
    long each = (resident_bytes() - before) / tasks;
    /* All wake now: cancelled would be quicker, but waking by the timer is what is asked. */
    urd_time late = urd_now() > when ? urd_now() : when;
    bench_must(urd_scope_join(&s), "join");
    double ended = (double)(urd_now() - late) / (double)URD_SECOND;
    printf("%ld sleeping tasks: %ld bytes each, %.2f s to start, %.2f s to end\n", tasks, each,
           started, ended);
    printf("touching %ld pages: %.2f s; starting is %.2f x that\n", tasks, floor_seconds,
           started / floor_seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        tasks = atol(argv[2]);
    else if (argc > 1 && atol(argv[1]) == 1)
        tasks = 10000;
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, NULL), "urd_run");
    return 0;
}
