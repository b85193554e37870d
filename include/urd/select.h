/*
 * select.h - wait for the first of several things.
 *
 * SPDX-License-Identifier: MIT
 *
 *     urd_op ops[] = {urd_op_recv(&numbers, &n), urd_op_event(&stop), urd_op_until(when)};
 *     switch (urd_select(ops, 3)) {
 *     case 0: ...
 *
 * Exactly one arm happens; the others are untouched: nothing was sent, received or written there.
 * Where several can happen at once, each is as likely as the others.  Arms may be used again for
 * the next select.
 */
#ifndef URD_SELECT_H
#define URD_SELECT_H

#include "urd/broadcast.h"
#include "urd/chan.h"
#include "urd/job.h"
#include "urd/lock.h"
#include "urd/time.h"

URD_BEGIN_DECLS

typedef enum urd_op_kind {
    URD_OP_SEND,  /* the value at `from` into `chan` */
    URD_OP_RECV,  /* from `chan` into `to` */
    URD_OP_EVENT, /* `event` is set */
    URD_OP_JOB,   /* `job` has ended */
    URD_OP_UNTIL, /* the time `when` has come */
    URD_OP_NEXT,  /* the next value of `subscriber` into `to` */
    URD_OP_FD     /* one of `events` holds at `fd` */
} urd_op_kind;

typedef struct urd_op {
    urd_op_kind kind;
    int result; /* of the arm that happened: 0; -EPIPE it is closed; -EMSGSIZE, see chan.h; the
                   job's result; how many values the subscriber missed; which events hold */
    union {
        urd_chan *chan;
        urd_event *event;
        urd_job *job;
        urd_time when;
        urd_subscriber *subscriber;
        int fd;
    };
    union {
        const void *from;
        void *to;
        short events;
    };
    union { /* private, as what follows */
        struct urd__waiter waiter;
        struct urd__fd_wait wait;
    };
    const struct urd__arm_ops *arm;
    unsigned drawn, sorted;
    long reserved[1];
} urd_op;

static inline urd_op urd_op_send(urd_chan *c, const void *v)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_SEND;
    op.chan = c;
    op.from = v;
    return op;
}

static inline urd_op urd_op_recv(urd_chan *c, void *v)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_RECV;
    op.chan = c;
    op.to = v;
    return op;
}

static inline urd_op urd_op_event(urd_event *e)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_EVENT;
    op.event = e;
    return op;
}

static inline urd_op urd_op_job(urd_job *j)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_JOB;
    op.job = j;
    return op;
}

static inline urd_op urd_op_until(urd_time when)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_UNTIL;
    op.when = when;
    return op;
}

/* As urd_subscriber_recv(); a subscriber is in one arm only, or it aborts. */
static inline urd_op urd_op_next(urd_subscriber *s, void *v)
{
    urd_op op = URD_ZERO_;
    op.kind = URD_OP_NEXT;
    op.subscriber = s;
    op.to = v;
    return op;
}

/*
 * One of `events` (POLLIN, POLLOUT, POLLPRI, POLLRDHUP) holds at any pollable descriptor, as with
 * urd_wait_fd(): nothing is read or written.  The result is which do, and with them POLLERR and
 * POLLHUP, as a number above 0; -ECANCELED: urd_close() closed it meanwhile, which waits until this
 * select has let go of it; -EBADF, or why the kernel does not watch it.
 */
urd_op urd_op_fd(int fd, short events);

/*
 * Wait until one of the n arms happens; returns its index.  An arm on a closed channel or broadcast
 * happens at once, with the result -EPIPE.  -ECANCELED: none has happened.  With descriptors also
 * -ENOMEM, -EMFILE, -ENFILE, for want of the poller: none has happened.
 */
int urd_select(urd_op *ops, int n) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead.  No cancel point. */
int urd_tryselect(urd_op *ops, int n) URD_MUST_USE;

URD_END_DECLS

#endif
