/*
 * serve.h - accept connections, and run a job for each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SERVE_H
#define URD_SERVE_H

#include "urd/lock.h"
#include "urd/time.h"

URD_BEGIN_DECLS

/* One connection, as a task: fd is closed when it has returned, and must not be closed in it.  What
 * it returns below 0 ends nothing but this connection. */
typedef int urd_serve_fn(int fd, void *arg);

/* All zero: no limit, until the scope is cancelled, and then no grace. */
typedef struct urd_serve_options {
    int connections_max;     /* at once; 0: no limit.  Further ones wait, one for each listener as a
                                descriptor of ours, the others in the kernel */
    urd_event *stop;         /* accept no more once it is set; NULL: nothing but a cancel stops */
    urd_time grace_duration; /* from then, or from a cancel, for connections to end by themselves;
                                then they are cancelled.  0: at once; URD_FOREVER: never */
    bool compact;            /* connections are compact tasks; see urd_scope_compact */
    void (*on_error)(int error, void *arg); /* is told what fn returned below 0, but for a cancel;
                                and, once each time, what keeps it from accepting: -EMFILE,
                                -ENFILE, -ENOBUFS, -ENOMEM.  Must not wait; NULL: nobody is told */
    long reserved[4];                       /* zero */
} urd_serve_options;

/*
 * Accept at each of the n listening sockets, and run fn(fd, arg) for each connection, until told to
 * stop; then close the listeners, at once, so that nobody waits there in vain, and wait for the
 * connections.  The listeners are closed in any case when this returns, and must not be closed by
 * others.  options: NULL for the defaults.  Inside urd_run.
 *
 * While descriptors or memory are used up it pauses, for 5 ms, twice as long each time up to 1 s,
 * and goes on at once when a connection of its own has ended; those that come meanwhile wait.  A
 * connection for whose task there is no stack is closed as this ends.
 *
 * 0: `stop` was set, and all connections ended by themselves; -ETIMEDOUT: some had to be cancelled.
 * -ECANCELED: the scope around was cancelled, which reaches the connections when the grace is over.
 * -EINVAL: n is not above 0, or one does not listen; -ENOTSOCK, -EBADF, -EOPNOTSUPP: it is no such
 * socket; -ENOMEM: it could not start.  When one listener fails so, the others are stopped.
 */
int urd_serve(const int *listeners, int n, urd_serve_fn *fn, void *arg,
              const urd_serve_options *options) URD_MUST_USE;

URD_END_DECLS

#endif
