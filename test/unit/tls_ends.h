/*
 * tls_ends.h - a client and a server, connected, each with a context of its own.
 *
 * SPDX-License-Identifier: MIT
 *
 * CERTIFICATES is the folder in which test/tls/certificates.sh has put some.
 */
#ifndef TEST_UNIT_TLS_ENDS_H
#define TEST_UNIT_TLS_ENDS_H

#include "backends.h"
#include "tls/tls.h"

#define PEM(name) CERTIFICATES "/" name ".pem"
#define KEY(name) CERTIFICATES "/" name ".key"

static urd_tls_context *client_context, *server_context;

/* What the other end does is in `there`. */
typedef struct ends {
    urd_tls *here, *there; /* a client, its server */
    int there_rc;
} ends;

static inline void open_contexts(const char *pem, const char *key)
{
    CHECK_EQ(urd_tls_context_open(&client_context, URD_TLS_CLIENT), 0);
    CHECK_EQ(urd_tls_context_trust(client_context, PEM("ca")), 0);
    CHECK_EQ(urd_tls_context_open(&server_context, URD_TLS_SERVER), 0);
    CHECK_EQ(urd_tls_context_certificate(server_context, pem, key), 0);
}

static inline void close_contexts(void)
{
    urd_tls_context_close(client_context);
    urd_tls_context_close(server_context);
}

static inline void open_ends(ends *e, const char *host)
{
    int pair[2];
    make_pair(pair);
    CHECK_EQ(urd_tls_open(&e->here, client_context, pair[0], host), 0);
    CHECK_EQ(urd_tls_open(&e->there, server_context, pair[1], NULL), 0);
}

static inline int shake_there(void *arg)
{
    ends *e = arg;
    e->there_rc = urd_tls_handshake(e->there);
    return 0;
}

/* The handshake of both; what it came to here, the other is in there_rc. */
static inline int shake_ends(ends *e)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, shake_there, e), 0);
    int rc = urd_tls_handshake(e->here);
    CHECK_EQ(urd_scope_join(&s), 0);
    return rc;
}

static inline void connect_ends(ends *e)
{
    open_ends(e, "server.test");
    CHECK_EQ(shake_ends(e), 0);
    CHECK_EQ(e->there_rc, 0);
}

static inline void close_ends(const ends *e)
{
    CHECK_EQ(urd_tls_close(e->here), 0);
    CHECK_EQ(urd_tls_close(e->there), 0);
}

/* The text arrives, and alone. */
static inline void check_sent(urd_tls *from, urd_tls *to, const char *text)
{
    char got[64] = "";
    ssize_t n = (ssize_t)strlen(text);
    CHECK_EQ(urd_tls_write_all(from, text, (size_t)n), n);
    CHECK_EQ(urd_tls_read(to, got, sizeof got - 1), n);
    CHECK_STR(got, text);
}

/* On several workers, with a virtual clock. */
static inline void run_tls(urd_fn *fn)
{
    open_contexts(PEM("server"), KEY("server"));
    test_run_workers(2, fn);
    close_contexts();
}

#endif
