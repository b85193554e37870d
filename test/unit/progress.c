/*
 * progress.c - how far it is, how fast, how long yet: on a terminal, in a log, by a function.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "test.h"

static char text[1000];

/* What was written so far. */
static const char *written(int fd)
{
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int in_a_log(void *arg)
{
    (void)arg;
    int ends[2];
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    urd_progress p;
    urd_progress_open(&p, "hash", 400, &(urd_progress_options){.fd = ends[1]});
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(urd_sleep(URD_SECOND / 4), 0);
        urd_progress_add(&p, 1);
    }
    CHECK_STR(written(ends[0]), "hash: 40/400 (10%), 4.00/s, 1:30 left\n"
                                "hash: 80/400 (20%), 4.00/s, 1:20 left\n");
    urd_progress_add(&p, 300);
    CHECK_STR(written(ends[0]), "");
    urd_progress_close(&p);
    CHECK_STR(written(ends[0]), "hash: 400/400 (100%), 16.0/s, in 0:25\n");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(in_a_log_it_is_a_line_each_ten_seconds_and_one_at_the_end)
{
    test_run(in_a_log);
}

static int without_a_total(void *arg)
{
    (void)arg;
    int ends[2];
    CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
    urd_progress p;
    urd_progress_open(&p, NULL, 0,
                      &(urd_progress_options){.fd = ends[1], .interval_duration = URD_SECOND});
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    urd_progress_add(&p, 5000);
    CHECK_STR(written(ends[0]), "5000, 5000/s, 0:01\n");
    urd_progress_expect(&p, 6000);
    CHECK_EQ(urd_sleep(3700 * URD_SECOND), 0);
    urd_progress_add(&p, 0);
    CHECK_STR(written(ends[0]), "5000/6000 (83%), 1.35/s, 12:20 left\n");
    urd_progress_close(&p);
    CHECK_STR(written(ends[0]), "5000/6000 (83%), 1.35/s, in 1:01:41\n");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

TEST(without_a_total_it_counts_and_a_total_may_come_later)
{
    test_run(without_a_total);
}

/* The terminal's other end; the end for the program goes to *fd. */
static int open_terminal(int *fd, unsigned short columns)
{
    int other = posix_openpt(O_RDWR | O_NOCTTY);
    if (other < 0 || grantpt(other) || unlockpt(other))
        SKIP("no terminal to be had");
    *fd = open(ptsname(other), O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    if (*fd < 0 || ioctl(*fd, TIOCSWINSZ, &size))
        SKIP("no terminal to be had");
    CHECK_EQ(fcntl(other, F_SETFL, O_NONBLOCK), 0);
    return other;
}

static int on_a_terminal(void *arg)
{
    (void)arg;
    int fd, other = open_terminal(&fd, 20);
    urd_progress p;
    urd_progress_open(&p, "x", 10, &(urd_progress_options){.fd = fd});
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    urd_progress_add(&p, 4);
    CHECK_STR(written(other), "\rx: 4/10 (40%), 4.00\033[K"); /* cut: 20 columns */
    urd_progress_add(&p, 1);
    CHECK_STR(written(other), "");
    CHECK_EQ(urd_sleep(URD_SECOND), 0);
    urd_progress_add(&p, 1);
    CHECK_STR(written(other), "\rx: 6/10 (60%), 3.00\033[K");
    urd_progress_close(&p);
    CHECK_STR(written(other), "\rx: 6/10 (60%), 3.00\033[K\r\n");
    close(fd);
    close(other);
    return 0;
}

TEST(on_a_terminal_the_line_is_written_over_itself_and_fits)
{
    test_run(on_a_terminal);
}

typedef struct calls {
    int n;
    urd_progress_state last;
} calls;

static void note(const urd_progress_state *state, void *arg)
{
    calls *c = arg;
    c->n++;
    c->last = *state;
}

static int by_a_function(void *arg)
{
    (void)arg;
    calls c = {0};
    urd_progress p;
    urd_progress_open(&p, "x", 100, &(urd_progress_options){.show = note, .arg = &c});
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(urd_sleep(50 * URD_MS), 0);
        urd_progress_add(&p, 1);
    }
    CHECK_EQ(c.n, 25);
    CHECK_EQ(c.last.done, 50);
    CHECK_EQ(c.last.total, 100);
    CHECK_EQ(c.last.past_duration, 2500 * URD_MS);
    CHECK_EQ(c.last.left_duration, 2500 * URD_MS);
    CHECK(c.last.rate > 19.9 && c.last.rate < 20.1);
    CHECK(!c.last.closed);
    urd_progress_close(&p);
    CHECK_EQ(c.n, 26);
    CHECK(c.last.closed);
    return 0;
}

TEST(a_function_is_called_in_the_place_of_the_line)
{
    test_run(by_a_function);
}

static void *add_many(void *p)
{
    for (int i = 0; i < 1000; i++)
        urd_progress_add(p, 1);
    return NULL;
}

TEST(threads_add_side_by_side)
{
    calls c = {0};
    urd_progress p;
    urd_progress_open(&p, "x", 4000,
                      &(urd_progress_options){.show = note, .arg = &c, .interval_duration = 1});
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, add_many, &p), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    urd_progress_close(&p);
    CHECK_EQ(c.last.done, 4000);
    CHECK_LE(c.n, 4001);
}

static void open_wrongly(void)
{
    urd_progress p;
    urd_progress_open(&p, NULL, 0, &(urd_progress_options){.fd = -1});
}

TEST(a_negative_descriptor_aborts)
{
    CHECK_ABORTS(open_wrongly, "urd_progress_open: a negative descriptor or interval");
}
