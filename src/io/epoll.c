/*
 * epoll.c - readiness by epoll.
 *
 * SPDX-License-Identifier: MIT
 *
 * A descriptor that was made here is watched from its first wait to its close, edge-triggered: then
 * a wait costs no system call.  What somebody else made can be closed behind our back, and its
 * number come again: it is watched anew for each wait, once, which is dearer (docs/design.md).
 *
 * A descriptor is watched by one worker: that of the task that waited first.  When no wait is left
 * and the next one is on another worker, it moves there.  Until then the first worker's poller
 * also wakes the others' tasks.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "io/poller.h"

enum { WATCHED = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

static int open_set(urd__poller **out)
{
    urd__poller *poller = urd__os_alloc(sizeof *poller);
    if (!poller)
        return -ENOMEM;
    *poller = (urd__poller){.backend = &urd__epoll, .fd = urd__os_epoll_open()};
    int rc = poller->fd;
    if (rc >= 0)
        rc = poller->wake = urd__os_event_open();
    if (rc >= 0)
        rc = urd__os_epoll_set(poller->fd, poller->wake, POLLIN, false);
    if (rc >= 0) {
        *out = poller;
        return 0;
    }
    urd__os_close(poller->fd >= 0 ? poller->wake : -1);
    urd__os_close(poller->fd);
    urd__os_free(poller);
    return rc;
}

static void close_set(urd__poller *poller)
{
    urd__os_close(poller->wake);
    urd__os_close(poller->fd);
    urd__os_free(poller);
}

static void poll_set(urd__poller *poller, int64_t until)
{
    urd__os_ready_fd ready[OS_EPOLL_BATCH];
    int n = urd__os_epoll_wait(poller->fd, ready, until);
    for (int i = 0; i < n; i++)
        if (ready[i].fd != poller->wake)
            urd__fd_ready(ready[i].fd, ready[i].events);
}

/* What all who wait for it wait for; and do any but `mine` rely on the worker that watches it? */
static short wanted(urd__fd *fd, const urd__fd_wait *mine, bool *relied_on)
{
    short events = 0;
    *relied_on = false;
    for (urd__link *link = fd->waits.next; link != &fd->waits; link = link->next) {
        const urd__fd_wait *wait = urd__container(link, urd__fd_wait, waiter.link);
        events |= wait->events;
        *relied_on |= wait != mine && wait->at && wait->at == fd->at;
    }
    return events;
}

/* Nobody watches it, also if the next worker to try cannot. */
static void unwatch(urd__fd *fd, int number)
{
    urd__os_epoll_remove(fd->at->poller->fd, number);
    fd->at = NULL;
}

static int arm(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait)
{
    (void)poller;
    bool ours = urd__load_acq(&fd->flags) & URD__FD_OURS; /* [made] */
    bool relied_on;
    short events = wanted(fd, wait, &relied_on);
    if (relied_on)
        wait->at = fd->at;
    else if (fd->at && fd->at != wait->at)
        unwatch(fd, wait->number);
    if (ours && fd->at == wait->at)
        return 0;
    int set = wait->at->poller->fd;
    int rc = urd__os_epoll_set(set, wait->number, ours ? (short)WATCHED : events, !ours);
    if (rc == 0)
        fd->at = wait->at;
    wait->armed = rc == 0 && !ours;
    return rc;
}

/* Only of somebody else's: ours stays. */
static void disarm(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait)
{
    (void)poller;
    bool relied_on;
    urd__lock(&fd->lock);
    wanted(fd, NULL, &relied_on);
    if (fd->at && !relied_on)
        unwatch(fd, wait->number);
    urd__unlock(&fd->lock);
}

static void forget(urd__fd *fd, int number)
{
    /* Closing would do, but for copies of the descriptor. */
    if (fd->at)
        urd__os_epoll_remove(fd->at->poller->fd, number);
}

const urd__backend urd__epoll = {
    .name = "epoll",
    .open = open_set,
    .close = close_set,
    .poll = poll_set,
    .arm = arm,
    .disarm = disarm,
    .forget = forget,
};
