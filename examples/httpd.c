/*
 * httpd.c - the files of a folder by HTTP/1.1.
 *
 * SPDX-License-Identifier: MIT
 *
 *     httpd [PORT [FOLDER]]          any port that is free, this folder
 *
 * Requests are parsed by http-parser, as it was made for Node.  Connections are kept, and may ask
 * for the next file before they have got the last.  Small files go out with their head in one
 * write, large ones by sendfile.  Whoever takes longer than 30 s to ask, or to take a piece of an
 * answer, is hung up on.
 */
#include <errno.h>
#include <fcntl.h>
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <urd.h>

enum { PATH_BYTES = 1024, IN_BYTES = 4096, OUT_BYTES = 8192, PIECE_BYTES = 1 << 20 };
static const urd_time PATIENCE = 30 * URD_SECOND;

static int folder;

typedef struct request {
    char path[PATH_BYTES]; /* as it was asked for */
    size_t length;
    bool too_long, complete, keep;
} request;

/* ---- Asking ---------------------------------------------------------------------------------- */

static int on_begin(http_parser *p)
{
    *(request *)p->data = (request){.length = 0};
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t length)
{
    request *r = p->data;
    r->too_long = r->too_long || length >= sizeof r->path - r->length;
    if (!r->too_long) {
        memcpy(r->path + r->length, at, length);
        r->length += length;
        r->path[r->length] = '\0';
    }
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
    static const http_parser_settings calls = {
        .on_message_begin = on_begin, .on_url = on_url, .on_message_complete = on_complete};
    request *r = p->data;
    r->complete = false;
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

/* With a deadline: -ETIMEDOUT. */
static int await_request(urd_reader *in, http_parser *p)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + PATIENCE);
    int rc = read_request(in, p);
    int late = urd_scope_join(&s);
    return late ? late : rc;
}

/* ---- Answering ------------------------------------------------------------------------------- */

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".css", "text/css"},   {".js", "text/javascript"},
        {".txt", "text/plain; charset=utf-8"}, {".png", "image/png"},  {".svg", "image/svg+xml"},
        {".json", "application/json"},         {".jpg", "image/jpeg"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static int print_head(urd_writer *out, const char *status, const char *type, long long size,
                      bool keep)
{
    return urd_writer_print(out,
                            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n%s\r\n",
                            status, type, size, keep ? "" : "Connection: close\r\n");
}

static int refuse(urd_writer *out, const char *status, bool head, bool keep)
{
    int rc = print_head(out, status, "text/plain", (long long)strlen(status) + 1, keep);
    return rc || head ? rc : urd_writer_print(out, "%s\n", status);
}

/* The path in our folder, decoded: false if it is none. */
static bool decode(const char *from, char *to)
{
    if (*from++ != '/')
        return false;
    size_t n = 0;
    for (; *from && *from != '?' && *from != '#'; from++) {
        int c = *from, value = 0;
        if (c == '%') {
            if (sscanf(from + 1, "%2x", (unsigned *)&value) != 1 || value == 0 || from[2] == '\0')
                return false;
            c = value;
            from += 2;
        }
        to[n++] = (char)c;
    }
    to[n] = '\0';
    if (n == 0 || to[n - 1] == '/')
        memcpy(to + n, "index.html", sizeof "index.html");
    return to[0] != '/' && strcmp(to, "..") != 0 && strncmp(to, "../", 3) != 0 &&
           !strstr(to, "/../") && !(n >= 3 && strcmp(to + n - 3, "/..") == 0);
}

/* A regular file of our folder; -errno. */
static int open_file(const char *path, off_t *size)
{
    struct stat stat;
    int file = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -errno;
    if (fstat(file, &stat) == 0 && S_ISREG(stat.st_mode)) {
        *size = stat.st_size;
        return file;
    }
    urd_close(file);
    return -EACCES;
}

/* By pieces, each of which has its time. */
static int send_large(int fd, int file, off_t size)
{
    urd_scope s;
    urd_scope_open(&s);
    ssize_t n = 1;
    for (off_t at = 0; at < size && n > 0;) {
        urd_scope_deadline(&s, urd_now() + PATIENCE);
        n = urd_sendfile(fd, file, &at, PIECE_BYTES);
    }
    int rc = urd_scope_join(&s);
    return rc ? rc : n > 0 ? 0 : n < 0 ? (int)n : -EIO; /* it has become shorter */
}

static int send_small(urd_writer *out, int file, size_t size)
{
    char bytes[OUT_BYTES / 2];
    ssize_t n = urd_pread(file, bytes, size, 0);
    if (n < 0 || (size_t)n < size)
        return n < 0 ? (int)n : -EIO;
    return urd_writer_write(out, bytes, size);
}

static int send_file(int fd, urd_writer *out, const http_parser *p)
{
    const request *r = p->data;
    bool head = p->method == HTTP_HEAD;
    char path[PATH_BYTES + sizeof "index.html"];
    off_t size = 0;
    if (r->too_long)
        return refuse(out, "414 URI Too Long", head, r->keep);
    if (p->method != HTTP_GET && !head)
        return refuse(out, "405 Method Not Allowed", false, r->keep);
    if (!decode(r->path, path))
        return refuse(out, "400 Bad Request", head, r->keep);
    int file = open_file(path, &size);
    if (file < 0)
        return refuse(out, file == -EACCES ? "403 Forbidden" : "404 Not Found", head, r->keep);
    int rc = print_head(out, "200 OK", type_of(path), (long long)size, r->keep);
    if (rc == 0 && !head && size <= OUT_BYTES / 2)
        rc = send_small(out, file, (size_t)size);
    else if (rc == 0 && !head && (rc = urd_writer_flush(out)) == 0)
        rc = send_large(fd, file, size);
    urd_close(file);
    return rc;
}

/* Flushed when nothing more was asked meanwhile. */
static int answer(int fd, urd_reader *in, urd_writer *out, const http_parser *p)
{
    char *more;
    const request *r = p->data;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + PATIENCE);
    int rc = send_file(fd, out, p);
    if (rc == 0 && (!r->keep || urd_reader_peek(in, 0, &more) == 0))
        rc = urd_writer_flush(out);
    int late = urd_scope_join(&s);
    return late ? late : rc;
}

static int serve(int fd, void *unused)
{
    (void)unused;
    char in_bytes[IN_BYTES], out_bytes[OUT_BYTES];
    request r = {.length = 0};
    http_parser p;
    urd_reader in;
    urd_writer out;
    urd_reader_init(&in, urd_stream_fd(fd), in_bytes, sizeof in_bytes);
    urd_writer_init(&out, urd_stream_fd(fd), out_bytes, sizeof out_bytes);
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &r;
    int rc;
    while ((rc = await_request(&in, &p)) > 0)
        if ((rc = answer(fd, &in, &out, &p)) < 0 || !r.keep)
            break;
    if (rc == -EBADMSG && (rc = refuse(&out, "400 Bad Request", false, false)) == 0)
        rc = urd_writer_flush(&out);
    return rc == -ETIMEDOUT || rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
}

/* ---- The server ------------------------------------------------------------------------------ */

static void say_error(int error, void *unused)
{
    (void)unused;
    printf("a connection: %s\n", strerror(-error));
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
    urd_serve_options o = {.grace_duration = URD_SECOND, .on_error = say_error};
    return urd_serve(&listener, 1, serve, NULL, &o);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    folder = open(argc > 2 ? argv[2] : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        perror(argc > 2 ? argv[2] : ".");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, run, &port);
    if (rc == -EINTR)
        puts("stopped");
    else if (rc < 0)
        fprintf(stderr, "httpd: %s\n", strerror(-rc));
    return rc < 0 && rc != -EINTR;
}
