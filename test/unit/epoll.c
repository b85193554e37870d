/*
 * epoll.c - a descriptor is watched by one worker, and serves waits on all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>

#include "backends.h"

static void run_epoll(int workers, urd_fn *fn)
{
    urd_config config = {.workers = workers, .processes = URD_PROCESSES_NONE, .io = URD_IO_EPOLL};
    test_run_with(&config, fn, NULL);
}

static int says_epoll(void *arg)
{
    (void)arg;
    urd_about about;
    urd_about_get(&about);
    CHECK_STR(about.io_backend, "epoll");
    return 0;
}

TEST(it_is_what_was_asked_for)
{
    run_epoll(1, says_epoll);
}

/* ---- Between workers ------------------------------------------------------------------------- */

enum { TURNS = 300 };
static int ends[2];
static int started; /* atomic */

/* One letter to and fro; the two tasks are on different workers, since each waits for the other
 * to begin without giving its worker away. */
static int echo(void *arg)
{
    int fd = *(const int *)arg;
    char letter = 'x';
    urd__add_ar(&started, 1);
    while (urd__load_acq(&started) < 2)
        sched_yield();
    for (int i = 0; i < TURNS; i++) {
        if (fd == ends[0])
            CHECK_EQ(urd_write(fd, &letter, 1), 1);
        CHECK_EQ(urd_read(fd, &letter, 1), 1);
        if (fd == ends[1])
            CHECK_EQ(urd_write(fd, &letter, 1), 1);
    }
    return 0;
}

static int across(void *arg)
{
    (void)arg;
    make_connection(ends);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, echo, &ends[0]);
    urd_go(&s, echo, &ends[1]);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pair(ends);
    return 0;
}

TEST(two_workers_talk)
{
    for (int i = 0; i < 5; i++) {
        started = 0;
        run_epoll(2, across);
    }
}

/* Both ends of the job wait for one descriptor, first on this worker, then on that. */
static int read_in_turn(void *arg)
{
    char letter;
    urd__add_ar(&started, 1);
    while (urd__load_acq(&started) < 2)
        sched_yield();
    for (int i = 0; i < TURNS; i++)
        CHECK_EQ(urd_read(*(const int *)arg, &letter, 1), 1);
    return 0;
}

static int write_for_both(void *arg)
{
    for (int i = 0; i < 2 * TURNS; i++) {
        CHECK_EQ(urd_write(*(const int *)arg, "x", 1), 1);
        if (i % 3 == 0)
            CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int shared_descriptor(void *arg)
{
    (void)arg;
    for (int sort = 0; sort < 2; sort++) {
        started = 0;
        if (sort)
            make_pair(ends);
        else
            make_connection(ends);
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, read_in_turn, &ends[0]);
        urd_go(&s, read_in_turn, &ends[0]);
        urd_spawn(&s, URD_THREAD, write_for_both, &ends[1], 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        close_pair(ends);
    }
    return 0;
}

TEST(readers_on_two_workers_share_one_descriptor)
{
    for (int i = 0; i < 5; i++)
        run_epoll(2, shared_descriptor);
}
