/*
 * pingpong.c - two tasks hand a ball to and fro over two channels.
 *
 * SPDX-License-Identifier: MIT
 *
 * The channels have no slots: a send meets a receive, so the players take turns.  Whoever has
 * played the last ball closes the table, and the other's receive answers -EPIPE.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <urd.h>

enum { BALLS = 3 };

typedef struct table {
    urd_chan there, back;
} table;

static int serve(void *arg)
{
    table *t = arg;
    int rc = 0;
    for (int ball = 1; ball <= BALLS && rc == 0; ball++) {
        rc = urd_chan_send(&t->there, &ball);
        int returned;
        if (rc == 0)
            rc = urd_chan_recv(&t->back, &returned);
        if (rc == 0)
            printf("pong %d\n", returned);
    }
    urd_chan_close(&t->there);
    return rc;
}

static int give_back(void *arg)
{
    table *t = arg;
    int ball, rc;
    while ((rc = urd_chan_recv(&t->there, &ball)) == 0) {
        printf("ping %d\n", ball);
        rc = urd_chan_send(&t->back, &ball);
        if (rc < 0)
            break;
    }
    return rc == -EPIPE ? 0 : rc;
}

static int play(void *unused)
{
    (void)unused;
    table t;
    urd_chan_init(&t.there, sizeof(int), NULL, 0);
    urd_chan_init(&t.back, sizeof(int), NULL, 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, serve, &t);
    urd_go(&s, give_back, &t);
    int rc = urd_scope_join(&s);
    urd_chan_fini(&t.back);
    urd_chan_fini(&t.there);
    return rc;
}

int main(void)
{
    int rc = urd_run(NULL, play, NULL);
    if (rc < 0)
        fprintf(stderr, "pingpong: %s\n", strerror(-rc));
    return rc < 0;
}
