/*
 * auth_peer.c - our side of the talks of test/cli/auth.py with Python's multiprocessing.connection.
 *
 * SPDX-License-Identifier: MIT
 *
 *     auth_peer listen PATH KEY         prints "ready"; sends back each message, in capitals
 *     auth_peer dial PATH KEY MESSAGE   prints the answer
 *
 * Exits with 1 and the name of the error on standard error if it does not come to that.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "urd_auth.h"

static char **args;

typedef struct line {
    char in[4096], out[4096];
    urd_reader r;
    urd_writer w;
} line;

static void open_line(line *l, int fd)
{
    urd_reader_init(&l->r, urd_stream_fd(fd), l->in, sizeof l->in);
    urd_writer_init(&l->w, urd_stream_fd(fd), l->out, sizeof l->out);
}

static int answer_all(line *l)
{
    static char text[1 << 20];
    size_t size;
    int rc;
    while ((rc = urd_message_read(&l->r, text, sizeof text, &size)) > 0) {
        for (size_t i = 0; i < size; i++)
            text[i] = (char)toupper((unsigned char)text[i]);
        rc = urd_message_write(&l->w, text, size);
        rc = rc ? rc : urd_writer_flush(&l->w);
        if (rc)
            break;
    }
    return rc;
}

static int listen_at(const char *path, const char *key)
{
    int listener = urd_unix_listen(path, NULL);
    if (listener < 0)
        return listener;
    puts("ready");
    fflush(stdout);
    int fd = urd_accept(listener, NULL, NULL);
    if (fd < 0)
        return fd;
    line l;
    open_line(&l, fd);
    int rc = urd_auth_accept(&l.r, &l.w, key, strlen(key));
    rc = rc ? rc : answer_all(&l);
    int closed = urd_close(fd);
    return rc ? rc : closed;
}

static int dial_to(const char *path, const char *key)
{
    char text[256];
    size_t size = 0;
    line l;
    int fd = urd_unix_dial(path);
    if (fd < 0)
        return fd;
    open_line(&l, fd);
    int rc = urd_auth_dial(&l.r, &l.w, key, strlen(key));
    rc = rc ? rc : urd_message_write(&l.w, args[4], strlen(args[4]));
    rc = rc ? rc : urd_writer_flush(&l.w);
    rc = rc ? rc : urd_message_read(&l.r, text, sizeof text, &size);
    if (rc > 0)
        printf("%.*s\n", (int)size, text);
    int closed = urd_close(fd);
    return rc < 0 ? rc : rc == 0 ? -ENODATA : closed;
}

static int run(void *arg)
{
    (void)arg;
    return strcmp(args[1], "listen") == 0 ? listen_at(args[2], args[3]) : dial_to(args[2], args[3]);
}

int main(int argc, char **argv)
{
    if (argc < 4 || (strcmp(argv[1], "dial") == 0 && argc < 5)) {
        fprintf(stderr, "usage: %s listen PATH KEY | dial PATH KEY MESSAGE\n", argv[0]);
        return 2;
    }
    args = argv;
    int rc = urd_run(NULL, run, NULL);
    if (rc)
        fprintf(stderr, "%s\n", strerrorname_np(-rc));
    return rc != 0;
}
