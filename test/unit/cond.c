/*
 * cond.c - conditions: signals, broadcasts, cancels, and the mutex that is always held after.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>

#include "base/atomic.h"
#include "base/os.h"
#include "core/worker.h"
#include "forks.h"
#include "runs.h"
#include "sync/mutex.h"

enum { WAITERS = 8, ITEMS = 60 };

static urd_mutex mutex;
static urd_cond cond;
static int items, woken, order[WAITERS]; /* under mutex */

static void start_anew(void)
{
    cond = (urd_cond){0};
    mutex = (urd_mutex){0};
    items = woken = 0;
}

static bool is_mine(void)
{
    return urd__mutex_owner(&mutex) == urd__task_self();
}

/* ---- Signals --------------------------------------------------------------------------------- */

static int wait_once(void *arg)
{
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    int rc = urd_cond_wait(&cond, &mutex);
    CHECK(is_mine());
    if (rc == 0)
        order[woken++] = *(const int *)arg;
    urd_mutex_unlock(&mutex);
    return rc;
}

static int signals_one_by_one(void *arg)
{
    (void)arg;
    int numbers[WAITERS];
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < WAITERS; i++) {
        numbers[i] = i;
        CHECK_EQ(urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, wait_once, &numbers[i], 0), 0);
        let_others_run();
    }
    urd_cond_signal(&cond, 0);
    let_others_run();
    CHECK_EQ(woken, 0);
    for (int i = 1; i <= 3; i++) {
        urd_cond_signal(&cond, 1); /* with the mutex free */
        let_others_run();
        CHECK_EQ(woken, i);
    }
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_cond_signal(&cond, 2);
    let_others_run();
    CHECK_EQ(woken, 3); /* they need the mutex */
    urd_mutex_unlock(&mutex);
    let_others_run();
    CHECK_EQ(woken, 5);
    urd_cond_broadcast(&cond);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(order[i], i);
    urd_cond_signal(&cond, 1); /* nobody waits: it is lost */
    return 0;
}

TEST(a_signal_wakes_as_many_as_it_says_in_the_order_in_which_they_came)
{
    run_seeds(20, signals_one_by_one);
}

static int broadcast_under_the_mutex(void *arg)
{
    (void)arg;
    static int number;
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, wait_once, &number, 0), 0);
    let_others_run();
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_cond_broadcast(&cond);
    CHECK(urd__list_empty(&cond.waiters));
    CHECK(!urd__list_empty(&mutex.waiters)); /* they stand in line for the mutex, asleep */
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(woken, WAITERS);
    return 0;
}

TEST(a_broadcast_moves_all_waiters_into_the_line_for_the_mutex)
{
    run_seeds(20, broadcast_under_the_mutex);
}

/* ---- A queue of items ------------------------------------------------------------------------ */

static bool any_item(void *arg)
{
    CHECK(is_mine());
    return *(int *)arg > 0;
}

static int consume(void *arg)
{
    for (int i = 0; i < *(const int *)arg; i++) {
        CHECK_EQ(urd_mutex_lock(&mutex), 0);
        CHECK_EQ(urd_cond_wait_for(&cond, &mutex, any_item, &items), 0);
        CHECK_GT(items, 0);
        items--;
        woken++;
        urd_mutex_unlock(&mutex);
    }
    return 0;
}

static int produce(void *arg)
{
    for (int i = 0; i < *(const int *)arg; i++) {
        CHECK_EQ(urd_mutex_lock(&mutex), 0);
        items++;
        if (i % 2)
            urd_cond_signal(&cond, 1);
        urd_mutex_unlock(&mutex);
        if (i % 2 == 0)
            urd_cond_signal(&cond, 1);
        if (i % 5 == 0)
            CHECK_EQ(urd_yield(), 0);
    }
    return 0;
}

static int no_item_is_lost(void *arg)
{
    (void)arg;
    static int each = ITEMS / 3;
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++) {
        urd_spawn(&s, i ? URD_TASK : URD_THREAD, consume, &each, 0);
        urd_spawn(&s, i == 1 ? URD_THREAD : URD_TASK, produce, &each, 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(items, 0);
    CHECK_EQ(woken, ITEMS);
    return 0;
}

TEST(no_signal_is_lost_among_tasks_and_threads)
{
    run_seeds(30, no_item_is_lost);
}

static void *consume_in_a_thread(void *arg)
{
    consume(arg);
    return NULL;
}

TEST(threads_need_no_runtime_for_a_condition)
{
    int each = ITEMS;
    pthread_t id;
    CHECK_EQ(pthread_create(&id, NULL, consume_in_a_thread, &each), 0);
    CHECK_EQ(produce(&each), 0);
    CHECK_EQ(pthread_join(id, NULL), 0);
    CHECK_EQ(items, 0);
}

/* ---- Cancels --------------------------------------------------------------------------------- */

static int cancelled_waiters(void *arg)
{
    (void)arg;
    static int number;
    start_anew();
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_spawn(&s, i ? URD_TASK : URD_THREAD, wait_once, &number, 0);
    let_others_run();
    urd_go(&outer, wait_once, &number);
    let_others_run();
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope_cancel(&s, -EIO);
    urd_cond_signal(&cond, 1); /* not for those who are cancelled */
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(woken, 1);
    CHECK(urd__list_empty(&cond.waiters));
    return 0;
}

TEST(a_signal_passes_a_cancelled_waiter_by)
{
    run_seeds(30, cancelled_waiters);
}

static int signalled_before_cancelled(void *arg)
{
    (void)arg;
    static int number;
    start_anew();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_once, &number);
    let_others_run();
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_cond_signal(&cond, 1);
    urd_scope_cancel(&s, -EIO); /* it waits for the mutex now, and no cancel ends that */
    urd_scope shield;
    urd_scope_open(&shield);
    urd_scope_shield(&shield);
    let_others_run();
    CHECK_EQ(urd_scope_join(&shield), 0);
    CHECK_EQ(woken, 0);
    urd_mutex_unlock(&mutex);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(woken, 1);
    return 0;
}

TEST(who_was_signalled_before_the_cancel_returns_0_with_the_mutex)
{
    run_seeds(20, signalled_before_cancelled);
}

static int in_a_cancelled_scope(void *arg)
{
    (void)arg;
    start_anew();
    urd_scope s;
    items = 1;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    urd_scope_open(&s);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_cond_wait(&cond, &mutex), -ECANCELED);
    CHECK(is_mine());
    CHECK_EQ(urd_cond_wait_for(&cond, &mutex, any_item, &items), -ECANCELED);
    CHECK(is_mine());
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(a_wait_in_a_cancelled_scope_returns_at_once_and_keeps_the_mutex)
{
    test_run(in_a_cancelled_scope);
}

static int wait_until(void *arg)
{
    int rc = urd_sleep_until(*(const urd_time *)arg - 2);
    if (rc)
        return rc;
    CHECK_EQ(urd_mutex_lock(&mutex), 0);
    rc = urd_cond_wait_for(&cond, &mutex, any_item, &items);
    CHECK(is_mine());
    if (rc == 0) {
        items--;
        woken++;
    }
    urd_mutex_unlock(&mutex);
    return rc;
}

static int signal_at(void *arg)
{
    CHECK_EQ(urd_sleep_until(*(const urd_time *)arg), 0);
    static int three = 3;
    return produce(&three);
}

static int cancelled_on_the_way(void *arg)
{
    (void)arg;
    start_anew();
    urd_time when = urd_now() + 5;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_spawn(&outer, URD_THREAD, signal_at, &when, 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < WAITERS; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, wait_until, &when, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(items + woken, 3);
    CHECK_EQ(urd_mutex_trylock(&mutex), 0);
    urd_mutex_unlock(&mutex);
    return 0;
}

TEST(a_signal_and_a_cancel_at_once_leave_the_mutex_free)
{
    run_seeds(100, cancelled_on_the_way);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int wait_without_the_mutex(void *arg)
{
    (void)arg;
    return urd_cond_wait(&cond, &mutex);
}

static void without(void)
{
    test_run(wait_without_the_mutex);
}

static int two_mutexes(void *arg)
{
    (void)arg;
    static int number;
    urd_mutex other = {0};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_once, &number);
    let_others_run();
    CHECK_EQ(urd_mutex_lock(&other), 0);
    return urd_cond_wait(&cond, &other);
}

static void two(void)
{
    test_run(two_mutexes);
}

static void fewer_than_none(void)
{
    urd_cond_signal(&cond, -1);
}

TEST(misuse_aborts_with_a_message)
{
    CHECK_ABORTS(without, "urd_cond_wait: the caller does not hold the mutex");
    CHECK_ABORTS(two, "urd_cond_wait: others wait for this condition with another mutex");
    CHECK_ABORTS(fewer_than_none, "urd_cond_signal: -1 waiters");
}

/* ---- Between processes ----------------------------------------------------------------------- */

/* In shared memory. */
typedef struct box {
    urd_mutex mutex;
    urd_cond cond;
    int items; /* under mutex */
} box;

static void run_between(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static bool box_has_some(void *arg)
{
    return ((const box *)arg)->items > 0;
}

static int take_some(void *arg)
{
    box *b = arg;
    for (int i = 0; i < ITEMS; i++) {
        CHECK_EQ(urd_mutex_lock(&b->mutex), 0);
        CHECK_EQ(urd_cond_wait_for(&b->cond, &b->mutex, box_has_some, b), 0);
        b->items--;
        urd_mutex_unlock(&b->mutex);
    }
    return 0;
}

static int give_some(void *arg)
{
    box *b = arg;
    for (int i = 0; i < ITEMS; i++) {
        CHECK_EQ(urd_mutex_lock(&b->mutex), 0);
        b->items++;
        if (i % 2)
            urd_cond_signal(&b->cond, 1);
        else
            urd_cond_broadcast(&b->cond);
        urd_mutex_unlock(&b->mutex);
    }
    return 0;
}

static int all_kinds(void *arg)
{
    (void)arg;
    box *b = urd_shared_alloc(sizeof *b);
    urd_scope s;
    urd_scope_open(&s);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        CHECK_EQ(urd_spawn(&s, kind, take_some, b, 0), 0);
        CHECK_EQ(urd_spawn(&s, kind, give_some, b, 0), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(b->items, 0);
    CHECK_EQ(b->cond.waiting, 0);
    urd_shared_free(b);
    return 0;
}

TEST(tasks_threads_and_processes_wait_for_one_condition)
{
    run_between(all_kinds);
}

static int wait_between(void *arg)
{
    box *b = arg;
    CHECK_EQ(urd_mutex_lock(&b->mutex), 0);
    int rc = urd_cond_wait(&b->cond, &b->mutex);
    if (rc != -ENOTRECOVERABLE)
        urd_mutex_unlock(&b->mutex);
    return rc;
}

static void until_waiting(box *b, long n)
{
    while (urd__load_acq(&b->cond.waiting) < n)
        CHECK_EQ(urd_yield(), 0);
    CHECK_EQ(urd_mutex_lock(&b->mutex), 0); /* until the last has given it back */
    urd_mutex_unlock(&b->mutex);
}

static int waiter_is_killed(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        box *b = urd_shared_alloc(sizeof *b);
        urd_scope s, doomed;
        urd_job job;
        urd_scope_open(&s);
        urd_scope_open(&doomed);
        CHECK_EQ(urd_job_open(&job, &doomed, URD_PROCESS, wait_between, b, 0, NULL), 0);
        until_waiting(b, 1);
        CHECK_EQ(urd_spawn(&s, kind, wait_between, b, 0), 0);
        until_waiting(b, 2);
        CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
        urd_cond_signal(&b->cond, 1); /* whether it was dead by then or not */
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_shared_free(b);
    }
    return 0;
}

TEST(a_waiter_that_is_killed_takes_no_signal_along)
{
    run_between(waiter_is_killed);
}

static int is_told(void *arg)
{
    CHECK_EQ(wait_between(arg), -EOWNERDEAD);
    return 0;
}

static int signals_and_dies(void *arg)
{
    box *b = arg;
    CHECK_EQ(urd_mutex_lock(&b->mutex), 0);
    urd_cond_signal(&b->cond, 1);
    raise(SIGKILL);
    return 0;
}

static int told_of_the_owner(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        box *b = urd_shared_alloc(sizeof *b);
        urd_scope s, doomed;
        urd_scope_open(&s);
        urd_scope_open(&doomed);
        CHECK_EQ(urd_spawn(&s, kind, is_told, b, 0), 0);
        until_waiting(b, 1);
        CHECK_EQ(urd_spawn(&doomed, URD_PROCESS, signals_and_dies, b, 0), 0);
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        urd_shared_free(b);
    }
    return 0;
}

TEST(who_is_woken_after_the_owner_died_holds_the_mutex_and_is_told)
{
    run_between(told_of_the_owner);
}

static int poisoned_meanwhile(void *arg)
{
    (void)arg;
    box *b = urd_shared_alloc(sizeof *b);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_between, b);
    until_waiting(b, 1);
    CHECK_EQ(urd_mutex_lock(&b->mutex), 0);
    urd_cond_broadcast(&b->cond);
    urd_mutex_poison(&b->mutex);
    CHECK_EQ(urd_scope_join(&s), -ENOTRECOVERABLE);
    urd_shared_free(b);
    return 0;
}

TEST(who_waits_for_a_poisoned_mutex_does_not_hold_it)
{
    run_between(poisoned_meanwhile);
}

static int wait_in_vain(void *arg)
{
    CHECK_EQ(wait_between(arg), -ECANCELED);
    return 0;
}

static int cancelled_between(void *arg)
{
    (void)arg;
    box *b = urd_shared_alloc(sizeof *b);
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_in_vain, b);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, wait_in_vain, b, 0), 0);
    until_waiting(b, 2);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    CHECK_EQ(b->cond.waiting, 0);
    CHECK_EQ(urd_mutex_trylock(&b->mutex), 0);
    urd_mutex_unlock(&b->mutex);
    urd_shared_free(b);
    return 0;
}

TEST(a_cancelled_wait_between_processes_holds_the_mutex)
{
    run_between(cancelled_between);
}
