/*
 * echo.c - a server that sends back what it gets, and hangs up when it hears nothing for a while.
 *
 * SPDX-License-Identifier: MIT
 *
 *     echo [PORT [IDLE_MS]]          any port that is free, 30000
 *
 * Ctrl-C ends it: no more connections are accepted, and those that are open have a second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urd.h>

static urd_time idle_duration = 30 * URD_SECOND;

/* One exchange.  Above 0: go on; 0: it is over; -errno. */
static int exchange(int fd)
{
    char buf[4096];
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + idle_duration);
    ssize_t n = urd_read(fd, buf, sizeof buf);
    if (n > 0)
        n = urd_write_all(fd, buf, (size_t)n);
    int rc = urd_scope_join(&s);
    return rc ? rc : (int)n;
}

static int echo(int fd, void *unused)
{
    (void)unused;
    int rc;
    do
        rc = exchange(fd);
    while (rc > 0);
    if (rc == -ETIMEDOUT)
        puts("nothing was heard for too long");
    return rc == -ETIMEDOUT ? 0 : rc;
}

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
    return urd_serve(&listener, 1, echo, NULL, &o);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    if (argc > 2)
        idle_duration = atoi(argv[2]) * URD_MS;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = urd_run(NULL, run, &port);
    if (rc == -EINTR)
        puts("stopped");
    else if (rc < 0)
        fprintf(stderr, "echo: %s\n", strerror(-rc));
    return rc < 0 && rc != -EINTR;
}
