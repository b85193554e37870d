/*
 * supervise.c - children are started in order, again when they end, and stopped in reverse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "test.h"

/* What happened, one word each: +a started, a! ended, -a stopped, ~a late, #a given up. */
static char story[400];

static void note(const urd_supervise_event *e, void *arg)
{
    static const char *const words[] = {" +%s", " %s!", " -%s", " ~%s", " #%s"};
    (void)arg;
    size_t used = strlen(story);
    snprintf(story + used, sizeof story - used, words[e->what], e->name);
}

static const urd_supervise_options noted = {.watch = note};

/* A child lives so long, then ends so; so many lives, after which it lives for ever. */
typedef struct fate {
    urd_time life;
    int result;
    int lives;
} fate;

static int live(void *arg)
{
    fate *f = arg;
    if (f->lives-- <= 0)
        return urd_sleep_until(URD_FOREVER);
    int rc = urd_sleep(f->life);
    return rc ? rc : f->result;
}

#define CHILD(letter, fate_)                                                                       \
    {                                                                                              \
        .name = (letter), .fn = live, .arg = &(fate_)                                              \
    }

/* For so long, in virtual time; what it returned before it was cancelled. */
static int watch_for(urd_time duration, const urd_child *children, int n,
                     const urd_supervise_options *o, urd_supervise_report *r)
{
    urd_scope s;
    story[0] = '\0';
    urd_scope_open(&s);
    urd_scope_deadline(&s, urd_now() + duration);
    int rc = urd_supervise(children, n, o, r);
    CHECK_EQ(urd_scope_join(&s), rc == -ECANCELED ? -ETIMEDOUT : 0);
    return rc;
}

/* ---- Restarts -------------------------------------------------------------------------------- */

static int by_restart(void *arg)
{
    (void)arg;
    static const struct {
        urd_restart restart;
        int result, rc;
        const char *story;
    } cases[] = {
        {URD_RESTART_ALWAYS, 0, -ECANCELED, " +a a! +a -a"},
        {URD_RESTART_ALWAYS, -EIO, -ECANCELED, " +a a! +a -a"},
        {URD_RESTART_ON_ERROR, 0, 0, " +a a!"},
        {URD_RESTART_ON_ERROR, -EIO, -ECANCELED, " +a a! +a -a"},
        {URD_RESTART_NEVER, 0, 0, " +a a!"},
        {URD_RESTART_NEVER, -EIO, -EIO, " +a a!"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fate f = {.life = URD_MS, .result = cases[i].result, .lives = 1};
        urd_child a = CHILD("a", f);
        urd_supervise_report r;
        a.restart = cases[i].restart;
        CHECK_EQ(watch_for(URD_SECOND, &a, 1, &noted, &r), cases[i].rc);
        CHECK_STR(story, cases[i].story);
        CHECK_EQ(r.child, cases[i].rc == -EIO ? 0 : -1);
        CHECK_STR(r.detail, cases[i].rc == -EIO ? "a: returned -5" : "");
        CHECK_EQ(r.restarts, cases[i].rc == -ECANCELED);
    }
    return 0;
}

TEST(a_child_that_ended_is_started_again_where_it_is_to_be)
{
    test_run(by_restart);
}

static void strategy(urd_strategy strategy, const char *wanted)
{
    fate a = {0}, b = {.life = URD_MS, .result = -EIO, .lives = 1}, c = {0};
    const urd_child children[] = {CHILD("a", a), CHILD("b", b), CHILD("c", c)};
    urd_supervise_options o = noted;
    o.strategy = strategy;
    CHECK_EQ(watch_for(URD_SECOND, children, 3, &o, NULL), -ECANCELED);
    CHECK_STR(story, wanted);
}

static int strategies(void *arg)
{
    (void)arg;
    strategy(URD_ONE_FOR_ONE, " +a +b +c b! +b -c -b -a");
    strategy(URD_ONE_FOR_ALL, " +a +b +c b! -c -a +a +b +c -c -b -a");
    strategy(URD_REST_FOR_ONE, " +a +b +c b! -c +b +c -c -b -a");
    return 0;
}

TEST(the_strategy_says_who_is_started_again_with_it)
{
    test_run(strategies);
}

static int over_stays_over(void *arg)
{
    (void)arg;
    fate a = {.life = URD_MS, .lives = 1}, b = {.life = 2 * URD_MS, .result = -EIO, .lives = 1},
         c = {0}, d = {0};
    urd_child children[] = {CHILD("a", a), CHILD("b", b), CHILD("c", c), CHILD("d", d)};
    children[0].restart = URD_RESTART_ON_ERROR;
    children[2].restart = URD_RESTART_NEVER;
    urd_supervise_options o = noted;
    o.strategy = URD_ONE_FOR_ALL;
    CHECK_EQ(watch_for(URD_SECOND, children, 4, &o, NULL), -ECANCELED);
    CHECK_STR(story, " +a +b +c +d a! b! -d -c +b +d -d -b");
    return 0;
}

TEST(who_has_ended_for_good_is_not_started_with_the_others)
{
    test_run(over_stays_over);
}

static int both_at_once(void *arg)
{
    (void)arg;
    fate a = {.life = URD_MS, .result = -EIO, .lives = 1}, b = a;
    const urd_child children[] = {CHILD("a", a), CHILD("b", b)};
    urd_supervise_options o = noted;
    o.strategy = URD_ONE_FOR_ALL;
    o.restarts_max = 1; /* and it is one */
    CHECK_EQ(watch_for(URD_SECOND, children, 2, &o, NULL), -ECANCELED);
    CHECK_STR(story, " +a +b a! -b +a +b -b -a");
    return 0;
}

TEST(two_that_end_at_once_are_started_again_once)
{
    test_run(both_at_once);
}

/* ---- Intensity and backoff ------------------------------------------------------------------- */

static int too_often(void *arg)
{
    (void)arg;
    fate a = {0}, b = {.life = URD_SECOND, .result = -EIO, .lives = 100}, c = {0};
    const urd_child children[] = {CHILD("a", a), CHILD("b", b), CHILD("c", c)};
    urd_supervise_report r;
    CHECK_EQ(watch_for(URD_FOREVER / 2, children, 3, &noted, &r), -EIO);
    CHECK_STR(story, " +a +b +c b! +b b! +b b! +b b! #b -c -a");
    CHECK_EQ(r.child, 1);
    CHECK_EQ(r.result, -EIO);
    CHECK_EQ(r.restarts, 3);
    CHECK_STR(r.detail, "b: returned -5; more than 3 restarts in 5 s");
    b.result = 0;
    CHECK_EQ(urd_supervise(children, 3, &noted, &r), -ECHILD);
    b.life = 2 * URD_SECOND; /* three in 6 s are not too many */
    b.lives = 10;
    CHECK_EQ(watch_for(100 * URD_SECOND, children, 3, &noted, &r), -ECANCELED);
    CHECK_EQ(r.restarts, 10);
    urd_supervise_options never = noted;
    never.restarts_max = -1;
    b = (fate){.life = URD_MS, .result = -EIO, .lives = 1};
    CHECK_EQ(watch_for(URD_SECOND, children, 3, &never, &r), -EIO);
    CHECK_STR(story, " +a +b +c b! #b -c -a");
    CHECK_STR(r.detail, "b: returned -5");
    return 0;
}

TEST(a_child_that_ends_too_often_is_given_up_and_the_others_stopped)
{
    test_run(too_often);
}

static urd_time starts[10];
static int nstarts;

static int die_at_once(void *arg)
{
    starts[nstarts++] = urd_now();
    if (nstarts == 6)
        urd_sleep(20 * URD_SECOND); /* a long life: the next wait is the first again */
    return nstarts == 8 ? urd_sleep_until(URD_FOREVER) : *(const int *)arg;
}

static int backoff(void *arg)
{
    (void)arg;
    int result = -EIO;
    const urd_child a = {.fn = die_at_once, .arg = &result};
    urd_supervise_options o = {.restarts_max = 100,
                               .backoff_duration = 100 * URD_MS,
                               .backoff_max_duration = 500 * URD_MS};
    nstarts = 0;
    CHECK_EQ(watch_for(60 * URD_SECOND, &a, 1, &o, NULL), -ECANCELED);
    static const int waits[] = {100, 200, 400, 500, 500, 20100, 200};
    CHECK_EQ(nstarts, 8);
    for (int i = 0; i < 7; i++)
        CHECK_EQ(starts[i + 1] - starts[i], waits[i] * URD_MS);
    return 0;
}

TEST(the_wait_before_a_restart_doubles_until_a_child_has_lived)
{
    test_run(backoff);
}

/* ---- The end --------------------------------------------------------------------------------- */

static int shielded(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_shield(&s);
    int rc = urd_sleep(*(const urd_time *)arg);
    int joined = urd_scope_join(&s);
    return rc ? rc : joined;
}

static int late(void *arg)
{
    (void)arg;
    fate a = {0}, c = {0};
    urd_time life = 60 * URD_SECOND, begun = urd_now();
    urd_child children[] = {
        CHILD("a", a), {.name = "b", .fn = shielded, .arg = &life}, CHILD("c", c)};
    children[1].stop_duration = URD_SECOND;
    CHECK_EQ(watch_for(URD_MS, children, 3, &noted, NULL), -ECANCELED);
    CHECK_STR(story, " +a +b +c -c ~b -a -b");
    CHECK_EQ(urd_now() - begun, life);
    return 0;
}

TEST(a_child_that_does_not_end_in_time_is_named_and_waited_for)
{
    test_run(late);
}

static int two(void *arg)
{
    fate *f = arg;
    const urd_child children[] = {CHILD("x", f[0]), CHILD("y", f[1])};
    urd_supervise_options o = noted;
    o.restarts_max = 1;
    return urd_supervise(children, 2, &o, NULL);
}

static int nested(void *arg)
{
    (void)arg;
    fate inner[] = {{0}, {.life = URD_MS, .result = -EIO, .lives = 3}}, b = {0};
    const urd_child children[] = {{.name = "a", .fn = two, .arg = inner}, CHILD("b", b)};
    CHECK_EQ(watch_for(URD_SECOND, children, 2, &noted, NULL), -ECANCELED);
    CHECK_STR(story, " +a +b +x +y y! +y y! #y -x a! +a +x +y y! +y -b -y -x -a");
    return 0;
}

TEST(a_supervisor_is_a_child_like_any_other)
{
    test_run(nested);
}

static int none(void *arg)
{
    (void)arg;
    return 0;
}

static int refused(void *arg)
{
    (void)arg;
    const urd_child good = {.fn = none, .restart = URD_RESTART_NEVER};
    urd_child bad[] = {good, good, good, good, good};
    urd_supervise_report r = {.child = 7};
    bad[0].kind = (urd_kind)9;
    bad[1].fn = NULL;
    bad[2].restart = (urd_restart)9;
    bad[3].stop_duration = -1;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(urd_supervise(&bad[i], 1, NULL, &r), -EINVAL);
    CHECK_EQ(r.child, -1);
    bad[4].kind = URD_PROCESS;
    CHECK_EQ(urd_supervise(&bad[4], 1, NULL, NULL), -ENOTSUP);
    CHECK_EQ(urd_supervise(&good, -1, NULL, NULL), -EINVAL);
    urd_supervise_options o = {.strategy = (urd_strategy)3};
    CHECK_EQ(urd_supervise(&good, 1, &o, NULL), -EINVAL);
    o = (urd_supervise_options){.backoff_duration = -1};
    CHECK_EQ(urd_supervise(&good, 1, &o, NULL), -EINVAL);
    CHECK_EQ(urd_supervise(NULL, 0, NULL, NULL), 0);
    CHECK_EQ(urd_supervise(&good, 1, NULL, NULL), 0);
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_cancel(&s, -EXDEV);
    CHECK_EQ(urd_supervise(&good, 1, NULL, NULL), -ECANCELED);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    return 0;
}

TEST(wrong_children_are_refused_and_a_cancelled_caller_starts_none)
{
    test_run(refused);
}

/* ---- Threads and processes ------------------------------------------------------------------- */

static int die_twice(void *arg)
{
    switch (urd__add_ar((int *)arg, 1)) {
    case 0:
        return kill(getpid(), SIGKILL);
    case 1:
        _exit(3);
    case 2:
        return -EIO;
    default:
        return 0;
    }
}

static char details[200];

static void note_details(const urd_supervise_event *e, void *arg)
{
    (void)arg;
    size_t used = strlen(details);
    if (e->what == URD_CHILD_ENDED)
        snprintf(details + used, sizeof details - used, "%d %s; ", e->result == -ECHILD, e->detail);
}

static int killed_processes(void *arg)
{
    (void)arg;
    int *lives = urd_shared_alloc(sizeof *lives);
    CHECK(lives);
    const urd_child child = {.name = "a",
                             .kind = URD_PROCESS,
                             .fn = die_twice,
                             .arg = lives,
                             .restart = URD_RESTART_ON_ERROR};
    urd_supervise_report r;
    CHECK_EQ(urd_supervise(&child, 1, &(urd_supervise_options){.watch = note_details}, &r), 0);
    CHECK_STR(details, "1 killed by SIGKILL; 1 exited with code 3 before it returned; "
                       "0 returned -5; 0 returned 0; ");
    CHECK_EQ(r.restarts, 3);
    *lives = 0;
    CHECK_EQ(urd_supervise(&child, 1, &(urd_supervise_options){.restarts_max = -1}, &r), -ECHILD);
    CHECK_STR(r.detail, "a: killed by SIGKILL");
    urd_shared_free(lives);
    return 0;
}

TEST(a_process_that_is_killed_is_started_again)
{
    test_run_with(NULL, killed_processes, NULL);
}

static int sleep_long(void *arg)
{
    urd__add_ar((int *)arg, 1);
    return urd_sleep(1000 * URD_SECOND);
}

/* Will not listen. */
static int deaf(void *arg)
{
    signal(SIGTERM, SIG_IGN);
    urd__add_ar((int *)arg, 1);
    while (pause())
        continue;
    return 0;
}

/* Once all of them run. */
static int fail_then(void *arg)
{
    int *up = arg;
    while (urd__load_acq(up) < 3)
        if (urd_sleep(URD_MS))
            return -ECANCELED;
    return -EIO;
}

static int all_kinds(void *arg)
{
    (void)arg;
    int *up = urd_shared_alloc(sizeof *up);
    const urd_child children[] = {
        {.name = "p", .kind = URD_PROCESS, .fn = sleep_long, .arg = up},
        {.name = "t", .kind = URD_THREAD, .fn = sleep_long, .arg = up},
        {.name = "q", .kind = URD_PROCESS, .fn = deaf, .arg = up, .stop_duration = 10 * URD_MS},
        {.name = "f", .fn = fail_then, .arg = up},
    };
    urd_supervise_options o = {.watch = note, .restarts_max = -1};
    story[0] = '\0';
    CHECK_EQ(urd_supervise(children, 4, &o, NULL), -EIO);
    CHECK_STR(story, " +p +t +q +f f! #f -q -t -p");
    urd_shared_free(up);
    return 0;
}

TEST(threads_and_processes_are_stopped_in_order_and_who_will_not_listen_is_killed)
{
    test_run_with(NULL, all_kinds, NULL);
}
