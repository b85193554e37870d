/*
 * ours_net.c - our side of the comparison with other runtimes: connections, and HTTP over them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/tcp.h>

#include "ours.h"
#include "peers/peer_net.h"

/* ---- Echo, and connections that are closed at once ------------------------------------------- */

static int serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[4096];
    ssize_t n;
    while ((n = urd_read(fd, buffer, sizeof buffer)) > 0)
        if (urd_write_all(fd, buffer, (size_t)n) < 0)
            break;
    return urd_close(fd);
}

static int measure_echo(void *arg)
{
    (void)arg;
    int listener = peer_listen(0), on = 1;
    urd_scope s;
    urd_scope_open(&s);
    for (int fd; (fd = urd_accept(listener, NULL, NULL)) >= 0;) {
        peer_must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
        urd_go(&s, serve, (void *)(intptr_t)fd);
    }
    return urd_scope_join(&s);
}

static int close_one(void *arg)
{
    return urd_close((int)(intptr_t)arg);
}

static int measure_accept(void *arg)
{
    (void)arg;
    int listener = peer_listen(0);
    urd_scope s;
    urd_scope_open(&s);
    for (int fd; (fd = urd_accept(listener, NULL, NULL)) >= 0;)
        urd_go(&s, close_one, (void *)(intptr_t)fd);
    return urd_scope_join(&s);
}

/* ---- HTTP: a word, and the files of a folder ------------------------------------------------- */

#if __has_include(<http_parser.h>)
#include <fcntl.h>
#include <http_parser.h>

enum { PATH_BYTES = 256, IN_BYTES = 4096, OUT_BYTES = 8192 };
static const urd_time PATIENCE = 75 * URD_SECOND; /* nginx's */

typedef struct request {
    char path[PATH_BYTES];
    size_t length;
    bool complete, keep;
} request;

static int on_url(http_parser *p, const char *at, size_t length)
{
    request *r = p->data;
    if (length >= sizeof r->path - r->length)
        return -1;
    memcpy(r->path + r->length, at, length);
    r->length += length;
    r->path[r->length] = '\0';
    return 0;
}

static int on_complete(http_parser *p)
{
    request *r = p->data;
    r->complete = true;
    r->keep = http_should_keep_alive(p);
    http_parser_pause(p, 1); /* what follows is the next request */
    return 0;
}

/* The next request.  1; 0: there is none; -EBADMSG: this is not HTTP; -errno. */
static int read_request(urd_reader *in, http_parser *p)
{
    static const http_parser_settings calls = {.on_url = on_url,
                                               .on_message_complete = on_complete};
    request *r = p->data;
    r->complete = false;
    r->length = 0;
    http_parser_pause(p, 0);
    while (!r->complete) {
        char *bytes;
        ssize_t n = urd_reader_peek(in, 1, &bytes);
        if (n <= 0)
            return (int)n;
        urd_reader_skip(in, http_parser_execute(p, &calls, bytes, (size_t)n));
        if (HTTP_PARSER_ERRNO(p) != HPE_OK && HTTP_PARSER_ERRNO(p) != HPE_PAUSED)
            return -EBADMSG;
    }
    return 1;
}

static int await_request(urd_reader *in, http_parser *p)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + PATIENCE);
    int rc = read_request(in, p);
    int late = urd_scope_join(&s);
    return late ? late : rc;
}

static int print_head(urd_writer *out, const char *status, long long size)
{
    return urd_writer_print(out, "HTTP/1.1 %s\r\nContent-Length: %lld\r\n\r\n", status, size);
}

static int send_text(urd_writer *out, const char *status, const char *text)
{
    int rc = print_head(out, status, (long long)strlen(text));
    return rc ? rc : urd_writer_write(out, text, strlen(text));
}

/* The folder is the one we are in.  A file that is not there is said so, as is one that is larger
 * than those of the row; what else goes wrong ends the connection. */
static int send_file(urd_writer *out, const char *path)
{
    char bytes[OUT_BYTES];
    int file = strstr(path, "..") ? -ENOENT : urd_open(path + 1, O_RDONLY, 0);
    if (file < 0)
        return send_text(out, "404 Not Found", "not found\n");
    ssize_t n = urd_read(file, bytes, sizeof bytes);
    urd_close(file);
    if (n == (ssize_t)sizeof bytes)
        return send_text(out, "500 Internal Server Error", "too large\n");
    int rc = n < 0 ? (int)n : print_head(out, "200 OK", n);
    return rc ? rc : urd_writer_write(out, bytes, (size_t)n);
}

static int answer(urd_reader *in, urd_writer *out, const request *r)
{
    char *more;
    int rc = strcmp(r->path, "/hello") == 0 ? send_text(out, "200 OK", "hello, world\n")
                                            : send_file(out, r->path);
    if (rc == 0 && (!r->keep || urd_reader_peek(in, 0, &more) == 0))
        rc = urd_writer_flush(out);
    return rc;
}

static int serve_http(int fd, void *unused)
{
    (void)unused;
    char in_bytes[IN_BYTES], out_bytes[OUT_BYTES];
    request r;
    http_parser p;
    urd_reader in;
    urd_writer out;
    urd_reader_init(&in, urd_stream_fd(fd), in_bytes, sizeof in_bytes);
    urd_writer_init(&out, urd_stream_fd(fd), out_bytes, sizeof out_bytes);
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &r;
    int rc;
    while ((rc = await_request(&in, &p)) > 0)
        if ((rc = answer(&in, &out, &r)) < 0 || !r.keep)
            break;
    return rc;
}

static int measure_http(void *arg)
{
    (void)arg;
    int listener = peer_listen(0), on = 1; /* what is accepted has the option too */
    peer_must(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    peer_must(chdir(peer_folder()), "chdir");
    return urd_serve(&listener, 1, serve_http, NULL, NULL);
}
#endif

const ours_row ours_net[] = {{"echo", measure_echo},
                             {"accept", measure_accept},
#if __has_include(<http_parser.h>)
                             {"http", measure_http},
#endif
                             {NULL, NULL}};
