/*
 * churn.c - plain connections come and go, and nothing of them stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "churn.h"

static int wire_open(wire *w, int fd, bool server)
{
    (void)server;
    *w = (wire){.fd = fd, .stream = urd_stream_fd(fd)};
    return 0;
}

static void wire_close(wire *w)
{
    (void)w;
}

static int wire_shut(wire *w)
{
    return urd_shutdown(w->fd, SHUT_WR);
}

TEST(connections_leave_nothing_behind_by_epoll)
{
    clients_of_a_round = 200;
    churn_by(URD_IO_EPOLL);
}

TEST(connections_leave_nothing_behind_by_io_uring)
{
    clients_of_a_round = 200;
    churn_by(URD_IO_URING);
}
