/*
 * knot.c - a ring of locks is named as it closes, while other jobs go on; what is none is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/knot.h"

#include "core/wait.h"
#include "watched.h"

static urd_rwlock read_write;

static void run_watched(int workers, urd_fn *fn)
{
    urd_config config = {.workers = workers,
                         .virtual_clock = true,
                         .debug_locks = true,
                         .processes = URD_PROCESSES_NONE};
    test_run_with(&config, fn, NULL);
}

/* In the way of no deadlock report: this one always has a timer set. */
static int goes_on(void *arg)
{
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = urd_sleep(URD_MS);
    urd_scope_cancel(arg, 0);
    return rc;
}

static int two_orders(void *arg)
{
    (void)arg;
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, goes_on, &s);
    urd_go(&s, takes_a, NULL);
    urd_go(&s, takes_b, NULL);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static void in_two_orders(void)
{
    run_watched(1, two_orders);
}

static struct test_child child;

static void check_ring(void (*fn)(void), const char *begin)
{
    test_fork(&child, fn);
    CHECK_EQ(child.code, 0);
    CHECK_EQ(strncmp(child.err, begin, strlen(begin)), 0);
    CHECK(!strstr(child.err + strlen(begin), "a ring of locks")); /* once is enough */
}

static const char RING[] = "urd: a ring of locks: nobody in it can go on\n  job ";

TEST(a_ring_is_named_as_it_closes_while_another_job_goes_on)
{
    check_ring(in_two_orders, RING);
    const char *first = strstr(child.err, "waits for mutex 0x");
    CHECK(first && strstr(first + 1, "waits for mutex 0x"));
    CHECK_CONTAINS(child.err, ", started at ");
    CHECK_CONTAINS(child.err, "knot.c:");
    CHECK_CONTAINS(child.err, "      #0 "); /* also of the one that was just about to sleep */
    CHECK(!strstr(child.err, "its stack cannot be seen"));
}

/* ---- Through a read-write lock, whose reader comes last -------------------------------------- */

static int holds_and_reads(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_mutex_lock(&lock_a), 0);
    int rc = urd_sleep(10 * URD_MS);
    if (rc == 0)
        rc = urd_rwlock_rdlock(&read_write);
    CHECK_EQ(rc, -ECANCELED);
    urd_mutex_unlock(&lock_a);
    return rc;
}

static int writes_and_wants(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rwlock_wrlock(&read_write), 0);
    int rc = urd_sleep(URD_MS);
    if (rc == 0)
        rc = urd_mutex_lock(&lock_a);
    CHECK_EQ(rc, -ECANCELED);
    urd_rwlock_wrunlock(&read_write);
    return rc;
}

static int reader_and_writer(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, goes_on, &s);
    urd_go(&s, holds_and_reads, NULL);
    urd_go(&s, writes_and_wants, NULL);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static void with_a_reader(void)
{
    run_watched(1, reader_and_writer);
}

TEST(a_reader_may_close_the_ring)
{
    check_ring(with_a_reader, RING);
    CHECK_CONTAINS(child.err, "waits for reading under rwlock");
}

/* ---- Through a scope ------------------------------------------------------------------------- */

static int wants_what_its_parent_holds(void *arg)
{
    int rc = urd_sleep(URD_MS); /* its parent waits by then */
    if (rc == 0)
        rc = urd_mutex_lock(arg);
    CHECK_EQ(rc, -ECANCELED);
    return rc;
}

static int joins_with_a_lock(void *arg)
{
    (void)arg;
    urd_scope s;
    CHECK_EQ(urd_mutex_lock(&lock_a), 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + URD_SECOND);
    urd_spawn(&s, URD_THREAD, wants_what_its_parent_holds, &lock_a, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    urd_mutex_unlock(&lock_a);
    return 0;
}

static void over_a_join(void)
{
    run_watched(1, joins_with_a_lock);
}

TEST(a_lock_that_is_held_over_the_join_of_who_wants_it_is_a_ring)
{
    check_ring(over_a_join, RING);
    CHECK_CONTAINS(child.err, "waits for the jobs of scope of ");
    CHECK_CONTAINS(child.err, " is one of these jobs\n");
}

/* ---- What is none ---------------------------------------------------------------------------- */

enum { ROUNDS = 40 };

static int in_one_order(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(urd_mutex_lock(&lock_a), 0);
        CHECK_EQ(urd_mutex_lock(&lock_b), 0);
        CHECK_EQ(urd_yield(), 0);
        urd_mutex_unlock(&lock_b);
        urd_mutex_unlock(&lock_a);
        CHECK_EQ(urd_rwlock_wrlock(&read_write), 0);
        CHECK_EQ(urd_yield(), 0);
        urd_rwlock_wrunlock(&read_write);
        CHECK_EQ(urd_rwlock_rdlock(&read_write), 0);
        CHECK_EQ(urd_yield(), 0);
        urd_rwlock_rdunlock(&read_write);
    }
    return 0;
}

static int crowd(void *arg)
{
    (void)arg;
    enum { JOBS = 6 };
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, in_one_order, NULL, 0);
    return urd_scope_join(&s);
}

static void in_a_crowd(void)
{
    run_watched(WORKERS, crowd);
}

TEST(a_crowd_that_takes_locks_in_one_order_is_never_called_a_ring)
{
    test_fork(&child, in_a_crowd);
    CHECK_EQ(child.code, 0);
    CHECK_STR(child.err, "");
}

static int is_watched(void *arg)
{
    CHECK_EQ(urd__wait_watch != NULL, *(const bool *)arg);
    return 0;
}

TEST(nobody_looks_unless_it_is_asked_for)
{
    for (int i = 0; i < 3; i++) {
        bool asked = i == 1;
        urd_config config = {.workers = 1, .debug_locks = asked, .processes = URD_PROCESSES_NONE};
        test_run_with(&config, is_watched, &asked);
    }
}
