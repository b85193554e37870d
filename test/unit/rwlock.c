/*
 * rwlock.c - many readers or one writer; nobody starves; cancels; misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

enum { JOBS = 9, TIMES = 30 };

static urd_rwlock lock;
static long a, b;            /* equal, but while somebody writes */
static int readers, writers; /* atomic: inside */

static int read_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_rwlock_rdlock(&lock), 0);
        urd__add_ar(&readers, 1);
        CHECK_EQ(urd__load_acq(&writers), 0);
        CHECK_EQ(a, b);
        if (i % 4 == 0)
            CHECK_EQ(urd_yield(), 0);
        CHECK_EQ(a, b);
        urd__sub_ar(&readers, 1);
        urd_rwlock_rdunlock(&lock);
    }
    return 0;
}

static int write_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_rwlock_wrlock(&lock), 0);
        CHECK_EQ(urd__add_ar(&writers, 1), 0);
        CHECK_EQ(urd__load_acq(&readers), 0);
        a++;
        if (i % 4 == 0)
            CHECK_EQ(urd_yield(), 0);
        b++;
        urd__sub_ar(&writers, 1);
        urd_rwlock_wrunlock(&lock);
    }
    return 0;
}

static int tasks_and_threads(void *arg)
{
    (void)arg;
    memset(&lock, 0, sizeof lock);
    a = b = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++) {
        urd_kind kind = i % 2 ? URD_TASK : URD_THREAD;
        urd_spawn(&s, kind, i % 3 ? read_often : write_often, NULL, 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(a, JOBS / 3 * TIMES);
    CHECK_EQ(lock.state, 0);
    return 0;
}

TEST(many_read_or_one_writes)
{
    run_seeds(30, tasks_and_threads);
}

static void *write_in_a_thread(void *arg)
{
    write_often(arg);
    return NULL;
}

TEST(threads_need_no_runtime_for_a_rwlock)
{
    pthread_t id;
    CHECK_EQ(pthread_create(&id, NULL, write_in_a_thread, NULL), 0);
    read_often(NULL);
    write_often(NULL);
    CHECK_EQ(pthread_join(id, NULL), 0);
    CHECK_EQ(a, 2 * TIMES);
}

/* ---- Nobody starves -------------------------------------------------------------------------- */

static int order[JOBS], next; /* in which jobs got in */

static int read_one(void *arg)
{
    CHECK_EQ(urd_rwlock_rdlock(&lock), 0);
    order[urd__add_ar(&next, 1)] = *(const int *)arg;
    CHECK_EQ(urd_sleep(10), 0);
    urd_rwlock_rdunlock(&lock);
    return 0;
}

static int write_one(void *arg)
{
    CHECK_EQ(urd_rwlock_wrlock(&lock), 0);
    order[urd__add_ar(&next, 1)] = *(const int *)arg;
    CHECK_EQ(urd_sleep(10), 0);
    urd_rwlock_wrunlock(&lock);
    return 0;
}

/* A reader is in.  Come: a writer, two readers, another writer. */
static int in_turn(void *arg)
{
    (void)arg;
    static int numbers[] = {0, 1, 2, 3, 4};
    urd_fn *const fns[] = {read_one, write_one, read_one, read_one, write_one};
    memset(&lock, 0, sizeof lock);
    next = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 5; i++) {
        urd_spawn(&s, i == 2 || i == 4 ? URD_THREAD : URD_TASK, fns[i], &numbers[i], 0);
        let_others_run();
    }
    CHECK_EQ(urd_rwlock_tryrdlock(&lock), -EAGAIN); /* a writer is announced */
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(next, 5);
    CHECK_EQ(order[0], 0);
    CHECK_EQ(order[1], 1);                /* a writer is not kept out by readers that come later */
    CHECK_EQ(order[2] + order[3], 2 + 3); /* nor they by the next writer */
    CHECK_EQ(order[4], 4);
    return 0;
}

TEST(a_writer_waits_for_readers_before_it_and_readers_for_one_writer)
{
    run_seeds(30, in_turn);
}

static int trying(void *arg)
{
    (void)arg;
    memset(&lock, 0, sizeof lock);
    CHECK_EQ(urd_rwlock_tryrdlock(&lock), 0);
    CHECK_EQ(urd_rwlock_tryrdlock(&lock), 0);
    CHECK_EQ(urd_rwlock_trywrlock(&lock), -EAGAIN);
    urd_rwlock_rdunlock(&lock);
    urd_rwlock_rdunlock(&lock);
    CHECK_EQ(urd_rwlock_trywrlock(&lock), 0);
    CHECK_EQ(urd_rwlock_trywrlock(&lock), -EAGAIN);
    CHECK_EQ(urd_rwlock_tryrdlock(&lock), -EAGAIN);
    urd_rwlock_wrunlock(&lock);
    CHECK_EQ(urd_rwlock_tryrdlock(&lock), 0);
    urd_rwlock_rdunlock(&lock);
    return 0;
}

TEST(the_try_forms_take_what_is_free)
{
    test_run(trying);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int write_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rwlock_wrlock(&lock), -ECANCELED);
    return 0;
}

static int read_cancelled(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rwlock_rdlock(&lock), -ECANCELED);
    return 0;
}

/* The cancelled writers let it in, unless the cancel reaches it first. */
static int read_perhaps(void *arg)
{
    (void)arg;
    int rc = urd_rwlock_rdlock(&lock);
    CHECK(rc == 0 || rc == -ECANCELED);
    if (rc == 0)
        urd_rwlock_rdunlock(&lock);
    return 0;
}

static int cancelled_waiters(void *arg)
{
    (void)arg;
    int number = 0;
    memset(&lock, 0, sizeof lock);
    next = 0;
    urd_scope outer, s;
    CHECK_EQ(urd_rwlock_rdlock(&lock), 0);
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_go(&s, write_cancelled, NULL); /* waits for the reader to leave */
    let_others_run();
    urd_spawn(&s, URD_THREAD, write_cancelled, NULL, 0); /* for the writer before it */
    urd_go(&s, read_perhaps, NULL);
    let_others_run();
    urd_go(&outer, read_one, &number);
    let_others_run();
    CHECK_EQ(next, 0);
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_scope_join(&outer), 0); /* with the writers gone it got in */
    CHECK_EQ(next, 1);
    urd_rwlock_rdunlock(&lock);
    CHECK_EQ(lock.state, 0);
    CHECK_EQ(urd_rwlock_wrlock(&lock), 0);
    urd_scope_open(&s);
    urd_go(&s, read_cancelled, NULL);
    let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    urd_rwlock_wrunlock(&lock);
    CHECK_EQ(lock.state, 0);
    return 0;
}

TEST(cancelled_waiters_leave_and_keep_nobody_out)
{
    run_seeds(30, cancelled_waiters);
}

static int read_or_not(void *arg)
{
    int rc = urd_sleep_until(*(const urd_time *)arg);
    if (rc == 0)
        rc = urd_rwlock_rdlock(&lock);
    if (rc == 0) {
        urd__add_ar(&readers, 1);
        urd_yield();
        CHECK_EQ(urd__load_acq(&writers), 0);
        urd__sub_ar(&readers, 1);
        urd_rwlock_rdunlock(&lock);
    }
    return rc;
}

static int write_or_not(void *arg)
{
    int rc = urd_sleep_until(*(const urd_time *)arg);
    if (rc == 0)
        rc = urd_rwlock_wrlock(&lock);
    if (rc == 0) {
        CHECK_EQ(urd__add_ar(&writers, 1), 0);
        CHECK_EQ(urd__load_acq(&readers), 0);
        urd_yield();
        urd__sub_ar(&writers, 1);
        urd_rwlock_wrunlock(&lock);
    }
    return rc;
}

static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    memset(&lock, 0, sizeof lock);
    urd_time when = urd_now() + 5;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < JOBS; i++)
        urd_spawn(&s, i % 4 ? URD_TASK : URD_THREAD, i % 2 ? read_or_not : write_or_not, &when, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(lock.state, 0);
    CHECK_EQ(urd_rwlock_trywrlock(&lock), 0);
    urd_rwlock_wrunlock(&lock);
    return 0;
}

TEST(cancels_and_wakes_at_once_leave_the_lock_free)
{
    run_seeds(100, cancelled_on_the_way);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int read_while_writing(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_rwlock_wrlock(&lock), 0);
    return urd_rwlock_rdlock(&lock);
}

static void reading(void)
{
    test_run(read_while_writing);
}

static void unlock_for_reading(void)
{
    urd_rwlock_rdunlock(&lock);
}

static void unlock_for_writing(void)
{
    urd_rwlock_wrunlock(&lock);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(reading, "urd_rwlock_rdlock: the caller holds this lock for writing already");
    CHECK_ABORTS(unlock_for_reading, "urd_rwlock_rdunlock: the lock is not held for reading");
    CHECK_ABORTS(unlock_for_writing, "urd_rwlock_wrunlock: the lock is not held");
}
