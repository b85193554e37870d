/*
 * fd.h - wait until a descriptor is ready, and close it under those who wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_IO_FD_H
#define URD_IO_FD_H

#include <poll.h>

#include "base/atomic.h"
#include "core/wait.h"

enum {
    /* It was made here, and ends in urd_close(): no stranger can have its number meanwhile. */
    URD__FD_OURS = 1,
    /* A TCP connection: who reads less than he asked for has taken all there was. */
    URD__FD_TCP = 2,
    /* The poller told of its end, which it does once, perhaps together with the last bytes; or of
     * urgent data, at which a read ends although more follows. */
    URD__FD_ENDS = 4,
    /* It was opened by its name, so it is no socket. */
    URD__FD_FILE = 8,
};

/* What is known of a descriptor, by its number; all zero at first. */
typedef struct urd__fd {
    int lock;
    unsigned flags;          /* atomic, written under lock */
    unsigned edges;          /* atomic: changes the poller told of */
    unsigned drained;        /* atomic: edges + 1 as they were before all was read; 0: not so */
    short ready;             /* under lock: changes that nobody waited for */
    bool closing;            /* under lock */
    int inside;              /* under lock: calls that wait, or have waited */
    urd__worker *at;         /* under lock: whose poller was told of it last */
    urd__link waits;         /* under lock */
    struct urd__fd_wait *by; /* under lock: who closes it, and waits for `inside` to be 0 */
} urd__fd;

/* One wait, on the waiter's stack or in its urd_op; in urd/base.h. */
typedef struct urd__fd_wait urd__fd_wait;

/* One call on a descriptor. */
typedef struct urd__fd_use {
    urd__task *self;
    urd__fd *fd; /* NULL: no runtime; nothing is known */
    int number;
    unsigned edges; /* as they were before the last try */
    bool inside;    /* counted in fd->inside */
} urd__fd_use;

/* The cancel point: 0, -ECANCELED. */
int urd__fd_point(urd__task *self);
/* The same, for a descriptor.  To be ended, once it has returned 0. */
int urd__fd_begin(urd__fd_use *use, int number);
void urd__fd_end(urd__fd_use *use);

/* Closing waits for the end of this use.  0; -ECANCELED: it is being closed. */
int urd__fd_stay(urd__fd_use *use);

/* Which of the events hold now, and POLLERR, POLLHUP; -EAGAIN: none; -EBADF. */
int urd__fd_holding(int number, short events);

/* Wait until one of the events may hold.  0, -ECANCELED, or why there is no poller. */
int urd__fd_await(urd__fd_use *use, short events);

/*
 * For arms of a select.  find: NULL, nothing is known of it.  enter, leave: of a wait, as
 * urd__arm_ops has them; *inside is whether its user counts as inside, which he does until exit.
 * watch: from here to unwatch the thread's waits end also when polled->fd is ready; it has fd and
 * events set.  0, or -errno.
 */
urd__fd *urd__fd_find(int number);
int urd__fd_enter(urd__task *self, urd__fd *fd, urd__fd_wait *wait, bool *inside);
void urd__fd_leave(urd__task *self, urd__fd *fd, urd__fd_wait *wait);
void urd__fd_exit(urd__fd *fd);
int urd__fd_watch(urd__task *self, urd__polled *polled);
void urd__fd_unwatch(urd__task *self, urd__polled *polled);

/* A descriptor was made here. */
void urd__fd_made(int number, unsigned flags);
bool urd__fd_is_ours(int number);

/* What is known of it: a set of URD__FD_... */
unsigned urd__fd_flags(const urd__fd_use *use);

/* Is all that came from it read, so that a try would fail?  And: the last try has read it all. */
bool urd__fd_drained(const urd__fd_use *use);
void urd__fd_set_drained(const urd__fd_use *use);

/* Changes so far that the poller told of: what came before a try need not be waited for. */
static inline unsigned urd__fd_edges(const urd__fd *fd)
{
    return fd ? urd__load_acq(&fd->edges) : 0; /* [edges] */
}

/* For backends: these hold.  A change that nobody waited for is kept if it is told only once. */
void urd__fd_ready(int number, short events); /* which is no more armed, unless it is ours */
void urd__fd_ready_one(urd__fd_wait *wait);
/* It will be told next: what that reads is brought into the cache meanwhile. */
void urd__fd_ready_soon(const urd__fd_wait *wait);

/* Wake all who wait, and let the poller forget it.  When this returns, the number may be closed. */
void urd__fd_retire(int number);

/* Virtual time: is nothing on its way to those who wait?  See urd__io_ops. */
bool urd__fds_quiet(void);

/* Of the runtime that runs; nothing is kept afterwards. */
int urd__fds_open(void);
void urd__fds_close(void);

#endif
