/*
 * churn_tls.c - connections of TLS come and go, and nothing of them stays.
 *
 * SPDX-License-Identifier: MIT
 *
 * CERTIFICATES is the folder in which test/tls/certificates.sh has put some.
 */
#include "churn.h"
#include "urd_tls.h"

static urd_tls_context *contexts[2]; /* of clients, of the server */

static int wire_open(wire *w, int fd, bool server)
{
    urd_tls *t;
    int rc = urd_tls_open(&t, contexts[server], fd, server ? NULL : "server.test");
    if (rc == 0)
        *w = (wire){.fd = fd, .stream = urd_tls_stream(t), .more = t};
    return rc;
}

static void wire_close(wire *w)
{
    CHECK_EQ(urd_tls_detach(w->more), w->fd);
}

static int wire_shut(wire *w)
{
    return urd_tls_shutdown(w->more);
}

static void churn_tls_by(urd_io io)
{
    clients_of_a_round = test_under_slow_tool() ? 20 : 60;
    heap_slack = 2 << 20; /* what malloc keeps for a thread counts as used: 7 of each small size */
    CHECK_EQ(urd_tls_context_open(&contexts[0], URD_TLS_CLIENT), 0);
    CHECK_EQ(urd_tls_context_trust(contexts[0], CERTIFICATES "/ca.pem"), 0);
    CHECK_EQ(urd_tls_context_open(&contexts[1], URD_TLS_SERVER), 0);
    CHECK_EQ(urd_tls_context_certificate(contexts[1], CERTIFICATES "/server.pem",
                                         CERTIFICATES "/server.key"),
             0);
    churn_by(io);
    urd_tls_context_close(contexts[0]);
    urd_tls_context_close(contexts[1]);
}

TEST(connections_of_tls_leave_nothing_behind_by_epoll)
{
    churn_tls_by(URD_IO_EPOLL);
}

TEST(connections_of_tls_leave_nothing_behind_by_io_uring)
{
    churn_tls_by(URD_IO_URING);
}
