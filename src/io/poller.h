/*
 * poller.h - what a backend must do: tell waiting tasks that their descriptors are ready.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each worker has a poller of its own, made as the first task on it waits for I/O: an epoll set or
 * a ring.  Backends know descriptors and waits, and nothing of calls: a call tries, waits until the
 * descriptor is ready, and tries again.  So no buffer is ever the kernel's while a task waits, and
 * a cancelled call has nothing to take back.
 */
#ifndef URD_IO_POLLER_H
#define URD_IO_POLLER_H

#include "core/runtime.h"
#include "core/wait.h"
#include "io/fd.h"

typedef struct urd__backend urd__backend;

typedef struct urd__poller {
    const urd__backend *backend;
    int fd;   /* itself pollable: readable when it has something to tell */
    int wake; /* an event; its setting ends a sleep in poll() */
} urd__poller;

struct urd__backend {
    const char *name;
    /* 0; -ENOSYS, -EPERM ...: this kernel does not have it; -EMFILE, -ENOMEM: not now. */
    int (*open)(urd__poller **out);
    void (*close)(urd__poller *poller);
    /* See urd__io_ops. */
    void (*poll)(urd__poller *poller, int64_t until);
    /* See to it that urd__fd_ready() is called when one of wait->events holds.  Under the lock of
     * the descriptor, on the waiting task's worker; wait->at is its poller's or, where the
     * descriptor is known to another's already, that one's.  0, -errno. */
    int (*arm)(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait);
    /* The task was woken by something else, and wait->armed: when this returns, the backend does
     * not know `wait`, which is out of fd->waits. */
    void (*disarm)(urd__poller *poller, urd__fd *fd, urd__fd_wait *wait);
    /* The descriptor is about to be closed.  Under its lock; nobody waits. */
    void (*forget)(urd__fd *fd, int number);
};

extern const urd__backend urd__epoll;
#ifdef HAVE_LIBURING
extern const urd__backend urd__uring;
#endif

/* The calling worker has a poller (NULL: a thread, which needs none) and descriptors are known: 0,
 * or why not. */
int urd__poller_need(urd__worker *self);

/* The name of the backend that a worker gets now; NULL: none can be had. */
const char *urd__poller_backend(urd_io io);

#endif
