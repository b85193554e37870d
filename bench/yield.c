/*
 * yield.c - what does it cost to switch from one task to another?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: a switch stores and loads seven registers, some 2 to 6 ns; a yield looks at the queue
 * and at the cancel flag, and every so many of them at the clock.  At most twice the bare switch.
 * Floor: two contexts that do nothing but switch.  Others: swapcontext, which makes a system call
 * to save the signal mask, and sched_yield.
 */
#include <limits.h>
#include <sched.h>
#include <ucontext.h>

#include "bench.h"
#include "core/switch.h"

enum { TASKS = 2, STACK_BYTES = 65536 };

static void *bare_here, *bare_there;

/* Both sides from here: see switch.h on what the processor predicts. */
__attribute__((noinline)) static void bare_turns(long n, void **self, void *const *other)
{
    for (long i = 0; i < n; i++)
        urd__switch(self, *other);
}

static void bare_forever(void *unused)
{
    (void)unused;
    bare_turns(LONG_MAX, &bare_there, &bare_here);
}

static void by_bare_switch(long n)
{
    _Alignas(16) static char stack[STACK_BYTES];
    bare_there = urd__switch_make(stack + sizeof stack, bare_forever, NULL);
    bare_turns(n / 2, &bare_here, &bare_there);
}

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
        {.name = "bare switch", .run = by_bare_switch, .n = 4000000},
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
