/*
 * hold.c - jobs held by hand: join, cancel, names, and how they ended, in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/atomic.h"
#include "runs.h"

static int zero = 0, io_error = -EIO;
static const urd_kind kinds[] = {URD_TASK, URD_THREAD};
enum { KINDS = 2 };

static void open_job(urd_job *j, urd_scope *s, urd_kind kind, urd_fn *fn, void *arg)
{
    CHECK_EQ(urd_job_open(j, s, kind, fn, arg, 0, NULL), 0);
}

static int give_late(void *arg)
{
    CHECK_EQ(urd_sleep(10), 0);
    return *(const int *)arg;
}

static int join_twice(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    for (int k = 0; k < KINDS; k++) {
        urd_scope_open(&s);
        urd_scope_keep_going(&s);
        open_job(&j, &s, kinds[k], give_late, &io_error);
        CHECK(urd_job_alive(&j));
        for (int i = 0; i < 3; i++)
            CHECK_EQ(urd_job_join(&j), -EIO);
        CHECK(!urd_job_alive(&j));
        CHECK_EQ(urd_scope_join(&s), -EIO);
        CHECK(!urd_job_alive(&j)); /* the struct stays readable */

        urd_scope_open(&s);
        open_job(&j, &s, kinds[k], give_late, &zero);
        CHECK_EQ(urd_job_join(&j), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(join_waits_gives_the_result_and_may_be_called_again)
{
    run_seeds(20, join_twice);
}

static int joined; /* atomic */

static int join_it(void *arg)
{
    CHECK_EQ(urd_job_join(arg), -EPERM);
    urd__add_ar(&joined, 1);
    return 0;
}

static int many_joiners(void *arg)
{
    (void)arg;
    static int not_allowed = -EPERM;
    urd_job j;
    urd_scope outer, s;
    joined = 0;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    open_job(&j, &s, kinds[test_random(KINDS)], give_late, &not_allowed);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(urd_spawn(&outer, i % 3 ? URD_TASK : URD_THREAD, join_it, &j, 0), 0);
    CHECK_EQ(urd_scope_wait(&s), -EPERM);
    CHECK_EQ(urd_job_join(&j), -EPERM);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    CHECK_EQ(urd_scope_join(&outer), 0);
    CHECK_EQ(joined, 10);
    return 0;
}

TEST(many_may_join_one_job)
{
    run_seeds(40, many_joiners);
}

static void *join_in_a_thread(void *arg)
{
    join_it(arg);
    return NULL;
}

static int not_allowed_later(void *arg)
{
    CHECK_EQ(urd_event_wait(arg), 0);
    return -EPERM;
}

static int foreign_joiner(void *arg)
{
    (void)arg;
    urd_job j;
    urd_event go_on = {0};
    urd_scope s;
    joined = 0;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    open_job(&j, &s, URD_TASK, not_allowed_later, &go_on);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, join_in_a_thread, &j), 0);
    urd_event_set(&go_on);
    CHECK_EQ(urd_scope_wait(&s), -EPERM);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(joined, 1);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

TEST(a_thread_of_the_program_may_join)
{
    for (int i = 0; i < 20; i++) {
        run_real(1, foreign_joiner);
        run_real(WORKERS, foreign_joiner);
    }
}

static int joiner_cancelled(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s, inner;
    urd_scope_open(&s);
    open_job(&j, &s, URD_TASK, give_late, &zero);
    urd_scope_open(&inner);
    urd_scope_deadline(&inner, urd_now() + 5);
    CHECK_EQ(urd_job_join(&j), -ECANCELED);
    CHECK(urd_job_alive(&j)); /* it runs on */
    CHECK_EQ(urd_scope_join(&inner), -ETIMEDOUT);
    CHECK_EQ(urd_job_join(&j), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_cancelled_joiner_leaves_and_the_job_runs_on)
{
    run_seeds(20, joiner_cancelled);
}

/* ---- Cancel one alone ------------------------------------------------------------------------ */

static int deep_wait(void *arg)
{
    (void)arg;
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_sleep(URD_FOREVER), -ECANCELED);
    return urd_scope_join(&s);
}

static int cancel_alone(void *arg)
{
    (void)arg;
    urd_job j, deep, sibling;
    urd_scope s;
    for (int k = 0; k < KINDS; k++) {
        urd_scope_open(&s);
        open_job(&j, &s, kinds[k], wait_for_ever, NULL);
        open_job(&deep, &s, kinds[k], deep_wait, NULL);
        open_job(&sibling, &s, kinds[k], give_late, &zero);
        if (test_random(2))
            let_others_run(); /* else it may not have begun */
        urd_job_cancel(&j);
        urd_job_cancel(&deep);
        CHECK_EQ(urd_job_join(&j), -ECANCELED);
        CHECK_EQ(urd_job_join(&deep), -ECANCELED);
        CHECK_EQ(urd_job_join(&sibling), 0);
        urd_job_cancel(&j); /* too late: nothing */
        CHECK(!urd_cancelled());
        CHECK_EQ(urd_scope_errors(&s, NULL, 0), 0);
        CHECK_EQ(urd_scope_join(&s), 0);
    }
    return 0;
}

TEST(cancel_ends_this_job_alone_and_is_no_error_of_the_scope)
{
    run_seeds(40, cancel_alone);
}

static int cancel_all(void *arg)
{
    (void)arg;
    urd_job j[4];
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 4; i++)
        open_job(&j[i], &s, kinds[i % 2], i < 2 ? wait_for_ever : deep_wait, NULL);
    if (test_random(2))
        let_others_run();
    urd_scope_cancel(&s, -EXDEV);
    CHECK_EQ(urd_scope_wait(&s), -EXDEV);
    CHECK_EQ(urd_scope_errors(&s, NULL, 0), 0);
    CHECK_EQ(urd_scope_join(&s), -EXDEV);
    for (int i = 0; i < 4; i++)
        CHECK(!urd_job_alive(&j[i]));
    return 0;
}

TEST(a_cancel_of_the_scope_reaches_the_jobs_held)
{
    run_seeds(40, cancel_all);
}

static int cancel_it(void *arg)
{
    urd_job_cancel(arg);
    return 0;
}

static int cancel_as_it_ends(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    urd_scope_open(&s);
    open_job(&j, &s, URD_TASK, give, &zero);
    for (int i = 0; i < 4; i++)
        urd_spawn(&s, i % 2 ? URD_TASK : URD_THREAD, cancel_it, &j, 0);
    CHECK_EQ(urd_job_join(&j), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(a_cancel_may_come_as_the_job_ends)
{
    run_seeds(60, cancel_as_it_ends);
}

/* ---- What it is called and how it ended ------------------------------------------------------ */

static char name_seen[64], kernel_name[32];

static int tell_name(void *arg)
{
    (void)arg;
    snprintf(name_seen, sizeof name_seen, "%s", urd_name());
    pthread_getname_np(pthread_self(), kernel_name, sizeof kernel_name);
    return 0;
}

static int names(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    char changing[64] = "worker-7";
    urd_job_options o = {.name = changing};
    for (int k = 0; k < KINDS; k++) {
        snprintf(changing, sizeof changing, "worker-7");
        urd_scope_open(&s);
        CHECK_EQ(urd_job_open(&j, &s, kinds[k], tell_name, NULL, 0, &o), 0);
        memset(changing, 'x', sizeof changing - 1); /* it was copied */
        CHECK_STR(urd_job_name(&j), "worker-7");
        CHECK_EQ(urd_job_join(&j), 0);
        CHECK_STR(name_seen, "worker-7");
        if (kinds[k] == URD_THREAD)
            CHECK_STR(kernel_name, "worker-7");
        CHECK_EQ(urd_scope_join(&s), 0);
        CHECK_STR(urd_job_name(&j), "worker-7");
    }
    o.name = "0123456789012345678901234567890123456789";
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_THREAD, tell_name, NULL, 0, &o), 0);
    CHECK_EQ(urd_job_join(&j), 0);
    CHECK_STR(urd_job_name(&j), "0123456789012345678901234567890");
    CHECK_STR(kernel_name, "012345678901234"); /* all that the kernel takes */
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, tell_name, NULL, 0, NULL), 0);
    CHECK_STR(urd_job_name(&j), "");
    CHECK_EQ(urd_scope_join(&s), 0);
    return 0;
}

TEST(the_name_is_copied_cut_to_fit_and_pushed_to_the_kernel)
{
    run_seeds(5, names);
}

static void check_exit(const urd_job *j, const char *words)
{
    urd_exit e;
    urd_job_exit(j, &e);
    CHECK_EQ(e.code, -1);
    CHECK_EQ(e.signal, 0);
    CHECK_STR(e.detail, words);
}

static int exits(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    char words[32];
    snprintf(words, sizeof words, "returned %d", -EIO);
    for (int k = 0; k < KINDS; k++) {
        urd_scope_open(&s);
        urd_scope_keep_going(&s);
        open_job(&j, &s, kinds[k], give_late, &io_error);
        check_exit(&j, "running");
        CHECK_EQ(urd_job_join(&j), -EIO);
        check_exit(&j, words);
        CHECK_EQ(urd_scope_join(&s), -EIO);
        check_exit(&j, words);
        urd_scope_open(&s);
        open_job(&j, &s, kinds[k], give_late, &zero);
        CHECK_EQ(urd_scope_join(&s), 0);
        check_exit(&j, "returned 0");
        CHECK_EQ(urd_job_pid(&j), 0);
        CHECK_EQ(urd_job_pidfd(&j), -1);
        CHECK_EQ(urd_job_kill(&j, SIGTERM), -EINVAL); /* not a process */
    }
    return 0;
}

TEST(how_it_ended_is_said_in_words)
{
    run_seeds(5, exits);
}

static int never_started(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, (urd_kind)9, give, &zero, 0, NULL), -EINVAL);
    CHECK(!urd_job_alive(&j));
    CHECK_EQ(urd_scope_join(&s), -EINVAL);

    urd_scope_open(&s);
    CHECK_EQ(urd_job_open(&j, &s, URD_PROCESS, give, NULL, 0, NULL), -ENOTSUP);
    CHECK(!urd_job_alive(&j));
    CHECK_EQ(urd_job_pid(&j), 0);
    CHECK_EQ(urd_job_pidfd(&j), -1);
    CHECK_EQ(urd_job_kill(&j, SIGTERM), -ESRCH);
    CHECK_EQ(urd_job_kill(&j, -1), -EINVAL);
    CHECK_EQ(urd_job_kill(&j, 1000), -EINVAL);
    CHECK_EQ(urd_scope_join(&s), -ENOTSUP);

    urd_scope_open(&s);
    urd_scope_limit(&s, 1);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, give, &zero, 0, NULL), -ECANCELED);
    CHECK(!urd_job_alive(&j));
    check_exit(&j, "not started");
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(a_job_that_could_not_be_started_has_ended)
{
    run_seeds(3, never_started);
}

static int never_started_join(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_scope_shield(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_job_open(&j, &s, (urd_kind)9, give, &zero, 0, NULL), -EINVAL);
    CHECK_EQ(urd_job_join(&j), -EINVAL);
    CHECK_EQ(urd_job_join(&j), -EINVAL);
    CHECK_EQ(urd_scope_join(&s), -EINVAL);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(join_of_a_job_that_could_not_be_started_says_why)
{
    run_seeds(3, never_started_join);
}

static int tries_again(void *arg)
{
    (void)arg;
    urd_job j;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_job_open(&j, &s, (urd_kind)9, give, &zero, 0, NULL), -EINVAL);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(urd_job_open(&j, &s, URD_PROCESS, give, NULL, 0, NULL), -ENOTSUP);
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, give_late, &zero, 0, NULL), 0);
    CHECK_EQ(urd_scope_join(&s), -EINVAL);
    check_exit(&j, "returned 0");
    return 0;
}

TEST(the_struct_of_a_refused_job_may_be_used_again)
{
    run_seeds(3, tries_again);
}

/* The struct of a job is used for another one, after so many others, in a scope inside or not. */
typedef struct again {
    int others;
    bool inside;
} again;

static again reuse;

static int open_again(void *arg)
{
    (void)arg;
    urd_job j, others[20];
    urd_scope outer, inner;
    urd_scope *second = reuse.inside ? &inner : &outer;
    urd_scope_open(&outer);
    CHECK_EQ(urd_job_open_at(&j, &outer, URD_TASK, give, &zero, 0, NULL, "cake.c:7"), 0);
    for (int i = 0; i < reuse.others; i++)
        open_job(&others[i], &outer, URD_TASK, give, &zero);
    CHECK_EQ(urd_scope_wait(&outer), 0);
    if (reuse.inside)
        urd_scope_open(&inner);
    CHECK_EQ(urd_job_open_at(&j, second, URD_TASK, give, &zero, 0, NULL, "cake.c:9"), 0);
    if (reuse.inside)
        CHECK_EQ(urd_scope_join(&inner), 0);
    return urd_scope_join(&outer);
}

static void run_open_again(void)
{
    test_run(open_again);
}

TEST(a_struct_that_is_opened_again_before_the_join_aborts)
{
    static const char at_once[] =
        "urd_job_open: at cake.c:9, into the struct of the job started at "
        "cake.c:7, whose scope is not joined";
    static const char at_the_join[] =
        "urd_scope_join: the job started at cake.c:9 is in the struct "
        "of one whose scope was not joined";
    static const struct {
        again how;
        const char *message;
    } cases[] = {{{0, false}, at_once},
                 {{7, false}, at_once},
                 {{20, false}, at_the_join},
                 {{0, true}, at_the_join},
                 {{20, true}, at_the_join}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reuse = cases[i].how;
        CHECK_ABORTS(run_open_again, cases[i].message);
    }
}

/* ---- Unread errors --------------------------------------------------------------------------- */

static int not_allowed = -EPERM;

/* Whatever becomes of its scope. */
static int fail_late(void *arg)
{
    int slept = urd_sleep(10);
    CHECK(slept == 0 || slept == -ECANCELED);
    return *(const int *)arg;
}

static int (*ask)(urd_scope *s, urd_job *second);

/* The first error is the join's.  The second is for who asks. */
static int two_fail(void *arg)
{
    (void)arg;
    urd_job first, second;
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    open_job(&first, &s, URD_TASK, give, &not_allowed);
    CHECK_EQ(urd_job_join(&first), -EPERM);
    CHECK_EQ(urd_job_open_at(&second, &s, URD_TASK, fail_late, &io_error, 0,
                             &(urd_job_options){.name = "listener"}, "cake.c:7"),
             0);
    if (ask)
        ask(&s, &second);
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    return 0;
}

static int ask_nobody(urd_scope *s, urd_job *second)
{
    (void)second;
    urd_error errors[2];
    CHECK_EQ(urd_scope_wait(s), -EPERM);
    return urd_scope_errors(s, errors, 1); /* of the other one */
}

static int ask_the_job(urd_scope *s, urd_job *second)
{
    (void)s;
    CHECK_EQ(urd_job_join(second), -EIO);
    return 0;
}

static int ask_by_a_select(urd_scope *s, urd_job *second)
{
    (void)s;
    urd_op op = urd_op_job(second);
    CHECK_EQ(urd_select(&op, 1), 0);
    CHECK_EQ(op.result, -EIO);
    return 0;
}

static int ask_in_words(urd_scope *s, urd_job *second)
{
    CHECK_EQ(urd_scope_wait(s), -EPERM);
    check_exit(second, "returned -5");
    return 0;
}

static int ask_the_scope(urd_scope *s, urd_job *second)
{
    (void)second;
    urd_error errors[2];
    CHECK_EQ(urd_scope_wait(s), -EPERM);
    CHECK_EQ(urd_scope_errors(s, errors, 2), 2);
    CHECK_EQ(errors[1].result, -EIO);
    return 0;
}

static int end_it(urd_scope *s, urd_job *second)
{
    (void)s;
    urd_job_cancel(second);
    return 0;
}

static int end_all(urd_scope *s, urd_job *second)
{
    (void)second;
    CHECK_EQ(urd_scope_wait(s), -EPERM);
    urd_scope_cancel(s, 0);
    return 0;
}

static void run_two(void)
{
    test_run(two_fail);
}

TEST(an_error_of_a_held_job_that_nobody_asked_for_aborts_the_join)
{
    static int (*const nobody[])(urd_scope *, urd_job *) = {NULL, ask_nobody};
    for (int i = 0; i < 2; i++) {
        ask = nobody[i];
        CHECK_ABORTS(run_two,
                     "urd_scope_join: the job listener, started at cake.c:7 failed with -5 "
                     "(Input/output error), and nobody asked for its result");
    }
}

TEST(who_asks_in_any_way_or_ends_the_job_has_no_unread_error)
{
    static int (*const ways[])(urd_scope *, urd_job *) = {
        ask_the_job, ask_by_a_select, ask_in_words, ask_the_scope, end_it, end_all};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        ask = ways[i];
        run_seeds(3, two_fail);
    }
}

static int join_late(void *arg)
{
    CHECK_EQ(urd_job_join(arg), -EIO);
    return 0;
}

/* Whoever waits has not run yet as the scope is joined. */
static int waited_for_outside(void *arg)
{
    (void)arg;
    urd_job first, second;
    urd_scope outer, s;
    urd_scope_open(&outer);
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    open_job(&first, &s, URD_TASK, give, &not_allowed);
    CHECK_EQ(urd_job_join(&first), -EPERM);
    open_job(&second, &s, URD_TASK, give_late, &io_error);
    urd_go(&outer, join_late, &second);
    let_others_run();
    CHECK_EQ(urd_scope_join(&s), -EPERM);
    CHECK_EQ(urd_scope_join(&outer), 0);
    return 0;
}

TEST(an_error_that_somebody_waits_for_is_not_unread)
{
    run_seeds(20, waited_for_outside);
}
