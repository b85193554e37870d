/*
 * fd.c - who waits for a descriptor is woken by what happens to it, by its close, and by a cancel.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdlib.h>

#include "backends.h"

static int ends[2];

/* ---- Close ----------------------------------------------------------------------------------- */

static int wait_for_close(void *arg)
{
    char got[8];
    CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), -ECANCELED);
    return 0;
}

static int wait_to_write(void *arg)
{
    static char much[65536];
    ssize_t n;
    while ((n = urd_write(*(const int *)arg, much, sizeof much)) > 0)
        continue;
    CHECK_EQ(n, -ECANCELED);
    return 0;
}

static int close_it(void *arg)
{
    (void)arg;
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++) {
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        for (int i = 0; i < 6; i++)
            CHECK_EQ(urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD,
                               i < 4 ? wait_for_close : wait_to_write, &ends[0], 0),
                     0);
        CHECK_EQ(urd_sleep(URD_SECOND), 0); /* now all wait */
        CHECK_EQ(urd_close(ends[0]), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_close(ends[1]), 0);
    }
    return 0;
}

TEST(close_wakes_all_who_wait_and_they_are_cancelled)
{
    run_io(20, close_it);
}

static int close_as_thread(void *arg)
{
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(urd_close(*(const int *)arg), 0);
    return 0;
}

static int closed_by_a_thread(void *arg)
{
    (void)arg;
    make_connection(ends);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, close_as_thread, &ends[0], 0), 0);
    CHECK_EQ(wait_for_close(&ends[0]), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_close(ends[1]), 0);
    return 0;
}

TEST(a_thread_closes_what_a_task_waits_for)
{
    run_io(10, closed_by_a_thread);
}

/* The same numbers again and again: what waited for the last one must not hear of the next. */
static int reuse_number(void *arg)
{
    (void)arg;
    int number = -1;
    for (int i = 0; i < 20; i++) {
        char got[8];
        if (i % 2)
            make_pair(ends);
        else
            make_connection(ends);
        CHECK(number < 0 || i % 2 == 0 || ends[0] == number);
        number = i % 2 ? number : ends[0];
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, wait_for_close, &ends[0]);
        CHECK_EQ(urd_sleep(URD_MS), 0);
        CHECK_EQ(urd_close(ends[0]), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_read(ends[1], got, sizeof got), 0);
        CHECK_EQ(urd_close(ends[1]), 0);
        number = -1;
    }
    return 0;
}

TEST(a_number_comes_again_and_is_a_new_descriptor)
{
    run_io(5, reuse_number);
}

/* Who made a descriptor elsewhere may close it elsewhere, when nobody waits. */
static int closed_elsewhere(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + URD_SECOND);
        char got[8];
        CHECK_EQ(urd_read(ends[0], got, sizeof got), -ECANCELED);
        CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
        CHECK_EQ(close(ends[0]), 0);
        CHECK_EQ(close(ends[1]), 0);
    }
    return 0;
}

TEST(what_was_made_elsewhere_may_be_closed_elsewhere)
{
    run_io(2, closed_elsewhere);
}

static int wait_once(void *events)
{
    short wanted = *(const short *)events;
    CHECK_EQ(urd_wait_fd(ends[0], wanted), wanted);
    return 0;
}

/* One waits to read and the other to write, and only one of them has had its news. */
static int one_after_the_other(void *arg)
{
    static char much[65536];
    static short readable = POLLIN, writable = POLLOUT;
    (void)arg;
    make_pair(ends);
    while (send(ends[0], much, sizeof much, MSG_DONTWAIT) > 0)
        continue;
    urd_scope reader, writer;
    urd_scope_open(&writer);
    urd_scope_open(&reader);
    urd_go(&writer, wait_once, &writable);
    urd_go(&reader, wait_once, &readable);
    CHECK_EQ(urd_sleep(URD_MS), 0);
    CHECK_EQ(urd_write(ends[1], "x", 1), 1);
    CHECK_EQ(urd_scope_join(&reader), 0);
    while (recv(ends[1], much, sizeof much, MSG_DONTWAIT) > 0)
        continue;
    CHECK_EQ(urd_read(ends[0], much, 1), 1);
    CHECK_EQ(urd_scope_join(&writer), 0);
    close_pair(ends);
    return 0;
}

TEST(news_for_a_reader_is_not_the_end_of_a_writers_wait)
{
    run_io(5, one_after_the_other);
}

/* ---- Many at once ---------------------------------------------------------------------------- */

enum { READERS = 40 };

static int read_one(void *arg)
{
    char got;
    CHECK_EQ(urd_read(ends[0], &got, 1), 1);
    urd__add_ar((int *)arg, 1);
    return 0;
}

static int one_each(void *arg)
{
    (void)arg;
    int count = 0;
    make_pair(ends);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < READERS; i++)
        CHECK_EQ(urd_spawn(&s, i % 8 ? URD_TASK : URD_THREAD, read_one, &count, 0), 0);
    for (int i = 0; i < READERS; i++) {
        CHECK_EQ(urd_write(ends[1], "x", 1), 1);
        if (test_random(2))
            CHECK_EQ(urd_sleep(1), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd__load_acq(&count), READERS);
    close_pair(ends);
    return 0;
}

TEST(of_many_readers_each_gets_one)
{
    run_io(10, one_each);
}

enum { MUCH = 200000 };

static int fill(void *arg)
{
    static const char much[MUCH];
    CHECK_EQ(urd_write_all(*(const int *)arg, much, MUCH), MUCH);
    return 0;
}

static int drain(void *arg)
{
    static char much[2][MUCH];
    CHECK_EQ(urd_read_all(*(const int *)arg, much[arg == &ends[1]], MUCH), MUCH);
    return 0;
}

static int both_ways(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (i)
            make_pair(ends);
        else
            make_connection(ends);
        urd_scope s;
        urd_scope_open(&s);
        urd_go(&s, fill, &ends[0]);
        urd_go(&s, fill, &ends[1]);
        urd_go(&s, drain, &ends[0]);
        urd_go(&s, drain, &ends[1]);
        CHECK_EQ(urd_scope_join(&s), 0);
        close_pair(ends);
    }
    return 0;
}

TEST(one_reads_while_another_writes_the_same_descriptor)
{
    run_io(10, both_ways);
}

/* ---- Streams that were read empty ------------------------------------------------------------ */

static int send_bursts(void *arg)
{
    char burst[64] = {0};
    for (int i = 0; i < 200; i++) {
        size_t size = 1 + test_random(sizeof burst);
        CHECK_EQ(urd_write_all(*(const int *)arg, burst, size), size);
        if (test_random(3) == 0)
            CHECK_EQ(urd_sleep((urd_time)test_random(3)), 0);
    }
    CHECK_EQ(urd_shutdown(*(const int *)arg, SHUT_WR), 0);
    return 0;
}

static int read_bursts(void *arg)
{
    char got[24];
    ssize_t n;
    while ((n = urd_read(*(const int *)arg, got, sizeof got)) > 0)
        continue;
    CHECK_EQ(n, 0);
    return 0;
}

static int bursts(void *arg)
{
    (void)arg;
    make_connection(ends);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, read_bursts, &ends[0]);
    urd_go(&s, read_bursts, &ends[0]);
    urd_go(&s, send_bursts, &ends[1]);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pair(ends);
    return 0;
}

TEST(no_burst_and_no_end_of_a_stream_is_overlooked)
{
    run_io(10, bursts);
}

/* It lies on the way between the others, and a read ends before it. */
static int send_urgent(void *arg)
{
    int fd = *(const int *)arg;
    CHECK_EQ(urd_send(fd, "flour", 5, 0), 5);
    CHECK_EQ(urd_send(fd, "!", 1, MSG_OOB), 1);
    CHECK_EQ(urd_send(fd, "sugar", 5, 0), 5);
    return 0;
}

static int read_past_urgent(void *arg)
{
    int fd = *(const int *)arg;
    char got[16] = "";
    for (size_t n = 0; n < 10;) {
        ssize_t some = urd_read(fd, got + n, sizeof got - n);
        CHECK_GT(some, 0);
        n += (size_t)some;
    }
    CHECK_STR(got, "floursugar");
    return 0;
}

static int urgent(void *arg)
{
    (void)arg;
    make_connection(ends);
    as_both(read_past_urgent, &ends[0], send_urgent, &ends[1]);
    close_pair(ends);
    return 0;
}

TEST(what_follows_urgent_data_is_read_though_the_read_before_was_short)
{
    run_io(10, urgent);
}

/* ---- Virtual time ---------------------------------------------------------------------------- */

static int serve_until_idle(void *arg)
{
    char got[8];
    for (;;) {
        urd_scope idle;
        urd_scope_open(&idle);
        urd_scope_deadline(&idle, urd_now() + URD_SECOND);
        ssize_t n = urd_read(*(const int *)arg, got, sizeof got);
        if (n > 0)
            n = urd_write(*(const int *)arg, got, (size_t)n);
        if (urd_scope_join(&idle) == -ETIMEDOUT)
            return 0;
        CHECK_GT(n, 0);
    }
}

static int ask_in_time(void *arg)
{
    char got[8];
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(urd_sleep(URD_SECOND - 1), 0);
        CHECK_EQ(urd_write(*(const int *)arg, "x", 1), 1);
        CHECK_EQ(urd_read(*(const int *)arg, got, sizeof got), 1);
    }
    return 0;
}

/* What is on its way arrives before the clock moves, whoever sends and receives it. */
static int idle_server(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        urd_time start = urd_now();
        make_pair(ends);
        urd_scope s;
        urd_scope_open(&s);
        urd_spawn(&s, i & 1 ? URD_THREAD : URD_TASK, serve_until_idle, &ends[0], 0);
        urd_spawn(&s, i & 2 ? URD_THREAD : URD_TASK, ask_in_time, &ends[1], 0);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_now(), start + 11 * URD_SECOND - 10);
        close_pair(ends);
    }
    return 0;
}

TEST(the_virtual_clock_waits_for_what_is_on_its_way_and_no_longer)
{
    run_io(5, idle_server);
}

/* ---- One side has ended ---------------------------------------------------------------------- */

enum { WHOLE = 1 << 20 };
static char whole[WHOLE];

static int write_whole(void *arg)
{
    CHECK_EQ(urd_write_all(*(const int *)arg, whole, WHOLE), WHOLE);
    return urd_shutdown(*(const int *)arg, SHUT_WR);
}

static int wait_in_vain(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND / 2);
    CHECK_EQ(urd_wait_fd(*(const int *)arg, POLLPRI), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    return 0;
}

/* Who spins keeps the clock where it is. */
static int half_closed(void *arg)
{
    (void)arg;
    static char got[WHOLE];
    for (int ours = 0; ours < 2; ours++) {
        urd_time start = urd_now();
        if (ours)
            CHECK_EQ(urd_pair(ends), 0);
        else
            make_pair(ends);
        CHECK_EQ(urd_shutdown(ends[1], SHUT_WR), 0);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_go(&s, write_whole, &ends[0]), 0);
        CHECK_EQ(urd_go(&s, wait_in_vain, &ends[0]), 0);
        CHECK_EQ(urd_sleep(URD_SECOND), 0);
        CHECK_EQ(urd_read_exact(ends[1], got, WHOLE), WHOLE);
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_EQ(urd_now(), start + URD_SECOND);
        close_pair(ends);
    }
    return 0;
}

TEST(who_writes_to_a_side_that_has_shut_its_own_waits_and_does_not_spin)
{
    run_io(2, half_closed);
}

/* ---- Cancel against completion --------------------------------------------------------------- */

enum { RACES = 400 };

/* Drawn before the two begin, which may run on two workers. */
static urd_time race_waits[2][RACES];

static int race_reader(void *arg)
{
    char got;
    int taken = 0;
    urd_scope s;
    for (int i = 0; i < RACES; i++) {
        urd_scope_open(&s);
        urd_scope_deadline(&s, urd_now() + race_waits[0][i]);
        ssize_t n = urd_read(*(const int *)arg, &got, 1);
        int rc = urd_scope_join(&s);
        CHECK(n == 1 || (n == -ECANCELED && rc == -ETIMEDOUT));
        taken += n == 1;
    }
    while (taken < RACES) {
        CHECK_EQ(urd_read(*(const int *)arg, &got, 1), 1);
        taken++;
    }
    return 0;
}

static int race_writer(void *arg)
{
    for (int i = 0; i < RACES; i++) {
        CHECK_EQ(urd_write(*(const int *)arg, "x", 1), 1);
        CHECK_EQ(urd_sleep(race_waits[1][i]), 0);
    }
    return 0;
}

static int races(void *arg)
{
    (void)arg;
    make_connection(ends);
    for (int i = 0; i < 2 * RACES; i++)
        race_waits[i / RACES][i % RACES] = (urd_time)test_random(3);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, race_reader, &ends[0]);
    urd_go(&s, race_writer, &ends[1]);
    CHECK_EQ(urd_scope_join(&s), 0);
    close_pair(ends);
    return 0;
}

TEST(a_cancel_that_races_with_data_loses_no_byte)
{
    run_io(2, races);
}
