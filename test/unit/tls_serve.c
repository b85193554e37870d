/*
 * tls_serve.c - TLS in a server: lines over it, and a descriptor that the server closes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tls_ends.h"

static urd_event stop;

static int answer_lines(urd_tls *t)
{
    char in[64], out[64], *line;
    urd_reader r;
    urd_writer w;
    int rc;
    urd_reader_init(&r, urd_tls_stream(t), in, sizeof in);
    urd_writer_init(&w, urd_tls_stream(t), out, sizeof out);
    while ((rc = urd_reader_read_line(&r, &line, NULL)) > 0) {
        CHECK_EQ(urd_writer_print(&w, "<%s>\n", line), 0);
        CHECK_EQ(urd_writer_flush(&w), 0);
    }
    return rc;
}

/* A first line without TLS; what comes after it in one piece is TLS. */
static int begin_and_answer(int fd, void *arg)
{
    char in[64], *line, *more;
    urd_reader r;
    urd_tls *t;
    urd_reader_init(&r, urd_stream_fd(fd), in, sizeof in);
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 1);
    CHECK_STR(line, "STARTTLS");
    CHECK_EQ(urd_tls_open(&t, arg, fd, NULL), 0);
    ssize_t n = urd_reader_peek(&r, 0, &more);
    if (n > 0)
        CHECK_EQ(urd_tls_unread(t, more, (size_t)n), 0);
    CHECK_EQ(answer_lines(t), 0);
    CHECK_EQ(urd_tls_detach(t), fd);
    return 0;
}

static int talk_to_server(void *arg)
{
    urd_tls *t;
    char got[16] = "", *line;
    urd_reader r;
    int fd = urd_tcp_dial("127.0.0.1", *(const int *)arg);
    CHECK_EQ(urd_write_all(fd, "STARTTLS\n", 9), 9);
    CHECK_EQ(urd_tls_open(&t, client_context, fd, "server.test"), 0);
    CHECK_EQ(urd_tls_write_all(t, "hello\nagain\n", 12), 12);
    CHECK_EQ(urd_tls_shutdown(t), 0);
    urd_reader_init(&r, urd_tls_stream(t), got, sizeof got);
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 1);
    CHECK_STR(line, "<hello>");
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 1);
    CHECK_STR(line, "<again>");
    CHECK_EQ(urd_reader_read_line(&r, &line, NULL), 0); /* it has said goodbye */
    CHECK_EQ(urd_tls_close(t), 0);
    urd_event_set(&stop);
    return 0;
}

static int served(void *arg)
{
    (void)arg;
    urd_address at;
    urd_scope s;
    int listener = urd_tcp_listen("127.0.0.1", 0, NULL);
    CHECK_EQ(urd_address_local(listener, &at), 0);
    int port = urd_address_port(&at);
    urd_serve_options options = {.stop = &stop, .grace_duration = URD_FOREVER};
    stop = (urd_event){0};
    urd_scope_open(&s);
    CHECK_EQ(urd_go(&s, talk_to_server, &port), 0);
    CHECK_EQ(urd_serve(&listener, 1, begin_and_answer, server_context, &options), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_server_begins_TLS_speaks_lines_and_leaves_the_descriptor)
{
    run_tls(served);
}

static int detached(void *arg)
{
    (void)arg;
    ends e;
    char got[8] = "";
    connect_ends(&e);
    CHECK_EQ(urd_tls_shutdown(e.here), 0);
    CHECK_EQ(urd_tls_read(e.there, got, sizeof got), 0);
    CHECK_EQ(urd_tls_shutdown(e.there), 0);
    CHECK_EQ(urd_tls_read(e.here, got, sizeof got), 0);
    int here = urd_tls_detach(e.here), there = urd_tls_detach(e.there);
    CHECK_EQ(urd_write_all(here, "plain", 5), 5);
    CHECK_EQ(urd_read(there, got, sizeof got), 5);
    CHECK_STR(got, "plain");
    CHECK_EQ(urd_close(here), 0);
    CHECK_EQ(urd_close(there), 0);
    return 0;
}

TEST(what_was_detached_goes_on_without_TLS)
{
    run_tls(detached);
}
