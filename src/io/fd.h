/*
 * fd.h - wait until a descriptor is ready, and close it under those who wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_IO_FD_H
#define URD_IO_FD_H

#include <poll.h>

#include "core/wait.h"

enum {
    /* It was made here, and ends in urd_close(): no stranger can have its number meanwhile. */
    URD__FD_OURS = 1,
    /* A TCP connection: who reads less than he asked for has taken all there was. */
    URD__FD_TCP = 2,
    /* The poller told of its end, which it does once, perhaps together with the last bytes. */
    URD__FD_ENDS = 4,
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

/* One wait, on the waiter's stack. */
typedef struct urd__fd_wait {
    urd__waiter waiter; /* result: -ECANCELED if the descriptor was closed */
    int number;
    short events;
    bool armed;      /* of the backend: the kernel knows of this wait */
    urd__worker *at; /* whose poller is to end it; NULL: a thread, which polls itself */
} urd__fd_wait;

/* One call on a descriptor. */
typedef struct urd__fd_use {
    urd__task *self;
    urd__fd *fd; /* NULL: no runtime; nothing is known */
    int number;
    bool waited; /* counted in fd->inside */
} urd__fd_use;

/* The cancel point: 0, -ECANCELED.  To be ended, once it has returned 0. */
int urd__fd_begin(urd__fd_use *use, int number);
void urd__fd_end(urd__fd_use *use);

/* Wait until one of the events may hold.  0, -ECANCELED, or why there is no poller. */
int urd__fd_await(urd__fd_use *use, short events);

/* A descriptor was made here. */
void urd__fd_made(int number, unsigned flags);

/* Is all that came from it read, so that a try would fail? */
bool urd__fd_drained(const urd__fd_use *use);
/* Such a number before a read; and after one that took all. */
unsigned urd__fd_edges(const urd__fd_use *use);
void urd__fd_set_drained(const urd__fd_use *use, unsigned edges);

/* For backends: these hold.  A change that nobody waited for is kept if it is told only once. */
void urd__fd_ready(int number, short events);
void urd__fd_ready_one(urd__fd_wait *wait);

/* Wake all who wait, and let the poller forget it.  When this returns, the number may be closed. */
void urd__fd_retire(int number);

/* Virtual time: is nothing on its way to those who wait?  See urd__io_ops. */
bool urd__fds_quiet(void);

/* Of the runtime that runs; nothing is kept afterwards. */
int urd__fds_open(void);
void urd__fds_close(void);

#endif
