/*
 * signal.c - signals become values; Ctrl-C becomes a cancel.
 *
 * SPDX-License-Identifier: MIT
 *
 * The handler marks the signal in every receiver that wants it and sets the receiver's event, a
 * descriptor; who receives waits for that as for any other.  So there is no thread for it, and the
 * kernel's descriptor is what wakes task and thread alike.
 *
 * Receivers are in a list under a lock that is taken with all signals blocked: so the handler
 * never interrupts the thread that holds it, and may take it too.
 *
 *     receive:  R1 take one bit; one was there? the others are there yet? set the event; done
 *               R2 read the event, which clears it, or wait until it is set; go to R1
 *     handle:   H1 pending |= bit
 *               H2 set the event
 *
 * Whoever clears the event looks at the bits afterwards.  If H2 is before that clearing, so is H1,
 * and the look sees the bit; else the event is set after it, and wakes the next to wait.
 *
 * A signal whose handler began while the last receiver closed is sent once more, to what is in
 * force by then.  So is an interrupt that came when the root scope had ended: what it would have
 * cancelled is done, and whoever waits for the program to end must not be left without an answer.
 *
 * Rejected: signalfd, for which every thread of the program, also those that are not ours, would
 * have to block the signal; a thread that waits for signals (some 50 us of start for each program
 * that wants one, and a wake more for each).
 */
#include "io/signal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "core/runtime.h"
#include "core/wait.h"

enum { NUMBERS = 64 };

static struct {
    int lock;                             /* taken with all signals blocked; guards the rest */
    urd__link receivers;                  /* of urd_signal.link */
    int users[NUMBERS + 1];               /* receivers that want it, and the runtime */
    struct sigaction before[NUMBERS + 1]; /* with users: what was in force */
    bool interrupts[NUMBERS + 1];         /* the runtime wants it, to cancel the root scope */
    bool in_job;                          /* this process is a job */
    int interrupted;                      /* atomic: by which one; 0: none, it is done once */
} signals;

static void lock(sigset_t *mask)
{
    urd__os_signals_block(mask);
    urd__lock(&signals.lock);
}

static void unlock(const sigset_t *mask)
{
    urd__unlock(&signals.lock);
    urd__os_signals_restore(mask);
}

static uint64_t bit_of(int sig)
{
    return UINT64_C(1) << (sig - 1);
}

/* ---- The handler ----------------------------------------------------------------------------- */

/* Under lock. */
static bool deliver(int sig)
{
    bool any = false;
    for (urd__link *link = signals.receivers.next; link && link != &signals.receivers;
         link = link->next) {
        urd_signal *s = urd__container(link, urd_signal, link);
        if (!(s->wanted & bit_of(sig)))
            continue;
        urd__or_ar(&s->pending, bit_of(sig)); /* H1 [signal] */
        urd__os_event_set(s->fd);             /* H2 */
        any = true;
    }
    return any;
}

/* A terminal sends it to all processes of the program; what becomes of a job, its parent says. */
static bool is_the_parents(int sig, const siginfo_t *info)
{
    return signals.in_job && sig == SIGINT && info->si_code == SI_KERNEL;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)context;
    sigset_t mask;
    lock(&mask);
    /* In a process made by fork() the receivers' events are the parent's. */
    bool forked = urd__load_acq(&urd__rt.state) == URD__FORKED; /* [state] */
    bool done = !forked && (deliver(sig) || is_the_parents(sig, info));
    int none = 0;
    bool interrupts = !forked && !done && signals.interrupts[sig] &&
                      urd__cas_ar(&signals.interrupted, &none, sig); /* alone under the lock */
    if (interrupts)
        urd__runtime_interrupt(-EINTR);
    if (!done && !interrupts) {
        if (signals.users[sig] > 0)
            urd__os_signal_action(sig, &signals.before[sig], NULL);
        urd__os_signal_again(sig); /* when this handler has returned */
    }
    unlock(&mask);
}

/* Under lock.  0, or -errno. */
static int take(int sig)
{
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction old;
    int rc = urd__os_signal_action(sig, &action, &old);
    if (rc)
        return rc;
    bool ours = (old.sa_flags & SA_SIGINFO) && old.sa_sigaction == on_signal;
    if (signals.users[sig]++ == 0 || !ours) /* the program may have put one in force meanwhile */
        signals.before[sig] = old;
    return 0;
}

/* Under lock.  What the program has put in force meanwhile stays. */
static void give_back(int sig)
{
    struct sigaction now;
    if (--signals.users[sig] == 0 && urd__os_signal_action(sig, NULL, &now) == 0 &&
        (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_signal)
        urd__os_signal_action(sig, &signals.before[sig], NULL);
}

static void give_back_all(uint64_t wanted)
{
    for (int sig = 1; sig <= NUMBERS; sig++)
        if (wanted & bit_of(sig))
            give_back(sig);
}

/* ---- Receivers ------------------------------------------------------------------------------- */

static bool may_be_wanted(int sig)
{
    static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                 SIGILL,  SIGTRAP, SIGABRT, SIGSYS, OS_SAMPLE_SIGNAL};
    bool may = sig > 0 && sig <= NUMBERS;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        may = may && sig != others[i];
    return may;
}

static uint64_t bits_of(const int *numbers, int n)
{
    uint64_t bits = 0;
    for (int i = 0; i < n; i++) {
        if (!may_be_wanted(numbers[i]))
            return 0;
        bits |= bit_of(numbers[i]);
    }
    return bits;
}

/* Under lock.  All of them, or none and -errno. */
static int take_all(uint64_t wanted)
{
    for (int sig = 1; sig <= NUMBERS; sig++) {
        int rc = wanted & bit_of(sig) ? take(sig) : 0;
        if (rc) {
            give_back_all(wanted & (bit_of(sig) - 1));
            return rc;
        }
    }
    return 0;
}

int urd_signal_open(urd_signal *s, const int *numbers, int n)
{
    if (urd__worker_self) /* it may be opened before there is a runtime */
        urd__wait_check_place(urd__worker_self->current, "urd_signal_open", s);
    uint64_t wanted = bits_of(numbers, n);
    if (wanted == 0)
        return -EINVAL;
    int fd = urd__os_event_open();
    if (fd < 0)
        return fd;
    *s = (urd_signal){.wanted = wanted, .fd = fd};
    sigset_t mask;
    lock(&mask);
    if (!signals.receivers.next)
        urd__list_init(&signals.receivers);
    int rc = take_all(wanted);
    if (rc == 0)
        urd__list_push_tail(&signals.receivers, &s->link);
    unlock(&mask);
    if (rc) {
        s->fd = -1;
        urd__os_close(fd);
    }
    return rc;
}

int urd_signal_tryrecv(urd_signal *s)
{
    uint64_t pending = urd__load_acq(&s->pending); /* [signal] */
    while (pending && !urd__cas_ar(&s->pending, &pending, pending & (pending - 1)))
        ;
    if (pending & (pending - 1))
        urd__os_event_set(s->fd); /* another one may wait */
    return pending ? __builtin_ctzll(pending) + 1 : -EAGAIN;
}

int urd_signal_recv(urd_signal *s)
{
    int rc = urd__wait_enter(urd__task_self());
    while (rc == 0 && (rc = urd_signal_tryrecv(s)) == -EAGAIN) { /* R1 */
        uint64_t count;
        ssize_t n = urd_read(s->fd, &count, sizeof count); /* R2 */
        rc = n < 0 ? (int)n : 0;
    }
    return rc;
}

void urd_signal_close(urd_signal *s)
{
    if (s->fd < 0)
        return;
    sigset_t mask;
    lock(&mask);
    urd__list_remove(&s->link);
    give_back_all(s->wanted);
    unlock(&mask);
    urd_close(s->fd);
    s->fd = -1;
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------- */

/* What the program handles or ignores is its own. */
static void take_over(int sig)
{
    struct sigaction now;
    sigset_t mask;
    lock(&mask);
    if (urd__os_signal_action(sig, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signals.interrupts[sig] = take(sig) == 0;
    unlock(&mask);
}

void urd__signals_start(const urd_config *config)
{
    urd__store_rel(&signals.interrupted, 0); /* pairs with on_signal() */
    if (config->interrupt != URD_INTERRUPT_OFF)
        take_over(SIGINT);
    if (config->interrupt == URD_INTERRUPT_TERM)
        take_over(SIGTERM);
}

void urd__signals_start_job(const urd_config *config)
{
    signals.in_job = true;
    memset(signals.users, 0, sizeof signals.users); /* receivers are the parent's */
    urd__list_init(&signals.receivers);
    urd__store_rel(&signals.interrupted, 0); /* pairs with on_signal() */
    if (config->interrupt != URD_INTERRUPT_OFF)
        take_over(SIGINT);
}

void urd__signals_stop(bool heeded)
{
    sigset_t mask;
    lock(&mask);
    for (int sig = 1; sig <= NUMBERS; sig++) {
        if (signals.interrupts[sig])
            give_back(sig);
        signals.interrupts[sig] = false;
    }
    int came = urd__load_acq(&signals.interrupted);
    urd__store_rel(&signals.interrupted, 0);
    urd__store_rel(&urd__interrupted, 0); /* or the next run would begin with it */
    if (came && !heeded)
        urd__os_signal_again(came); /* as the lock is left */
    unlock(&mask);
}
