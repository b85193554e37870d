/*
 * forward.c - pass on what comes at a port to another, both ways.
 *
 * SPDX-License-Identifier: MIT
 *
 *     forward PORT HOST PORT         the first may be 0: any that is free
 *
 * A connection has two directions, each a task, and each ends by itself: when one side has said
 * all, the other is told so, and may go on answering.  An error of one direction ends both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <urd.h>

typedef struct target {
    const char *host;
    int port;
    int listen_port;
} target;

typedef struct direction {
    int from, to;
} direction;

static int pass_on(void *arg)
{
    const direction *d = arg;
    char buf[16384];
    ssize_t n;
    while ((n = urd_read(d->from, buf, sizeof buf)) > 0)
        if ((n = urd_write_all(d->to, buf, (size_t)n)) < 0)
            break;
    if (n < 0)
        return (int)n;
    int rc = urd_shutdown(d->to, SHUT_WR);
    return rc == -ENOTCONN ? 0 : rc; /* it has gone already */
}

static int forward(int fd, void *arg)
{
    const target *t = arg;
    int other = urd_tcp_dial(t->host, t->port);
    if (other < 0)
        return other;
    direction there = {fd, other}, back = {other, fd};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, pass_on, &there);
    urd_go(&s, pass_on, &back);
    int rc = urd_scope_join(&s);
    urd_close(other);
    return rc;
}

static void say_error(int error, void *unused)
{
    (void)unused;
    printf("a connection: %s\n", strerror(-error));
}

static int run(void *arg)
{
    target *t = arg;
    urd_address at;
    char text[URD_ADDRESS_TEXT_MAX];
    int listener = urd_tcp_listen("127.0.0.1", t->listen_port, NULL);
    int rc = listener < 0 ? listener : urd_address_local(listener, &at);
    if (rc == 0)
        rc = urd_address_text(&at, text, sizeof text);
    if (rc < 0)
        return rc;
    printf("listening at %s\n", text);
    urd_serve_options o = {.connections_max = 1000, .on_error = say_error};
    return urd_serve(&listener, 1, forward, t, &o);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: forward PORT HOST PORT\n");
        return 2;
    }
    target t = {.host = argv[2], .port = atoi(argv[3]), .listen_port = atoi(argv[1])};
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, run, &t);
    if (rc == -EINTR)
        puts("stopped");
    else if (rc < 0)
        fprintf(stderr, "forward: %s\n", strerror(-rc));
    return rc < 0 && rc != -EINTR;
}
