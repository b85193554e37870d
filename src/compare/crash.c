/*
 * crash.c - a handler that writes on the board which job crashed, and by which signal.
 *
 * SPDX-License-Identifier: MIT
 *
 * Several jobs may live on one thread, as tasks; the one that crashed is the one on whose stack the
 * stack pointer is.  Stacks grow down, so of the jobs of this thread it is the one whose frame is
 * the nearest above.
 */
#include "compare/crash.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/atomic.h"

static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { DEADLY = sizeof deadly / sizeof *deadly };

static urd__board *the_board;
static struct sigaction before[DEADLY]; /* set once by urd__crash_watch */

static uintptr_t stack_pointer(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.sp;
#else
#error "say where this processor keeps the stack pointer"
#endif
}

static int job_at(uintptr_t sp)
{
    pid_t tid = gettid();
    int found = -1;
    for (int i = 0; i < the_board->jobs; i++) {
        const urd__record *record = &the_board->records[i];
        /* rlx, both: written by this very thread, or not for it */
        if (urd__load_rlx(&record->start.time) == 0 || urd__load_rlx(&record->end.time) != 0)
            continue;
        if (record->tid != tid || record->frame < sp)
            continue;
        if (found < 0 || record->frame < the_board->records[found].frame)
            found = i;
    }
    return found;
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
    int none = 0;
    if (urd__load_rlx(&the_board->crash_signal) == 0) { /* rlx: the exchange below decides */
        int job = job_at(stack_pointer(context));
        if (urd__cas_ar(&the_board->crash_signal, &none, sig))
            the_board->crash_job = job;
    }
    for (size_t i = 0; i < DEADLY; i++) {
        if (deadly[i] != sig)
            continue;
        if ((before[i].sa_flags & SA_SIGINFO) != 0)
            before[i].sa_sigaction(sig, info, context);
        /* A fault happens again on return, and then kills; what was sent is sent again. */
        signal(sig, SIG_DFL);
        if (info->si_code <= 0)
            raise(sig);
    }
}

void urd__crash_watch(urd__board *board)
{
    the_board = board;
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < DEADLY; i++)
        sigaction(deadly[i], &action, &before[i]);
}
