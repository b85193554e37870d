/*
 * wait.c - the wait word: one winner, numbered, and queues that keep their order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/wait.h"

#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "runs.h"

static int one_winner(void *arg)
{
    (void)arg;
    urd__task *self = urd__task_self();
    uint64_t word = urd__wait_begin(self, NULL, URD__ON_NOTHING, NULL);
    CHECK(urd__wait_claim(self, word));
    CHECK(!urd__wait_claim(self, word));
    CHECK(!urd__wait_undo(self, word));
    urd__wait_cancel(self, NULL); /* too late: it would have made the task ready again */
    urd__task_ready(self);
    CHECK_EQ(urd__wait_end(self), 0);

    word = urd__wait_begin(self, NULL, URD__ON_NOTHING, NULL);
    CHECK(urd__wait_undo(self, word));
    CHECK(!urd__wait_claim(self, word));
    CHECK(!urd__wait_undo(self, word));
    return 0;
}

TEST(a_wait_is_claimed_once)
{
    test_run(one_winner);
}

static int late_claims(void *arg)
{
    (void)arg;
    urd__task *self = urd__task_self();
    uint64_t first = urd__wait_begin(self, NULL, URD__ON_NOTHING, NULL);
    CHECK(urd__wait_undo(self, first));
    uint64_t second = urd__wait_begin(self, NULL, URD__ON_NOTHING, NULL);
    CHECK_NE(first, second);
    CHECK(!urd__wait_claim(self, first));
    CHECK(urd__wait_undo(self, second));
    return 0;
}

TEST(a_late_claim_does_not_end_a_later_wait)
{
    test_run(late_claims);
}

static int cancels_of_others(void *arg)
{
    (void)arg;
    urd__task *self = urd__task_self();
    urd_scope outer, inner;
    urd_scope_open(&outer);
    urd_scope_open(&inner);
    uint64_t word = urd__wait_begin(self, &inner, URD__ON_NOTHING, NULL);
    urd__wait_cancel(self, &outer); /* it waits elsewhere */
    CHECK(urd__wait_undo(self, word));
    word = urd__wait_begin(self, &inner, URD__ON_NOTHING, NULL);
    urd__wait_cancel(self, &inner);
    CHECK(!urd__wait_claim(self, word));
    CHECK_EQ(urd__wait_end(self), -ECANCELED);
    word = urd__wait_begin(self, NULL, URD__ON_NOTHING, NULL);
    urd__wait_cancel(self, &inner); /* no cancel ends this one */
    CHECK(urd__wait_undo(self, word));
    CHECK_EQ(urd_scope_join(&inner), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_cancel_ends_only_waits_in_its_own_scope)
{
    test_run(cancels_of_others);
}

static int sees_it_itself(void *arg)
{
    (void)arg;
    urd__task *self = urd__task_self();
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd__wait_enter(self), 0);
    uint64_t word = urd__wait_begin(self, &s, URD__ON_NOTHING, NULL);
    urd__or_ar(&s.flags, URD__SCOPE_CANCELLED); /* a cancel whose walk has passed */
    CHECK_EQ(urd__wait_end(self), -ECANCELED);
    CHECK(!urd__wait_claim(self, word));
    CHECK_EQ(urd__wait_enter(self), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(who_waits_looks_for_the_cancel_once_more_itself)
{
    test_run(sees_it_itself);
}

/* Would a cancel find this job?  Then it is in the list of its scope, and has to get out again. */
static bool is_found(void)
{
    return urd__wait_is_found(urd__task_self());
}

static int finds_what_it_wants(void *arg)
{
    urd_job *ended = arg;
    long ring[2], v = 0;
    urd_chan c;
    urd_chan_init(&c, sizeof v, ring, 2);
    urd_event event = URD_ZERO_;
    urd_event_set(&event);
    urd_latch latch = URD_ZERO_;
    urd_broadcast b;
    urd_broadcast_init(&b, sizeof v, ring, 2);
    urd_subscriber s;
    urd_subscriber_open(&s, &b);
    urd_op op = urd_op_event(&event);
    CHECK_EQ(urd_event_wait(&event), 0);
    CHECK_EQ(urd_latch_wait(&latch), 0);
    CHECK_EQ(urd_broadcast_send(&b, &v), 0);
    CHECK_EQ(urd_subscriber_recv(&s, &v), 0);
    CHECK_EQ(urd_chan_send(&c, &v), 0);
    CHECK_EQ(urd_chan_recv(&c, &v), 0);
    CHECK_EQ(urd_select(&op, 1), 0);
    CHECK_EQ(urd_job_join(ended), 0);
    CHECK(!is_found());
    urd_event_clear(&event);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK(is_found());
    urd_subscriber_close(&s);
    urd_broadcast_fini(&b);
    urd_chan_fini(&c);
    return 0;
}

static int leaves_no_trace(void *arg)
{
    (void)arg;
    static int zero;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_job job;
    CHECK_EQ(urd_job_open(&job, &outer, URD_TASK, give, &zero, 0, NULL), 0);
    CHECK_EQ(urd_job_join(&job), 0);
    urd_scope_open(&s);
    urd_go(&s, finds_what_it_wants, &job);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(who_finds_what_it_wants_leaves_no_trace_in_its_scope)
{
    test_run(leaves_no_trace);
}

/* ---- Queues ---------------------------------------------------------------------------------- */

static struct {
    int lock;
    urd__link list;
    int order[16], n;
} queue;

static int enter_queue(void *arg)
{
    urd__task *self = urd__task_self();
    urd__waiter waiter = {.value = arg};
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&queue.lock);
    rc = urd__wait_on(self, &queue.list, &queue.lock, &waiter, URD__ON_NOTHING, NULL);
    CHECK(!urd__list_linked(&waiter.link)); /* whoever ended the wait, it is out */
    if (rc == 0)
        queue.order[urd__add_ar(&queue.n, 1)] = *(const int *)arg;
    return rc;
}

static bool wake_first(void)
{
    urd__lock(&queue.lock);
    urd__waiter *waiter = urd__wait_pop(&queue.list);
    urd__task *task = waiter ? waiter->task : NULL;
    urd__unlock(&queue.lock);
    if (task)
        urd__task_ready(task);
    return task != NULL;
}

enum { WAITERS = 8 };

static int queue_up(void *arg)
{
    (void)arg;
    int numbers[WAITERS];
    urd_job jobs[WAITERS];
    urd_scope s;
    memset(&queue, 0, sizeof queue);
    urd_scope_open(&s);
    for (int i = 0; i < WAITERS; i++) {
        numbers[i] = i;
        urd_kind kind = i % 4 == 3 ? URD_THREAD : URD_TASK;
        CHECK_EQ(urd_job_open(&jobs[i], &s, kind, enter_queue, &numbers[i], 0, NULL), 0);
        let_others_run();
    }
    urd_job_cancel(&jobs[0]); /* the first, one in the middle, the last */
    urd_job_cancel(&jobs[3]);
    urd_job_cancel(&jobs[WAITERS - 1]);
    if (test_random(2))
        let_others_run(); /* else they are still linked, and claimed */
    for (int i = 1; i < WAITERS - 1; i++) {
        if (i == 3)
            continue;
        CHECK(wake_first());
        let_others_run();
    }
    CHECK(!wake_first());
    CHECK_EQ(urd_scope_join(&s), 0);
    static const int expected[] = {1, 2, 4, 5, 6};
    CHECK_EQ(queue.n, 5);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(queue.order[i], expected[i]);
    return 0;
}

TEST(waiters_are_woken_in_order_and_the_cancelled_are_passed_over)
{
    run_seeds(30, queue_up);
}

static int wakes; /* atomic */

static int wake_one(void *arg)
{
    if (urd_sleep_until(*(const urd_time *)arg) == 0 && wake_first())
        urd__add_ar(&wakes, 1);
    return 0;
}

static int wait_at_risk(void *arg)
{
    int rc = enter_queue(arg);
    CHECK(rc == 0 || rc == -ECANCELED);
    /* The word is as good as new. */
    urd_scope peace;
    urd_scope_open(&peace);
    urd_scope_shield(&peace);
    CHECK_EQ(urd_sleep(5), 0);
    CHECK_EQ(urd_scope_join(&peace), 0);
    return 0;
}

static int wakes_and_cancels(void *arg)
{
    (void)arg;
    static int number = 1;
    memset(&queue, 0, sizeof queue);
    wakes = 0;
    urd_scope outer, s;
    urd_time when = urd_now() + 3;
    urd_scope_open(&outer);
    for (int i = 0; i < 3; i++)
        urd_spawn(&outer, i ? URD_TASK : URD_THREAD, wake_one, &when, 0);
    urd_scope_open(&s);
    urd_scope_deadline(&s, when);
    for (int i = 0; i < 6; i++)
        urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, wait_at_risk, &number, 0);
    CHECK_EQ(urd_scope_join(&s), -ETIMEDOUT);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK(urd__list_empty(&queue.list));
    CHECK_EQ(queue.n, wakes);
    return 0;
}

TEST(every_wake_counts_or_is_not_made)
{
    run_seeds(200, wakes_and_cancels);
}
