/*
 * urd_tls.h - TLS on a connection: encrypted, and with the other end known by its certificate.
 *
 * SPDX-License-Identifier: MIT
 *
 * A library of its own, on OpenSSL 3: `pkg-config --libs urdume-tls`, in CMake urdume::tls.
 *
 *     urd_tls_context *c;
 *     urd_tls *t;
 *     int rc = urd_tls_context_open(&c, URD_TLS_CLIENT);
 *     rc = urd_tls_dial(&t, c, "example.org", 443);
 *     n = urd_tls_write_all(t, request, size);     the first call shakes hands
 *     n = urd_tls_read(t, buf, sizeof buf);        0: the end, as the other end said itself
 *     ... n < 0: urd_tls_reason(t): "certificate of example.org: certificate has expired, ..."
 *     urd_tls_close(t);
 *
 * A client verifies the server, chain and name, unless told otherwise.  TLS 1.2 and 1.3; no
 * renegotiation and no compression.
 *
 * Errors of all calls that wait, besides those of the descriptor:
 *   -EKEYREJECTED   a certificate was refused, at this end or at the other
 *   -EPROTO         the other end does not keep to TLS, or there is no version, cipher or protocol
 *                   that both have
 *   -ECONNABORTED   the connection ended and the other end had not said so: what came may be cut
 *                   short, by anybody
 *   -ENOMEM         OpenSSL allocates, these calls too
 * urd_tls_reason says more.  All but -ECANCELED are for good.
 */
#ifndef URD_TLS_H
#define URD_TLS_H

#include "urd.h"

/* Of OpenSSL: SSL and SSL_CTX. */
struct ssl_st;
struct ssl_ctx_st;

URD_BEGIN_DECLS

/* ---- What connections share: whom to trust, certificates, sessions ---- */

typedef struct urd_tls_context urd_tls_context;

typedef enum urd_tls_side { URD_TLS_CLIENT, URD_TLS_SERVER } urd_tls_side;

/*
 * Set up first, by one job, then used by any number of tasks and threads, and closed after all
 * connections.  Nothing here waits, except for the disk.  0; -ENOMEM; what open(2) says of the file
 * that SSLKEYLOGFILE names, to which the keys of all connections are then written.
 */
int urd_tls_context_open(urd_tls_context **out, urd_tls_side side) URD_MUST_USE;
void urd_tls_context_close(urd_tls_context *c); /* NULL: does nothing */

/* Of the calls below, after an error: what was wrong.  Until the next of them. */
const char *urd_tls_context_reason(const urd_tls_context *c);

/*
 * The own certificate: PEM files, the one with the certificate and those between it and the root,
 * in this order; the other with its key.  A server needs one.  It may have several: each connection
 * gets the first that is made out to the host the client asks for, or else the first of all.
 * 0; what open(2) says; -EKEYREJECTED: the files do not hold that, or not of each other; -ENOMEM.
 */
int urd_tls_context_certificate(urd_tls_context *c, const char *chain, const char *key)
    URD_MUST_USE;

/* Trust the certificates in a PEM file, in place of those the system trusts.  Errors: as above. */
int urd_tls_context_trust(urd_tls_context *c, const char *file) URD_MUST_USE;

/*
 * Whether the other end must show a certificate from somebody who is trusted: by default for a
 * client, true; for a server, false.  A client that does not verify talks to anybody, who may be
 * in the middle.
 */
void urd_tls_context_verify(urd_tls_context *c, bool verify);

/*
 * Protocols for ALPN, best first: "h2,http/1.1".  A server takes the first of its own that the
 * client has, and refuses one that asks for others only.  0; -EINVAL; -ENOMEM.
 */
int urd_tls_context_protocols(urd_tls_context *c, const char *names) URD_MUST_USE;

/* Append the keys of all connections to a file, for Wireshark: whoever reads it can read them. */
int urd_tls_context_key_log(urd_tls_context *c, const char *file) URD_MUST_USE;

/* For all that is not here, before the first connection. */
struct ssl_ctx_st *urd_tls_context_native(urd_tls_context *c);

/* ---- A connection ---- */

typedef struct urd_tls urd_tls;

/*
 * TLS on a connected stream socket; it may have been used before (STARTTLS).  host: a client
 * verifies that the certificate is made out to this name or address, and asks for it (SNI); NULL on
 * a server.  0, and from now on the descriptor is used by nobody else, and closed by urd_tls_close;
 * -EINVAL: no host, and it is to be verified; -ENOMEM.  Does not wait.
 */
int urd_tls_open(urd_tls **out, urd_tls_context *c, int fd, const char *host) URD_MUST_USE;

/* urd_tcp_dial, and this.  Waits for the connection, and not for the handshake. */
int urd_tls_dial(urd_tls **out, urd_tls_context *c, const char *host, int port) URD_MUST_USE;

/* What was read from the descriptor already and belongs to TLS.  Before the handshake, or -EINVAL;
 * -ENOMEM. */
int urd_tls_unread(urd_tls *t, const void *bytes, size_t size) URD_MUST_USE;

/*
 * Any number of tasks and threads may use one connection: those that read take turns, and those
 * that write, and the ones do not wait for the others.  Calls that wait are cancel points.
 *
 * The handshake: the first call that needs it makes it.  After -ECANCELED it goes on with the next.
 */
int urd_tls_handshake(urd_tls *t) URD_MUST_USE;

/* As urd_read.  0: the other end has said that no more will come. */
ssize_t urd_tls_read(urd_tls *t, void *buf, size_t size) URD_MUST_USE;

/*
 * As urd_write: bytes written, which may be fewer than given; -ECANCELED: none were.  What it has
 * begun to send counts as written; if a cancel comes then, the rest goes first with the next call.
 * -EPIPE after urd_tls_shutdown.
 */
ssize_t urd_tls_write(urd_tls *t, const void *buf, size_t size) URD_MUST_USE;
ssize_t urd_tls_write_all(urd_tls *t, const void *buf, size_t size) URD_MUST_USE;

/* Say that no more will be written: the other end reads 0.  Reading goes on.  Waits until all is
 * sent.  0, -errno. */
int urd_tls_shutdown(urd_tls *t) URD_MUST_USE;

/*
 * Close, the descriptor too, when nobody uses the connection any more.  Tells the other end, unless
 * that would wait, which it does only if the other end does not take what was written.  NULL: does
 * nothing.  No cancel point.  What urd_close returns.
 */
int urd_tls_close(urd_tls *t);

/*
 * The same, and the descriptor, which is returned, stays open: for who closes it, as urd_serve
 * does, or goes on without TLS.  The latter only after both ends have said that no more will come
 * (urd_tls_shutdown, and a read of 0).
 */
int urd_tls_detach(urd_tls *t);

/* For the readers and writers of stream.h, until it is closed: urd_tls_read, urd_tls_write. */
urd_stream urd_tls_stream(urd_tls *t);

/* Why the connection failed, in words; "": it has not.  Until it is closed. */
const char *urd_tls_reason(const urd_tls *t);

/* After the handshake.  Text lives as long as the connection. */
const char *urd_tls_version(const urd_tls *t);  /* "TLSv1.3" */
const char *urd_tls_protocol(const urd_tls *t); /* what ALPN has chosen, or "" */
const char *urd_tls_host(const urd_tls *t);     /* that the client has asked for, or "" */
bool urd_tls_resumed(const urd_tls *t);         /* without certificates, by an earlier session */

int urd_tls_fd(const urd_tls *t);
/* For all that is not here and neither reads nor writes, while nobody else uses the connection. */
struct ssl_st *urd_tls_native(const urd_tls *t);

URD_END_DECLS

#endif
