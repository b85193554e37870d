/*
 * sample.c - copy the registers and the top of the stack of a thread, in a signal handler there.
 *
 * SPDX-License-Identifier: MIT
 *
 * The handler only copies, on the worker's signal stack: the thread may hold any lock of any
 * library.  Whoever asked walks the copy.
 *
 *     ask:   Q1 state = ASKED                 handler:   H1 ASKED -> TAKING, else nothing
 *            Q2 send the signal                          H2 copy
 *            Q3 wait a bounded time                      H3 state = TAKEN, wake
 *            Q4 ASKED -> IDLE: no answer;
 *               else wait for TAKEN
 *
 * Q4 and H1 are compare-and-swaps of one word, so a late handler does not write into a sample that
 * has been given up.  It stays installed, as a late signal would else end the program.
 */
#include "watch/sample.h"

#include <signal.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "urd.h"

enum { IDLE, ASKED, TAKING, TAKEN };

static const int64_t PATIENCE = 500 * URD_MS;

static struct {
    int lock;          /* one at a time; guards `installed` */
    int state;         /* atomic, futex */
    urd__sample *into; /* set before ASKED */
    bool installed;
    struct sigaction before; /* set once, before the first sample */
} ask;

static void copy_stack(urd__sample *out)
{
    enum { PAGE = 4096 };
    out->bytes = 0;
    while (out->bytes < sizeof out->stack) {
        uintptr_t from = (uintptr_t)out->sp + out->bytes;
        size_t n = PAGE - from % PAGE, room = sizeof out->stack - out->bytes;
        n = n < room ? n : room;
        if (urd__os_read_memory(0, from, out->stack + out->bytes, n) != 0)
            return; /* the end of the stack */
        out->bytes += n;
    }
}

static void handle(int sig, siginfo_t *info, void *context)
{
    int state = ASKED;
    if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &ask) {
        if ((ask.before.sa_flags & SA_SIGINFO) && ask.before.sa_sigaction)
            ask.before.sa_sigaction(sig, info, context);
        return;
    }
    if (!urd__cas_ar(&ask.state, &state, TAKING)) /* H1 [sample] */
        return;
    urd__sample *out = ask.into;
    urd__os_context_registers(context, out->registers, &out->pc);
    out->sp = urd__os_context_sp(context);
    copy_stack(out);
    urd__store_rel(&ask.state, TAKEN); /* H3 [sample] */
    urd__os_futex_wake(&ask.state, 1);
}

/* Under ask.lock. */
static void install(void)
{
    if (ask.installed)
        return;
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    ask.installed = urd__os_signal_action(OS_SAMPLE_SIGNAL, &action, &ask.before) == 0;
}

static bool wait_for_answer(void)
{
    int64_t until = urd__os_now() + PATIENCE;
    for (;;) {
        int state = urd__load_acq(&ask.state); /* [sample] */
        if (state == TAKEN)
            return true;
        bool late = urd__os_now() >= until;
        if (state == ASKED && late && urd__cas_ar(&ask.state, &state, IDLE)) /* Q4 */
            return false;
        urd__os_futex_wait(&ask.state, state, late ? urd__os_now() + URD_MS : until);
    }
}

bool urd__sample_take(void *unused, pid_t thread, urd__sample *out)
{
    (void)unused;
    urd__lock(&ask.lock);
    install();
    ask.into = out;
    urd__store_rel(&ask.state, ASKED); /* Q1 [sample] */
    bool taken =
        urd__os_signal_thread(thread, OS_SAMPLE_SIGNAL, &ask) == 0 && wait_for_answer(); /* Q2 */
    urd__store_rel(&ask.state, IDLE);
    urd__unlock(&ask.lock);
    return taken;
}
