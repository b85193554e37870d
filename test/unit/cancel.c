/*
 * cancel.c - a cancel is a level that reaches everybody below, up to a shield; races with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

/* ---- A level, not an edge -------------------------------------------------------------------- */

typedef struct objects {
    urd_mutex mutex;
    urd_event event;
    urd_chan empty, full;
    int ring;
    urd_job job;
    urd_scope limited;
} objects;

/* Every call that can block, with nothing to wait for as well as with. */
static void check_all_refused(objects *o)
{
    int v = 77;
    CHECK_EQ(urd_sleep(1), -ECANCELED);
    CHECK_EQ(urd_sleep(0), -ECANCELED);
    CHECK_EQ(urd_sleep(-5), -ECANCELED);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_sleep_until(urd_now() + 1), -ECANCELED);
    CHECK_EQ(urd_sleep_until(0), -ECANCELED);
    CHECK_EQ(urd_yield(), -ECANCELED);
    CHECK_EQ(urd_mutex_lock(&o->mutex), -ECANCELED);
    CHECK_EQ(urd_event_wait(&o->event), -ECANCELED);
    CHECK_EQ(urd_chan_recv(&o->empty, &v), -ECANCELED);
    CHECK_EQ(urd_chan_send(&o->empty, &v), -ECANCELED);
    CHECK_EQ(urd_chan_recv(&o->full, &v), -ECANCELED);
    CHECK_EQ(urd_chan_send(&o->full, &v), -ECANCELED);
    CHECK_EQ(urd_job_join(&o->job), -ECANCELED);
    CHECK(urd_cancelled());
    /* And nothing was done. */
    CHECK_EQ(v, 77);
    while (urd_mutex_trylock(&o->mutex) == -EAGAIN) /* another job of the test tries it too */
        sched_yield();
    urd_mutex_unlock(&o->mutex);
    CHECK_EQ(urd_chan_depth(&o->full), 1);
    CHECK_EQ(urd_chan_trysend(&o->empty, &v), -EAGAIN);
    CHECK_EQ(urd_chan_tryrecv(&o->empty, &v), -EAGAIN);
}

static int refused(void *arg)
{
    check_all_refused(arg);
    urd_scope inner; /* what is opened in it, too */
    urd_scope_open(&inner);
    check_all_refused(arg);
    CHECK_EQ(urd_scope_join(&inner), -ECANCELED);
    return 0;
}

static int a_level(void *arg)
{
    (void)arg;
    objects o = {.ring = 5};
    urd_scope outer, s;
    urd_chan_init(&o.empty, sizeof(int), NULL, 0);
    urd_chan_init(&o.full, sizeof(int), &o.ring, 1);
    int v = 3;
    CHECK_EQ(urd_chan_trysend(&o.full, &v), 0);
    urd_event_set(&o.event);
    urd_scope_open(&outer);
    CHECK_EQ(urd_job_open(&o.job, &outer, URD_TASK, wait_for_ever, NULL, 0, NULL), 0);
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_go(&s, refused, &o), 0); /* what is started in it, later */
    CHECK_EQ(urd_spawn(&s, URD_THREAD, refused, &o, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), -EPIPE);
    for (int round = 0; round < 3; round++)
        refused(&o);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK(!urd_cancelled());
    urd_job_cancel(&o.job);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(once_cancelled_every_blocking_call_is_refused_and_does_nothing)
{
    run_seeds(10, a_level);
}

/* ---- It reaches who waits -------------------------------------------------------------------- */

static struct {
    urd_mutex mutex;
    urd_event event;
    urd_chan chan, full;
    int ring, woken;
    urd_job job;
} at;

static void note_woken(int rc)
{
    CHECK_EQ(rc, -ECANCELED);
    CHECK_EQ(urd_yield(), -ECANCELED);
    urd__add_ar(&at.woken, 1);
}

static int in_mutex(void *arg)
{
    (void)arg;
    note_woken(urd_mutex_lock(&at.mutex));
    return 0;
}

static int in_event(void *arg)
{
    (void)arg;
    note_woken(urd_event_wait(&at.event));
    return 0;
}

static int in_recv(void *arg)
{
    (void)arg;
    int v;
    note_woken(urd_chan_recv(&at.chan, &v));
    return 0;
}

static int in_send(void *arg)
{
    (void)arg;
    int v = 1;
    note_woken(urd_chan_send(&at.full, &v));
    return 0;
}

static int in_sleep(void *arg)
{
    (void)arg;
    note_woken(urd_sleep(URD_SECOND));
    return 0;
}

static int in_job_join(void *arg)
{
    (void)arg;
    note_woken(urd_job_join(&at.job));
    return 0;
}

static int in_inner_scope(void *arg)
{
    (void)arg;
    urd_scope a, b;
    urd_scope_open(&a);
    urd_go(&a, in_event, NULL);
    urd_scope_open(&b);
    urd_go(&b, in_sleep, NULL);
    CHECK_EQ(urd_scope_join(&b), -ECANCELED);
    note_woken(urd_event_wait(&at.event));
    CHECK_EQ(urd_scope_join(&a), -ECANCELED);
    return 0;
}

/* Four scopes deep, of which none is in any list until the innermost waits. */
static int in_deep_scope(void *arg)
{
    (void)arg;
    urd_scope s[4];
    for (int i = 0; i < 4; i++)
        urd_scope_open(&s[i]);
    note_woken(urd_sleep(URD_SECOND));
    for (int i = 3; i >= 0; i--)
        CHECK_EQ(urd_scope_join(&s[i]), -ECANCELED);
    return 0;
}

static urd_fn *const waits[] = {in_mutex,    in_event, in_recv,        in_send,
                                in_job_join, in_sleep, in_inner_scope, in_deep_scope};
enum { WAITS = sizeof waits / sizeof *waits, WOKEN = WAITS + 2 };

static int reaches_everybody(void *arg)
{
    (void)arg;
    memset(&at, 0, sizeof at);
    urd_chan_init(&at.chan, sizeof(int), NULL, 0);
    urd_chan_init(&at.full, sizeof(int), &at.ring, 1);
    int v = 0;
    CHECK_EQ(urd_chan_trysend(&at.full, &v), 0);
    CHECK_EQ(urd_mutex_lock(&at.mutex), 0);
    urd_scope outer, s;
    urd_scope_open(&outer);
    CHECK_EQ(urd_job_open(&at.job, &outer, URD_TASK, wait_for_ever, NULL, 0, NULL), 0);
    urd_scope_open(&s);
    for (int i = 0; i < WAITS; i++)
        for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
            CHECK_EQ(urd_spawn(&s, (urd_kind)kind, waits[i], NULL, 0), 0);
    urd_time start = urd_now();
    if (test_random(4)) /* else perhaps before they wait */
        let_others_run();
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(at.woken, 2 * WOKEN);
    CHECK_LE(urd_now() - start, 1);
    urd_mutex_unlock(&at.mutex);
    CHECK_EQ(urd_mutex_trylock(&at.mutex), 0); /* nobody was left in its queue */
    urd_mutex_unlock(&at.mutex);
    urd_chan_fini(&at.chan);
    urd_chan_fini(&at.full);
    urd_job_cancel(&at.job);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_cancel_wakes_whoever_waits_in_the_scope_and_below)
{
    run_seeds(40, reaches_everybody);
}

static int down(void *arg)
{
    int depth = *(const int *)arg - 1;
    urd_scope s;
    urd_scope_open(&s);
    if (depth == 0)
        CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    else
        CHECK_EQ(urd_go(&s, down, &depth), 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static int reaches_the_depth(void *arg)
{
    (void)arg;
    int depth = test_under_slow_tool() ? 1000 : 5000;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, down, &depth);
    let_others_run();
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    return 0;
}

TEST(a_cancel_reaches_5000_scopes_down)
{
    test_run(reaches_the_depth);
    test_run_workers(WORKERS, reaches_the_depth);
}

static int many_waiters(void *arg)
{
    (void)arg;
    memset(&at, 0, sizeof at);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 1000; i++)
        urd_go(&s, in_event, NULL);
    let_others_run();
    urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(at.woken, 1000);
    return 0;
}

TEST(a_cancel_wakes_1000_waiters_of_one_event)
{
    run_seeds(5, many_waiters);
}

static int outside_in_peace(void *arg)
{
    (void)arg;
    CHECK_EQ(urd_sleep(100), 0);
    CHECK(!urd_cancelled());
    return 0;
}

static int only_below(void *arg)
{
    (void)arg;
    urd_scope outer, middle, inner;
    urd_scope_open(&outer);
    urd_go(&outer, outside_in_peace, NULL);
    urd_scope_open(&middle);
    urd_go(&middle, outside_in_peace, NULL);
    urd_scope_open(&inner);
    urd_go(&inner, wait_for_ever, NULL);
    let_others_run();
    urd_scope_cancel(&inner, -EIO);
    CHECK_EQ(urd_scope_join(&inner), -EIO);
    CHECK_EQ(urd_scope_join(&middle), 0);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_cancel_does_not_reach_upwards_or_aside)
{
    run_seeds(20, only_below);
}

static int cancel_it(void *arg)
{
    urd_scope_cancel(arg, -EXDEV);
    return 0;
}

static int from_a_job(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_spawn(&s, arg ? URD_THREAD : URD_TASK, cancel_it, &s, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    return 0;
}

static int from_jobs(void *arg)
{
    from_a_job(NULL);
    return from_a_job(&arg);
}

TEST(a_job_or_a_thread_may_cancel_its_own_scope)
{
    run_seeds(20, from_jobs);
}

static void *cancel_from_outside(void *arg)
{
    urd_scope_cancel(arg, -EXDEV);
    return NULL;
}

static int by_a_foreign_thread(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 10; i++)
        urd_go(&s, wait_for_ever, NULL);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, cancel_from_outside, &s), 0);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    CHECK_EQ(urd_scope_wait(&s), -EXDEV);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    return 0;
}

TEST(a_thread_of_the_program_may_cancel)
{
    for (int workers = 1; workers <= WORKERS; workers++) {
        for (int i = 0; i < 30; i++)
            run_real(workers, by_a_foreign_thread);
    }
}

/* ---- Shields --------------------------------------------------------------------------------- */

static int behind_a_shield(void *arg)
{
    int *done = arg;
    urd_scope s, inner;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_go(&s, outside_in_peace, NULL);
    CHECK_EQ(urd_sleep(50), 0);
    CHECK(!urd_cancelled());
    urd_scope_open(&inner);
    urd_go(&inner, outside_in_peace, NULL);
    CHECK_EQ(urd_sleep(50), 0);
    CHECK(!urd_cancelled());
    CHECK_EQ(urd_scope_join(&inner), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK(urd_cancelled()); /* outside of it the cancel has been there all the time */
    CHECK_EQ(urd_sleep(1), -ECANCELED);
    urd__add_ar(done, 1);
    return 0;
}

static int shields(void *arg)
{
    (void)arg;
    int done = 0;
    urd_scope s;
    urd_scope_open(&s);
    for (int kind = URD_TASK; kind <= URD_THREAD; kind++)
        CHECK_EQ(urd_spawn(&s, (urd_kind)kind, behind_a_shield, &done, 0), 0);
    if (test_random(2))
        let_others_run();
    urd_scope_cancel(&s, -EIO);
    CHECK_EQ(urd_scope_join(&s), -EIO);
    CHECK_EQ(done, 2);
    return 0;
}

TEST(behind_a_shield_jobs_and_waits_end_in_peace)
{
    run_seeds(30, shields);
}

static int shield_itself(void *arg)
{
    (void)arg;
    urd_scope shield, inner;
    urd_scope_open(&shield);
    urd_scope_shield(&shield);
    urd_scope_open(&inner);
    urd_go(&inner, wait_for_ever, NULL);
    let_others_run();
    urd_scope_cancel(&shield, -EPIPE); /* not from outside */
    CHECK_EQ(urd_scope_join(&inner), -ECANCELED);
    CHECK_EQ(urd_scope_join(&shield), -EPIPE);

    urd_scope_open(&shield);
    urd_scope_shield(&shield);
    urd_scope_deadline(&shield, urd_now() + 5);
    CHECK_EQ(urd_sleep(10), -ECANCELED);
    CHECK_EQ(urd_scope_join(&shield), -ETIMEDOUT);
    return 0;
}

TEST(a_shield_does_not_stop_its_own_cancel_or_deadline)
{
    run_seeds(20, shield_itself);
}

/* ---- Races ----------------------------------------------------------------------------------- */

typedef struct receiver {
    urd_chan *chan;
    urd_time start;
    int rc, value;
} receiver;

static int receive(void *arg)
{
    receiver *r = arg;
    r->rc = urd_sleep_until(r->start);
    if (r->rc == 0)
        r->rc = urd_chan_recv(r->chan, &r->value);
    /* No late wake ends the next wait. */
    urd_scope peace;
    urd_scope_open(&peace);
    urd_scope_shield(&peace);
    urd_time until = urd_now() + 50;
    CHECK_EQ(urd_sleep_until(until), 0);
    CHECK_GE(urd_now(), until);
    CHECK_EQ(urd_scope_join(&peace), 0);
    return 0;
}

static int result_or_cancel(void *arg)
{
    bool send_first = arg != NULL;
    urd_chan c;
    urd_chan_init(&c, sizeof(int), NULL, 0);
    receiver r = {.chan = &c, .start = urd_now(), .rc = 1};
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, receive, &r);
    let_others_run();
    int v = 9;
    if (!send_first)
        urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_chan_trysend(&c, &v), send_first ? 0 : -EAGAIN);
    if (send_first)
        urd_scope_cancel(&s, -EPIPE);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(r.rc, send_first ? 0 : -ECANCELED);
    CHECK_EQ(r.value, send_first ? 9 : 0);
    return 0;
}

static int what_was_first(void *arg)
{
    result_or_cancel(NULL);
    return result_or_cancel(&arg);
}

TEST(a_result_that_was_there_before_the_cancel_wins)
{
    run_seeds(20, what_was_first);
}

typedef struct racer {
    urd_scope *scope;
    urd_chan *chan;
    urd_time when;
    int sent;
} racer;

static int send_at(void *arg)
{
    racer *r = arg;
    CHECK_EQ(urd_sleep_until(r->when), 0);
    int v = 9;
    r->sent = urd_chan_trysend(r->chan, &v);
    return 0;
}

static int cancel_at(void *arg)
{
    racer *r = arg;
    CHECK_EQ(urd_sleep_until(r->when), 0);
    urd_scope_cancel(r->scope, -EPIPE);
    return 0;
}

/* Block, wake, cancel and deadline, all at one time. */
static int all_at_once(void *arg)
{
    (void)arg;
    urd_chan c;
    urd_chan_init(&c, sizeof(int), NULL, 0);
    urd_time when = urd_now() + 10;
    receiver r[4];
    racer send[4];
    urd_scope outer, s;
    racer cancel = {.scope = &s, .when = when};
    urd_scope_open(&outer);
    for (int i = 0; i < 4; i++) {
        send[i] = (racer){.chan = &c, .when = when};
        urd_go(&outer, send_at, &send[i]);
    }
    urd_go(&outer, cancel_at, &cancel);
    urd_scope_open(&s);
    if (test_random(2))
        urd_scope_deadline(&s, when);
    for (int i = 0; i < 4; i++) {
        r[i] = (receiver){.chan = &c, .start = when - (urd_time)test_random(2), .rc = 1};
        urd_go(&s, receive, &r[i]);
    }
    int rc = urd_scope_join(&s);
    CHECK(rc == -EPIPE || rc == -ETIMEDOUT || rc == -ECANCELED);
    CHECK_EQ(urd_scope_join(&outer), 0);
    int sent = 0, received = 0;
    for (int i = 0; i < 4; i++) {
        CHECK(r[i].rc == 0 || r[i].rc == -ECANCELED);
        CHECK(send[i].sent == 0 || send[i].sent == -EAGAIN);
        CHECK_EQ(r[i].value, r[i].rc == 0 ? 9 : 0);
        sent += send[i].sent == 0;
        received += r[i].rc == 0;
    }
    CHECK_EQ(sent, received);
    urd_chan_fini(&c);
    return 0;
}

TEST(block_wake_cancel_and_timer_at_once_have_one_winner)
{
    run_seeds(300, all_at_once);
}

static int block_at(void *arg)
{
    racer *r = arg;
    int rc = urd_sleep_until(r->when);
    CHECK(rc == 0 || rc == -ECANCELED);
    urd_scope s[3];
    for (int i = 0; i < 3; i++)
        urd_scope_open(&s[i]);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    for (int i = 2; i >= 0; i--)
        CHECK_EQ(urd_scope_join(&s[i]), -ECANCELED);
    return 0;
}

static int nobody_sleeps_on(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        urd_scope outer, s;
        racer r = {.scope = &s, .when = urd_now() + 10};
        urd_scope_open(&outer);
        urd_scope_open(&s);
        for (int i = 0; i < 6; i++)
            CHECK_EQ(urd_go(&s, block_at, &r), 0);
        CHECK_EQ(urd_go(&s, cancel_at, &r), 0);
        CHECK_EQ(urd_scope_join(&s), -EPIPE);
        CHECK_EQ(urd_scope_join(&outer), 0);
    }
    return 0;
}

TEST(nobody_who_blocks_as_the_cancel_comes_sleeps_on)
{
    run_seeds(40, nobody_sleeps_on);
}

static int sleep_to_the_cancel(void *arg)
{
    racer *r = arg;
    int rc = urd_sleep_until(r->when);
    CHECK(rc == 0 || rc == -ECANCELED);
    CHECK_EQ(urd_now(), r->when);
    urd_scope peace;
    urd_scope_open(&peace);
    urd_scope_shield(&peace);
    CHECK_EQ(urd_sleep(10), 0);
    CHECK_EQ(urd_now(), r->when + 10);
    CHECK_EQ(urd_scope_join(&peace), 0);
    return 0;
}

static int timer_against_cancel(void *arg)
{
    (void)arg;
    urd_scope outer, s;
    racer r = {.scope = &s, .when = urd_now() + 10};
    urd_scope_open(&outer);
    urd_go(&outer, cancel_at, &r);
    urd_scope_open(&s);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(urd_spawn(&s, i % 3 ? URD_TASK : URD_THREAD, sleep_to_the_cancel, &r, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -EPIPE);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(a_timer_and_a_cancel_at_one_time_end_one_wait)
{
    run_seeds(60, timer_against_cancel);
}
