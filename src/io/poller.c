/*
 * poller.c - choose the backend, give each worker its poller, and connect both to the core.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/poller.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os_proc.h"

static void poll_worker(urd__worker *self, int64_t until)
{
    self->poller->backend->poll(self->poller, until);
}

static void wake_worker(urd__worker *worker)
{
    urd__os_event_set(worker->poller->wake);
}

static void stop(void)
{
    for (unsigned i = 0; i < urd__rt.nworkers; i++) {
        urd__poller *poller = urd__rt.workers[i].poller;
        if (poller)
            poller->backend->close(poller);
    }
    urd__fds_close();
}

static const urd__io_ops operations = {
    .poll = poll_worker,
    .wake = wake_worker,
    .quiet = urd__fds_quiet,
    .stop = stop,
};

/* In the order of preference; the last one is always there. */
static const urd__backend *const backends[] = {
#ifdef HAVE_LIBURING
    &urd__uring,
#endif
    &urd__epoll,
};

static bool allowed(const urd__backend *backend, urd_io io)
{
    return io == URD_IO_AUTO || (backend == &urd__epoll) == (io == URD_IO_EPOLL);
}

/* The first that can be had.  Which one that is may differ between workers: they need not agree. */
static int open_one(urd_io io, urd__poller **out)
{
    int rc = -ENOSYS;
    // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers
    for (size_t i = 0; i < sizeof backends / sizeof *backends && rc; i++)
        if (allowed(backends[i], io))
            rc = backends[i]->open(out);
    return rc;
}

int urd__poller_need(urd__worker *self)
{
    if (self && self->poller)
        return 0;
    int rc = urd__fds_open();
    urd__store_rel(&urd__rt.io, &operations); /* pairs with who calls them */
    if (rc == 0 && self)
        rc = open_one(urd__rt.io_kind, &self->poller);
    return rc;
}

const char *urd__poller_backend(urd_io io)
{
    urd__poller *poller;
    if (open_one(io, &poller))
        return NULL;
    const char *name = poller->backend->name;
    poller->backend->close(poller);
    return name;
}
