/*
 * uring.c - readiness by io_uring.
 *
 * SPDX-License-Identifier: MIT
 *
 * A wait is one poll request in the ring, on behalf of that wait alone, so nothing is kept for a
 * descriptor, and it does not matter who closes it.  Requests are handed to the kernel when the
 * worker asks it for news: once for a whole round of tasks.
 *
 * The ring is used by its worker alone (SINGLE_ISSUER), and the kernel does its part only when it
 * is asked for news (DEFER_TASKRUN): these two make the ring as quick as epoll or quicker, so a
 * kernel that has not both (Linux 6.1) is better served by epoll.
 *
 * A poll request is also told that the other side has shut its end, although nobody asked; and that
 * stays so.  Who waits to write there must not be told of it again and again: his next request
 * stays and is told of changes only.
 *
 * Rejected: receiving and sending by requests in the ring (within 3 % of a poll request and the
 * calls themselves, for TCP echo, and the kernel would hold the buffers of cancelled calls); polls
 * that stay for the life of a descriptor (2 %, but each close then waits for the ring's worker).
 */
#include <errno.h>
#include <liburing.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "io/poller.h"

enum { SUBMISSIONS = 256, COMPLETIONS = 4096, BATCH = 128 };

typedef struct ring {
    urd__poller poller;
    struct io_uring uring;
} ring;

/* What completes, besides the waits: a request whose end nobody needs, and the event `wake`. */
static char nobody, woken;

static ring *ring_of(urd__poller *poller)
{
    return urd__container(poller, ring, poller);
}

/* Never NULL: what is queued goes to the kernel when the queue is full. */
static struct io_uring_sqe *next_request(ring *r)
{
    struct io_uring_sqe *request;
    while (!(request = io_uring_get_sqe(&r->uring)))
        io_uring_submit(&r->uring);
    return request;
}

static void watch_wake(ring *r)
{
    struct io_uring_sqe *request = next_request(r);
    io_uring_prep_poll_multishot(request, r->poller.wake, POLLIN);
    io_uring_sqe_set_data(request, &woken);
}

static int open_ring(urd__poller **out)
{
    int rc = urd__os_fault();
    if (urd__os_under_valgrind())
        rc = -ENOSYS; /* it stops all threads while one waits in a ring */
    if (rc)
        return rc;
    ring *r = urd__os_alloc(sizeof *r);
    if (!r)
        return -ENOMEM;
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_SUBMIT_ALL,
        .cq_entries = COMPLETIONS,
    };
    r->poller.wake = urd__os_event_open();
    rc = r->poller.wake;
    if (rc >= 0)
        rc = io_uring_queue_init_params(SUBMISSIONS, &r->uring, &params);
    if (rc < 0) {
        urd__os_close(r->poller.wake);
        urd__os_free(r);
        return rc;
    }
    r->poller.backend = &urd__uring;
    r->poller.fd = r->uring.ring_fd;
    io_uring_register_ring_fd(&r->uring); /* quicker; or not, and all the same */
    watch_wake(r);
    *out = &r->poller;
    return 0;
}

static void close_ring(urd__poller *poller)
{
    ring *r = ring_of(poller);
    io_uring_queue_exit(&r->uring);
    urd__os_close(poller->wake);
    urd__os_free(r);
}

/* Until there is one of its events, or it is taken back: a request that told of a change stays. */
static void watch_changes(ring *r, urd__fd_wait *wait)
{
    struct io_uring_sqe *request = next_request(r);
    io_uring_prep_poll_multishot(request, wait->number, (unsigned short)wait->events);
    io_uring_sqe_set_data(request, wait);
    wait->armed = true;
}

static void complete(ring *r, const struct io_uring_cqe *done)
{
    void *data = io_uring_cqe_get_data(done);
    if (data == &woken && !(done->flags & IORING_CQE_F_MORE))
        watch_wake(r); /* the kernel may end it when completions overflow */
    if (data == &woken || data == &nobody)
        return;
    urd__fd_wait *wait = data;
    bool over = !(done->flags & IORING_CQE_F_MORE);
    bool told = done->res < 0 || (done->res & (wait->events | POLLERR | POLLHUP | POLLNVAL));
    wait->armed = !over;
    if (told)
        urd__fd_ready_one(wait);
    else if (over)
        watch_changes(r, wait);
}

/* Of many who wait each is cold: all are asked for before the first is woken, and so few that what
 * has come is still there as they run.  The others are told of the next time. */
static void complete_some(ring *r)
{
    struct io_uring_cqe *done[BATCH];
    unsigned n = io_uring_peek_batch_cqe(&r->uring, done, BATCH);
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(io_uring_cqe_get_data(done[i]));
    for (unsigned i = 0; i < n; i++) {
        void *data = io_uring_cqe_get_data(done[i]);
        if (data != &woken && data != &nobody)
            urd__fd_ready_soon(data);
    }
    for (unsigned i = 0; i < n; i++)
        complete(r, done[i]);
    io_uring_cq_advance(&r->uring, n);
}

static void poll_ring(urd__poller *poller, int64_t until)
{
    ring *r = ring_of(poller);
    struct io_uring_cqe *first;
    if (until == 0) {
        io_uring_submit_and_get_events(&r->uring);
    } else if (until == INT64_MAX) {
        io_uring_submit_and_wait(&r->uring, 1);
    } else {
        int64_t left = until - urd__os_now();
        struct __kernel_timespec timeout = {.tv_sec = left > 0 ? left / 1000000000 : 0,
                                            .tv_nsec = left > 0 ? left % 1000000000 : 0};
        io_uring_submit_and_wait_timeout(&r->uring, &first, 1, &timeout, NULL);
    }
    complete_some(r);
}

static int arm(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait)
{
    (void)fd;
    ring *r = ring_of(poller);
    struct io_uring_sqe *request = next_request(r);
    io_uring_prep_poll_add(request, wait->number, (unsigned short)wait->events);
    io_uring_sqe_set_data(request, wait);
    wait->armed = true;
    return 0;
}

/* The request names the wait, which must stay until the kernel has given it back. */
static void disarm(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait)
{
    (void)fd;
    ring *r = ring_of(poller);
    wait->events = ~0; /* whatever it is told of now, it is not watched again */
    struct io_uring_sqe *request = next_request(r);
    io_uring_prep_cancel(request, wait, 0);
    io_uring_sqe_set_data(request, &nobody);
    while (wait->armed) {
        wait->waiter.word = urd__wait_begin(wait->waiter.task, NULL, URD__ON_FD, NULL);
        urd__wait_end(wait->waiter.task);
    }
}

static void forget(urd__fd *fd, int number)
{
    (void)fd;
    (void)number;
}

const urd__backend urd__uring = {
    .name = "io_uring",
    .open = open_ring,
    .close = close_ring,
    .poll = poll_ring,
    .arm = arm,
    .disarm = disarm,
    .forget = forget,
};
