/*
 * arm.c - descriptors as arms of a select.
 *
 * SPDX-License-Identifier: MIT
 *
 * Such an arm is a look and a wait: what holds is asked of the kernel, and where nothing does, the
 * arm's wait goes where that of a call on the descriptor would.  Being woken is a reason to look
 * again and no more, since another reader may have been quicker; so what a backend tells is never
 * taken for the result, and the select waits on when it was old news.
 *
 * A select is inside its descriptors (fd.c) from its first wait for them to its return, also while
 * it looks again: so it looks at no number that has become another's.
 *
 * A thread polls itself, all its arms at once: one descriptor, or a set that ends with the select.
 *
 * Rejected: an array for poll(2), which would have to be allocated; the pollers of workers on
 * behalf of threads, which would then wait for a worker to have time.
 * Checked: test/model/arm.c.
 */
#include "core/arm.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "io/fd.h"
#include "io/poller.h"

static const short EVENTS = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;

/* What all arms for this descriptor wait for; *arms is how many there are for any. */
static short events_of(const urd_op *ops, unsigned n, int number, unsigned *arms)
{
    short events = 0;
    *arms = 0;
    for (unsigned i = 0; i < n; i++) {
        if (ops[i].kind != URD_OP_FD)
            continue;
        ++*arms;
        if (ops[i].fd == number)
            events |= ops[i].events;
    }
    return events;
}

static int fill_set(int set, const urd_op *ops, unsigned n)
{
    int rc = 0;
    for (unsigned i = 0, arms; i < n && rc == 0; i++)
        if (ops[i].kind == URD_OP_FD)
            rc = urd__os_epoll_set(set, ops[i].fd, events_of(ops, n, ops[i].fd, &arms), true);
    return rc;
}

static int watch_arms(urd__task *self, const urd_op *ops, unsigned n, urd__polled *polled)
{
    unsigned arms, first = 0;
    while (ops[first].kind != URD_OP_FD)
        first++;
    short events = events_of(ops, n, ops[first].fd, &arms);
    *polled = (urd__polled){.fd = ops[first].fd, .events = events, .is_set = arms > 1};
    int rc = 0;
    if (polled->is_set) {
        polled->fd = urd__os_epoll_open();
        polled->events = POLLIN;
        if (polled->fd < 0)
            return polled->fd;
        rc = fill_set(polled->fd, ops, n);
    }
    if (rc == 0)
        rc = urd__fd_watch(self, polled);
    if (rc && polled->is_set)
        urd__os_close(polled->fd);
    return rc;
}

static int begin_arms(urd__task *self, urd_op *ops, unsigned n, urd__polled *polled)
{
    int rc = 0;
    if (urd__load_acq(&urd__rt.state) == URD__RUNNING) /* [state] */
        rc = urd__poller_need(self->worker);
    for (unsigned i = 0; i < n; i++)
        if (ops[i].kind == URD_OP_FD)
            ops[i].wait = (urd__fd_wait){
                .number = ops[i].fd, .edges = ops[i].wait.edges, .events = ops[i].events};
    return rc || self->worker ? rc : watch_arms(self, ops, n, polled);
}

static int look_at(urd_op *op)
{
    op->wait.edges = urd__fd_edges(urd__fd_find(op->fd));
    return urd__fd_holding(op->fd, op->events);
}

static int enter_arm(urd__task *self, urd_op *op)
{
    if (urd__load_acq(&urd__rt.state) != URD__RUNNING) /* [state] nobody else closes it */
        return 0;
    urd__fd *fd = urd__fd_find(op->fd);
    op->wait.at = self->worker;
    return fd ? urd__fd_enter(self, fd, &op->wait, &op->wait.inside) : -EBADF;
}

static void leave_arm(urd__task *self, urd_op *op)
{
    urd__fd *fd = op->wait.inside ? urd__fd_find(op->fd) : NULL;
    if (fd)
        urd__fd_leave(self, fd, &op->wait);
}

static void end_arms(urd__task *self, urd_op *ops, unsigned n, urd__polled *polled)
{
    if (!self->worker) {
        urd__fd_unwatch(self, polled);
        if (polled->is_set)
            urd__os_close(polled->fd);
    }
    for (unsigned i = 0; i < n; i++) {
        urd__fd *fd =
            ops[i].kind == URD_OP_FD && ops[i].wait.inside ? urd__fd_find(ops[i].fd) : NULL;
        if (fd)
            urd__fd_exit(fd);
    }
}

urd_op urd_op_fd(int fd, short events)
{
    static const urd__arm_ops operations = {.attempt = look_at,
                                            .begin = begin_arms,
                                            .enqueue = enter_arm,
                                            .dequeue = leave_arm,
                                            .end = end_arms};
    if (!(events & EVENTS))
        urd__die("urd_op_fd: %#x is no event that can be waited for", (unsigned)events);
    urd_op op = {.kind = URD_OP_FD, .arm = &operations};
    op.fd = fd;
    op.events = (short)(events & EVENTS);
    return op;
}
