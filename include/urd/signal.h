/*
 * signal.h - signals as values.
 *
 * SPDX-License-Identifier: MIT
 *
 * A signal that somebody has opened is received as a number, by a task or thread that waits for it
 * as for anything.  No code of the program runs as a handler.
 *
 *     int numbers[] = {SIGHUP, SIGTERM};
 *     urd_signal s;
 *     urd_signal_open(&s, numbers, 2);
 *     while ((n = urd_signal_recv(&s)) == SIGHUP)
 *         reload();
 *     urd_signal_close(&s);
 *
 * SIGINT (Ctrl-C) needs none of this: unless the program handles or ignores it, it cancels the root
 * scope, and urd_run returns -EINTR when all jobs have ended; a second one ends the program, and so
 * does one that comes when they have ended already.  See urd_config.interrupt.
 */
#ifndef URD_SIGNAL_H
#define URD_SIGNAL_H

#include "urd/base.h"

URD_BEGIN_DECLS

typedef struct urd_signal {
    struct urd__link link; /* under the lock of all signals */
    uint64_t wanted;       /* set once by open: bits */
    uint64_t pending;      /* atomic: came, and nobody has received them */
    int fd;                /* set once by open: an event, set when one is pending */
    long reserved[2];
} urd_signal;

/*
 * From now on these `n` signals are values.  What they did before, also a handler of the program's
 * own, they do again once nobody has them open.  Several may have the same one open: each gets it.
 * The calling thread must not block them in its mask: threads of the runtime do, so the one that
 * called urd_run takes them.
 * 0; -EINVAL: a number that no program can handle (SIGKILL, SIGSTOP), that says where a thread went
 * wrong (SIGSEGV and its kin), or that the runtime uses (SIGSTKFLT); -EMFILE, -ENFILE, -ENOMEM.
 */
int urd_signal_open(urd_signal *s, const int *numbers, int n) URD_MUST_USE;

/*
 * The number of the next signal.  Of several that came, the lowest; one that came again before it
 * was received counts once, as in the kernel.  Any number of tasks and threads may wait; one of
 * them gets it.  -ECANCELED: none was taken.
 */
int urd_signal_recv(urd_signal *s) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead.  No cancel point. */
int urd_signal_tryrecv(urd_signal *s) URD_MUST_USE;

/* Who waits gets -ECANCELED.  What came and was not received is dropped. */
void urd_signal_close(urd_signal *s);

URD_END_DECLS

#endif
