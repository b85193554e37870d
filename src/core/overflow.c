/*
 * overflow.c - report a task that overran its stack, with the stack trace.
 *
 * SPDX-License-Identifier: MIT
 *
 * The guard below a stack faults; the handler runs on a signal stack of the worker.  It may use
 * what a handler usually may not (names of symbols): the fault was in a task's own code, the
 * program is about to die, and an alarm ends it should that code have held a lock of the libraries.
 */
#include "core/overflow.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "base/check.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/stack.h"
#include "core/trace.h"

enum { SIGNAL_STACK_BYTES = 256 * 1024, SIGNALS = 2, REPORT_SECONDS_MAX = 5 };

/* Of the trace: the printing, the handler, the kernel's return from it. */
enum { OWN_FRAMES = 3 };

static const int signals[SIGNALS] = {SIGSEGV, SIGBUS};
static struct sigaction before[SIGNALS];

/* Below the deepest frame of a stack that the system gave, as far as one frame may reach. */
static const uintptr_t NATIVE_REACH_BYTES = (uintptr_t)256 * 1024;

/*
 * The first job, and what it joins, run on the stack of the thread that called urd_run, whose end
 * we did not set.  Memory beside the stack pointer that is not there is behind that end.
 */
static bool native_end_hit(const urd__task *task, uintptr_t address, uintptr_t sp, urd__stack *out)
{
    if (task->worker->index != 0 || urd__stack_holds(sp) || address >= task->stack.high ||
        address + NATIVE_REACH_BYTES < sp || address > sp + NATIVE_REACH_BYTES)
        return false;
    *out = (urd__stack){.low = address, .high = task->stack.high};
    return true;
}

static void report(const urd__stack *stack, uintptr_t address)
{
    const urd__task *task = urd__task_self();
    const urd__job *job = task->job;
    urd__say("stack overflow in task %s (%zu of %zu bytes), spawned at %s",
             job ? urd__job_name(job) : "of the scheduler", (size_t)(stack->high - address),
             (size_t)(stack->high - stack->low), job && job->where ? job->where : "urd_run");
    if (stack->low == address)
        urd__say("this is the stack of the thread that called urd_run; `ulimit -s` is its size");
    else
        urd__say("a larger stack: urd_config.stack_bytes or URD_STACK_BYTES, now %zu",
                 urd__rt.stack_bytes);
    urd__trace_print(OWN_FRAMES);
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *old = &before[sig == signals[0] ? 0 : 1];
    if (old->sa_flags & SA_SIGINFO)
        old->sa_sigaction(sig, info, context);
    else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
        old->sa_handler(sig);
    else {
        urd__os_signal_action(sig, old, NULL); /* the instruction faults again, and that is it */
        if (info->si_code <= 0)
            raise(sig); /* it was sent, by kill() or raise(): no instruction would */
    }
}

static void handle(int sig, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    urd__stack stack;
    if (!urd__worker_self || !(urd__stack_guard_hit(address, &stack) ||
                               native_end_hit(urd__worker_self->current, address,
                                              urd__os_context_sp(context), &stack))) {
        pass_on(sig, info, context);
        return;
    }
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    urd__os_signal_action(SIGALRM, &dfl, NULL);
    alarm(REPORT_SECONDS_MAX);
    report(&stack, address);
    urd__os_signal_action(sig, &dfl, NULL); /* the instruction faults again, with a core */
}

void urd__overflow_install(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        urd__os_signal_action(signals[i], &action, &before[i]);
}

void urd__overflow_uninstall(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        if (urd__os_signal_action(signals[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
            now.sa_sigaction == handle) /* else the program has put its own there meanwhile */
            urd__os_signal_action(signals[i], &before[i], NULL);
    }
}

int urd__overflow_stack(void **out)
{
    return urd__os_map(out, SIGNAL_STACK_BYTES);
}

void urd__overflow_stack_free(void *stack)
{
    if (stack)
        urd__os_unmap(stack, SIGNAL_STACK_BYTES);
}

void urd__overflow_thread(void *stack)
{
    static __thread bool ours;
    if (stack)
        ours =
            urd__os_signal_stack_absent() && urd__os_signal_stack(stack, SIGNAL_STACK_BYTES) == 0;
    else if (ours)
        ours = urd__os_signal_stack(NULL, 0) != 0;
}
