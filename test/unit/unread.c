/*
 * unread.c - a job of a pool that failed is asked about, or the close says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/wait.h>

#include "pools.h"

static int fail_io(const void *in, void *out)
{
    (void)in, (void)out;
    return -EIO;
}

static int succeed(const void *in, void *out)
{
    (void)in, (void)out;
    return 0;
}

static int end_cancelled(const void *in, void *out)
{
    (void)in, (void)out;
    return -ECANCELED;
}

static urd_kind kind;

static urd_pool *open_one(void)
{
    return open_pool(kind, &(urd_pool_options){.name = "bakery"});
}

static void submit(urd_pool_job *job, urd_pool *p, urd_pool_fn *fn)
{
    CHECK_EQ(urd_pool_submit(job, p, fn, NULL, 0, NULL, 0), 0);
}

/* ---- Nobody has asked ------------------------------------------------------------------------ */

static int ask_nobody(void *arg)
{
    (void)arg;
    urd_pool *p = open_one();
    urd_pool_job job;
    submit(&job, p, fail_io);
    return urd_pool_close(p);
}

static int ask_for_one_of_three(void *arg)
{
    (void)arg;
    urd_pool *p = open_one();
    urd_pool_job jobs[3];
    for (int i = 0; i < 3; i++) {
        submit(&jobs[i], p, fail_io);
        while (!urd_pool_done(&jobs[i]))
            CHECK_EQ(urd_yield(), 0);
    }
    CHECK_EQ(urd_pool_wait(&jobs[2]), -EIO); /* the latest */
    return urd_pool_close(p);
}

static void nobody(void)
{
    run_all(ask_nobody);
}

static void one_of_three(void)
{
    run_all(ask_for_one_of_three);
}

TEST(an_error_that_nobody_asked_for_aborts_the_close_naming_who_gave_the_job)
{
    for (kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        CHECK_ABORTS(nobody, "urd_pool_close: 1 job of pool \"bakery\" failed, and nobody waited "
                             "for it; the latest, given at ");
        CHECK_ABORTS(nobody, "with -5 (Input/output error)");
        CHECK_ABORTS(one_of_three, "2 jobs of pool \"bakery\" failed, and nobody waited for them "
                                   "(in job ");
        while (waitpid(-1, NULL, __WALL) > 0) /* the helper and its processes end by themselves */
            continue;
    }
}

/* ---- Somebody has, or there is no error ------------------------------------------------------ */

static int wait_for_it(void *arg)
{
    CHECK_EQ(urd_pool_wait(arg), -EIO);
    return 0;
}

static int asked(void *arg)
{
    (void)arg;
    urd_pool *p = open_one();
    urd_pool_job early, late, well, cancelled;
    urd_scope s;
    urd_scope_open(&s);
    submit(&early, p, fail_io);
    urd_go(&s, wait_for_it, &early);
    submit(&late, p, fail_io);
    submit(&well, p, succeed);
    submit(&cancelled, p, end_cancelled);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(urd_pool_wait(&late), -EIO);
    CHECK_EQ(urd_pool_wait(&late), -EIO);
    CHECK_EQ(urd_pool_close(p), 0);
    CHECK_EQ(urd_pool_wait(&early), -EIO); /* it stays readable */
    return 0;
}

/* A map has told it. */
static int told_by_a_map(void *arg)
{
    (void)arg;
    char in[4] = "", out[4];
    urd_pool *p = open_one();
    CHECK_EQ(urd_pool_map(p, fail_io, in, out, 4), -EIO);
    return urd_pool_close(p);
}

/* Who cancels a pool is told by its close, and may ask later: of another pool by then. */
static int cancelled_pool(void *arg)
{
    (void)arg;
    urd_pool *p = open_one(), *other;
    urd_pool_job job;
    submit(&job, p, fail_io);
    while (!urd_pool_done(&job))
        CHECK_EQ(urd_yield(), 0);
    urd_pool_cancel(p);
    CHECK_EQ(urd_pool_close(p), -ECANCELED);
    other = open_one();
    CHECK_EQ(urd_pool_wait(&job), -EIO);
    CHECK_EQ(urd_pool_wait(&job), -EIO);
    return urd_pool_close(other);
}

TEST(what_was_asked_for_told_or_cancelled_is_no_unread_error)
{
    for (kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        run_all(asked);
        run_all(told_by_a_map);
        run_all(cancelled_pool);
    }
}
