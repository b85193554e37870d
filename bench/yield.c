/*
 * yield.c - what does it cost to switch from one task to another?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a switch stores and loads seven registers and leaves by an indirect jump, some 6 ns; a
 * yield also looks at the queue and at the cancel flag.  Some 10 ns.
 * Baselines: swapcontext, which makes a system call to save the signal mask, and sched_yield.
 */
#include <sched.h>
#include <ucontext.h>

#include "bench.h"

enum { TASKS = 2, STACK_BYTES = 65536 };

static ucontext_t here, there;

static void forever(void)
{
    for (;;)
        bench_must(swapcontext(&there, &here), "swapcontext");
}

static void by_swapcontext(long n)
{
    static char stack[STACK_BYTES];
    bench_must(getcontext(&there), "getcontext");
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    makecontext(&there, forever, 0);
    for (long i = 0; i < n; i += 2)
        bench_must(swapcontext(&here, &there), "swapcontext");
}

static void by_sched_yield(long n)
{
    for (long i = 0; i < n; i++)
        sched_yield();
}

static int yields(void *arg)
{
    for (long i = *(long *)arg; i > 0; i--)
        bench_must(urd_yield(), "urd_yield");
    return 0;
}

static void by_tasks(long n)
{
    urd_scope s;
    urd_scope_open(&s);
    long each = n / TASKS;
    for (int i = 0; i < TASKS; i++)
        urd_go(&s, yields, &each);
    bench_must(urd_scope_join(&s), "join");
}

static int measure(void *arg)
{
    bench_case cases[] = {
        {.name = "swapcontext", .run = by_swapcontext, .n = 1000000},
        {.name = "sched_yield, nobody else there", .run = by_sched_yield, .n = 1000000},
        {.name = "urd_yield, 2 tasks", .run = by_tasks, .n = 4000000},
        {.run = NULL}};
    bench_run(cases, *(int *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE};
    bench_must(urd_run(&config, measure, &rounds), "urd_run");
    return 0;
}
