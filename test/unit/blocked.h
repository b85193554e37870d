/*
 * blocked.h - programs that are linked with liburdume-blocking: jobs and what they call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_BLOCKED_H
#define TEST_UNIT_BLOCKED_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

/* By both ways to wait for I/O, on one worker and on two, or half of that under a slow tool; where
 * nothing else of the runtime is known than urd.h. */
static inline void run_blocked_by(urd_fn *fn, bool virtual_clock)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_AUTO};
    for (int i = 0; i < 4; i += test_under_slow_tool() ? 3 : 1) {
        urd_config config = {.workers = i / 2 + 1,
                             .virtual_clock = virtual_clock,
                             .seed = (uint64_t)i + 1,
                             .processes = URD_PROCESSES_NONE,
                             .io = backends[i % 2]};
        test_run_with(&config, fn, NULL);
    }
}

static inline void run_blocked(urd_fn *fn)
{
    run_blocked_by(fn, true);
}

/* With threads that sleep in the kernel, for which virtual time would wait. */
static inline void run_blocked_really(urd_fn *fn)
{
    run_blocked_by(fn, false);
}

static inline void socket_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* Both run as tasks of a scope, the first one first. */
static inline void together(urd_fn *first, urd_fn *second, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, second, arg), 0); /* the newest begins first */
    CHECK_EQ(urd_go(&s, first, arg), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
}

/* fn(arg) in a scope that is cancelled after 1 s. */
static inline int cancelled_after_1s(urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    int rc = fn(arg);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return rc;
}

#endif
