/*
 * backends.h - one job under each way to wait for I/O, on one worker and on several.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_BACKENDS_H
#define TEST_UNIT_BACKENDS_H

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/poller.h"
#include "runs.h"

/* With a virtual clock and seeds. */
static inline void run_io(uint64_t count, urd_fn *fn)
{
    static const urd_io backends[] = {URD_IO_EPOLL, URD_IO_URING};
    for (int i = 0; i < 4; i++) {
        urd_config config = {.workers = i / 2 ? WORKERS : 1,
                             .virtual_clock = true,
                             .processes = URD_PROCESSES_NONE,
                             .io = backends[i % 2]};
        if (!urd__poller_backend(config.io))
            continue; /* an old kernel, an emulator, or built without */
        TEST_SEEDS(test_under_slow_tool() ? count / 40 + 1 : count)
        {
            config.seed = test_seed();
            test_run_with(&config, fn, NULL);
        }
    }
}

/* Two connected ends. */
static inline void make_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static inline void close_pair(const int ends[2])
{
    CHECK_EQ(urd_close(ends[0]), 0);
    CHECK_EQ(urd_close(ends[1]), 0);
}

/* A socket that listens on a port of this machine that was free. */
static inline int listen_somewhere(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
    CHECK_EQ(listen(fd, 64), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)at, &size), 0);
    return fd;
}

static inline int connect_to(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(urd_connect(fd, (const struct sockaddr *)at, sizeof *at), 0);
    return fd;
}

/* A TCP connection: ours[0] was accepted, ours[1] connected. */
static inline void make_connection(int ours[2])
{
    struct sockaddr_in at;
    int listener = listen_somewhere(&at);
    ours[1] = connect_to(&at);
    ours[0] = urd_accept(listener, NULL, NULL);
    CHECK_GE(ours[0], 0);
    CHECK_EQ(urd_close(listener), 0);
}

/* Start fn(arg) as a task and as a thread, one after the other. */
static inline void as_both(urd_fn *fn, void *arg, urd_fn *beside, void *beside_arg)
{
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, fn, arg, 0), 0);
        if (beside)
            CHECK_EQ(urd_go(&s, beside, beside_arg), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
}

#endif
