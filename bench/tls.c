/*
 * tls.c - what does a TLS echo cost the server, beside a bare loop of OpenSSL over epoll?
 *
 * SPDX-License-Identifier: MIT
 *
 *     bench_tls [ROUNDS]
 *
 * 64 connections, each with one message under way; the server on one processor, the load on the
 * other.  Processor time of the server for each message, from its first message on.
 *
 * Sketch: a message of 64 bytes is two system calls of 2 us, and 1 us of OpenSSL at most; ours adds
 * a switch, a copy and some locks that nobody holds, 0.2 us; and it reads a record by one call, as
 * the loop does with read-ahead, not by two.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "urd_tls.h"

#include <openssl/ssl.h>

enum { CONNECTIONS = 64, MESSAGE_MAX = 16384 };

static SSL_CTX *context; /* of the loop, or of the load */
static X509 *certificate;
static EVP_PKEY *key;
static int listener, size;
static long messages; /* in all */

/* ---- Processor time -------------------------------------------------------------------------- */

static long served;
static double started;

static double used_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The handshakes are over when there were as many messages as connections, or nearly so. */
static void count(void)
{
    served++;
    if (served == CONNECTIONS)
        started = used_us();
}

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static SSL *connection[1024];
static char message[MESSAGE_MAX];

/* Nothing has come, or it could not be sent whole: neither is the case with one message a time. */
static int whole(int n)
{
    return n == size ? 0 : -1;
}

static void prepare(int fd)
{
    bench_must(fd, "socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void watch(int set, int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    bench_must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/* Read what there is: how much, or 0 for now. */
static int try_read(SSL *ssl, int at)
{
    int n = SSL_read(ssl, message + at, size - at);
    if (n <= 0 && SSL_get_error(ssl, n) == SSL_ERROR_WANT_READ)
        return 0;
    return n > 0 ? n : -1;
}

/* Answer what there is, which may be a part of a message.  -1: the end. */
static int answer(int fd)
{
    static int done[1024];
    int got;
    ERR_clear_error();
    while ((got = try_read(connection[fd], 0)) > 0) {
        bench_must(SSL_write(connection[fd], message, got) == got ? 0 : -1, "SSL_write");
        done[fd] += got;
        for (; done[fd] >= size; done[fd] -= size)
            count();
        if (!SSL_has_pending(connection[fd]))
            return 0;
    }
    return got;
}

static void serve_bare(void)
{
    struct epoll_event events[CONNECTIONS];
    int set = epoll_create1(0), open = 0;
    while (open < CONNECTIONS) {
        int fd = accept(listener, NULL, NULL);
        prepare(fd);
        SSL *ssl = connection[fd] = SSL_new(context);
        SSL_set_fd(ssl, fd);
        bench_must(SSL_accept(ssl) == 1 ? 0 : -1, "SSL_accept");
        watch(set, fd);
        open++;
        answer(fd); /* what was read ahead, no event will tell of */
    }
    while (open > 0) {
        int n = epoll_wait(set, events, CONNECTIONS, -1);
        for (int i = 0; i < n; i++)
            if (answer(events[i].data.fd) < 0) {
                close(events[i].data.fd);
                open--;
            }
    }
}

/* ---- Ours ------------------------------------------------------------------------------------ */

static urd_tls_context *ours;

static int echo(void *arg)
{
    urd_tls *t;
    char some[MESSAGE_MAX];
    bench_must(urd_tls_open(&t, ours, *(int *)arg, NULL), "urd_tls_open");
    ssize_t n;
    for (int done = 0; (n = urd_tls_read(t, some, (size_t)size)) > 0;) {
        bench_must(urd_tls_write_all(t, some, (size_t)n) == n ? 0 : -1, "urd_tls_write_all");
        for (done += (int)n; done >= size; done -= size)
            count();
    }
    urd_tls_close(t);
    return 0;
}

static int serve_ours(void *unused)
{
    (void)unused;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = urd_accept(listener, NULL, NULL);
        prepare(fd);
        bench_must(urd_go_copy(&s, echo, &fd, sizeof fd), "urd_go_copy");
    }
    return urd_scope_join(&s);
}

static void serve_by_tasks(void)
{
    urd_config config = {.workers = 1, .processes = URD_PROCESSES_NONE, .stack_bytes = 131072};
    bench_must(urd_tls_context_open(&ours, URD_TLS_SERVER), "urd_tls_context_open");
    SSL_CTX *native = urd_tls_context_native(ours);
    bench_must(SSL_CTX_use_cert_and_key(native, certificate, key, NULL, 1) - 1, "certificate");
    bench_must(urd_run(&config, serve_ours, NULL), "urd_run");
}

/* ---- The load -------------------------------------------------------------------------------- */

static void send_one(SSL *ssl)
{
    bench_must(whole(SSL_write(ssl, message, size)), "SSL_write");
}

static void load(const struct sockaddr_in *at)
{
    struct epoll_event events[CONNECTIONS];
    int set = epoll_create1(0), got[1024] = {0}, fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        prepare(fd);
        bench_must(connect(fd, (const struct sockaddr *)at, sizeof *at), "connect");
        connection[fd] = SSL_new(context);
        SSL_set_fd(connection[fd], fd);
        bench_must(SSL_connect(connection[fd]) == 1 ? 0 : -1, "SSL_connect");
        watch(set, fd);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        send_one(connection[fds[i]]);
    for (long sent = CONNECTIONS, answered = 0; answered < messages;) {
        int n = epoll_wait(set, events, CONNECTIONS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, more;
            ERR_clear_error();
            while ((more = try_read(connection[fd], got[fd])) > 0 && (got[fd] += more) < size)
                ;
            bench_must(more, "SSL_read");
            if (got[fd] < size)
                continue;
            got[fd] = 0;
            answered++;
            if (sent++ < messages)
                send_one(connection[fd]);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        SSL_shutdown(connection[fds[i]]);
        SSL_free(connection[fds[i]]);
        close(fds[i]);
    }
    close(set);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static SSL_CTX *make_context(const SSL_METHOD *method, int read_ahead)
{
    SSL_CTX *c = SSL_CTX_new(method);
    bench_must(c ? 0 : -1, "SSL_CTX_new");
    SSL_CTX_set_read_ahead(c, read_ahead);
    SSL_CTX_use_cert_and_key(c, certificate, key, NULL, 1);
    return c;
}

static void make_certificate(void)
{
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    bench_must(X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -1, "X509_sign");
}

typedef struct variant {
    const char *name;
    bool tasks;
    int read_ahead;
    double best_us;
} variant;

static double run_one(const variant *v)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int results[2];
    double us;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(bind(listener, (struct sockaddr *)&at, sizeof at), "bind");
    bench_must(listen(listener, CONNECTIONS), "listen");
    bench_must(getsockname(listener, (struct sockaddr *)&at, &length), "getsockname");
    bench_must(pipe(results), "pipe");
    pid_t child = fork();
    if (child == 0) {
        pin(0);
        context = make_context(TLS_server_method(), v->read_ahead);
        if (v->tasks)
            serve_by_tasks();
        else
            serve_bare();
        us = (used_us() - started) / (double)(served - CONNECTIONS + 1);
        _exit(write(results[1], &us, sizeof us) != sizeof us);
    }
    pin(1);
    context = make_context(TLS_client_method(), 1);
    load(&at);
    SSL_CTX_free(context);
    bench_must(read(results[0], &us, sizeof us) == sizeof us ? 0 : -1, "the server");
    waitpid(child, NULL, 0);
    close(results[0]);
    close(results[1]);
    close(listener);
    return us;
}

static void run_size(int bytes, long n, int rounds)
{
    variant variants[] = {{"a loop of OpenSSL, with read-ahead", false, 1, 0},
                          {"the same without", false, 0, 0},
                          {"urd_tls, a task for each", true, 0, 0}};
    size = bytes;
    messages = n;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 3; i++) {
            double us = run_one(&variants[i]);
            if (round == 0 || us < variants[i].best_us)
                variants[i].best_us = us;
        }
    printf("messages of %d bytes, us of the server for each\n", bytes);
    for (int i = 0; i < 3; i++)
        printf("%-44s %8.2f us   %6.2f x\n", variants[i].name, variants[i].best_us,
               variants[i].best_us / variants[0].best_us);
}

int main(int argc, char **argv)
{
    int rounds = bench_rounds(argc, argv);
    make_certificate();
    run_size(64, rounds == 1 ? 2000 : 100000, rounds);
    run_size(MESSAGE_MAX, rounds == 1 ? 500 : 20000, rounds);
    return 0;
}
