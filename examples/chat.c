/*
 * chat.c - a room: what one says, all others read.
 *
 * SPDX-License-Identifier: MIT
 *
 *     chat [PORT]                    any port that is free; then, for example, `nc 127.0.0.1 PORT`
 *
 * The first line is a name.  Each guest has two tasks: one reads what the guest says and gives it
 * to the room, the other writes what the room says.  The room is a broadcast that loses: a guest
 * who does not read misses lines, is told how many, and holds up nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urd.h>

enum { LINE_MAX_BYTES = 200, NAME_MAX_BYTES = 20, LINES_KEPT = 64 };

typedef struct said {
    const void *by; /* who need not be told */
    char line[NAME_MAX_BYTES + LINE_MAX_BYTES + 8];
} said;

typedef struct guest {
    int fd;
    char name[NAME_MAX_BYTES + 1];
    urd_subscriber hears;
} guest;

static urd_broadcast room;
static said kept[LINES_KEPT];

/* To all, or to all but who says it. */
static int announce(const guest *g, const char *does)
{
    said s = {.by = NULL};
    snprintf(s.line, sizeof s.line, "* %s %s", g->name, does);
    return urd_broadcast_send(&room, &s);
}

static int say(const guest *g, const char *text)
{
    said s = {.by = g};
    snprintf(s.line, sizeof s.line, "%s: %s", g->name, text);
    return urd_broadcast_send(&room, &s);
}

static int write_what_is_said(void *arg)
{
    guest *g = arg;
    char out[1024];
    said s;
    int missed, rc = 0;
    urd_writer w;
    urd_writer_init(&w, urd_stream_fd(g->fd), out, sizeof out);
    while (rc == 0 && (missed = urd_subscriber_recv(&g->hears, &s)) >= 0) {
        if (missed > 0)
            rc = urd_writer_print(&w, "(you missed %d lines)\n", missed);
        if (rc == 0 && s.by != g)
            rc = urd_writer_print(&w, "%s\n", s.line);
        if (rc == 0)
            rc = urd_writer_flush(&w);
    }
    return rc;
}

/* A guest's lines, to the end. */
static int listen_to(guest *g, urd_reader *r)
{
    char *line;
    int rc = announce(g, "comes in");
    while (rc == 0 && (rc = urd_reader_read_line(r, &line, NULL)) > 0)
        rc = say(g, line);
    return rc;
}

static int receive(int fd, void *unused)
{
    (void)unused;
    char in[LINE_MAX_BYTES], *name;
    guest g = {.fd = fd};
    urd_reader r;
    urd_reader_init(&r, urd_stream_fd(fd), in, sizeof in);
    int rc = urd_reader_read_line(&r, &name, NULL);
    if (rc <= 0)
        return rc;
    snprintf(g.name, sizeof g.name, "%s", name);
    urd_subscriber_open(&g.hears, &room);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, write_what_is_said, &g);
    rc = listen_to(&g, &r);
    urd_scope_cancel(&s, rc < 0 ? rc : -ESHUTDOWN);
    int writer = urd_scope_join(&s);
    urd_subscriber_close(&g.hears);
    if (announce(&g, "goes") < 0)
        return -ECANCELED;
    return writer == -ESHUTDOWN || writer == -EPIPE || writer == -ECONNRESET ? 0 : writer;
}

static void say_error(int error, void *unused)
{
    (void)unused;
    printf("a guest: %s\n", strerror(-error));
}

static int run(void *port)
{
    urd_address at;
    char text[URD_ADDRESS_TEXT_MAX];
    int listener = urd_tcp_listen("127.0.0.1", *(int *)port, NULL);
    int rc = listener < 0 ? listener : urd_address_local(listener, &at);
    if (rc == 0)
        rc = urd_address_text(&at, text, sizeof text);
    if (rc < 0)
        return rc;
    printf("listening at %s\n", text);
    urd_broadcast_init_lossy(&room, sizeof(said), kept, LINES_KEPT);
    rc = urd_serve(&listener, 1, receive, NULL, &(urd_serve_options){.on_error = say_error});
    urd_broadcast_fini(&room);
    return rc;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, run, &port);
    if (rc == -EINTR)
        puts("stopped");
    else if (rc < 0)
        fprintf(stderr, "chat: %s\n", strerror(-rc));
    return rc < 0 && rc != -EINTR;
}
