/*
 * idle_tls.c - how much memory does a connection of TLS take that does nothing?
 *
 * SPDX-License-Identifier: MIT
 *
 * Sketch: OpenSSL keeps some 15 KiB for a connection and its session, without buffers, which it
 * gives back.  Of the task's stack the handshake has touched more pages than a plain connection
 * does: three or four.
 * Floor: what OpenSSL has allocated, and a task that sleeps, 4170 bytes (bench sleepers).
 */
#include <openssl/ssl.h>

#include "idle.h"
#include "urd_tls.h"

static urd_tls_context *ours;

static void must(bool holds, const char *text)
{
    if (holds)
        return;
    perror(text);
    _exit(1);
}

/* In the process of the clients. */
static void *client_open(int fd)
{
    static SSL_CTX *context;
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    }
    SSL *ssl = SSL_new(context);
    must(ssl && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1, "SSL_connect");
    return ssl;
}

static void client_exchange(int fd, void *end, char *buf, size_t size)
{
    (void)fd;
    must(SSL_write(end, buf, (int)size) == (int)size, "SSL_write");
    for (size_t done = 0; done < size;) {
        int n = SSL_read(end, buf + done, (int)(size - done));
        must(n > 0, "SSL_read");
        done += (size_t)n;
    }
}

static int serve_one(int fd)
{
    urd_tls *t;
    char buf[BUF];
    ssize_t n;
    bench_must(urd_tls_open(&t, ours, fd, NULL), "urd_tls_open");
    bench_must(urd_tls_handshake(t), "urd_tls_handshake");
    came();
    while ((n = urd_tls_read(t, buf, sizeof buf)) > 0)
        if ((n = urd_tls_write_all(t, buf, (size_t)n)) < 0)
            break;
    urd_tls_detach(t);
    return (int)n;
}

int main(int argc, char **argv)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    must(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
    bench_must(urd_tls_context_open(&ours, URD_TLS_SERVER), "urd_tls_context_open");
    SSL_CTX *native = urd_tls_context_native(ours);
    must(SSL_CTX_use_cert_and_key(native, certificate, key, NULL, 1) == 1, "the certificate");
    with_heap = true;
    wanted = 5000; /* a handshake of both ends is a millisecond */
    return idle_main(argc, argv);
}
