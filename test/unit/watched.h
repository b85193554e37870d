/*
 * watched.h - programs that stand still in a known way, and the report about them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_UNIT_WATCHED_H
#define TEST_UNIT_WATCHED_H

#include <errno.h>
#include <string.h>

#include "runs.h"
#include "watch/dump.h"

/* Two jobs, each with one of two locks, that want the other's; and one that waits for a value. */
static urd_mutex lock_a, lock_b;
static urd_chan channel;
static urd_event both_hold;
static int holders; /* on one worker */

static inline int hold_and_want(urd_mutex *mine, urd_mutex *other)
{
    CHECK_EQ(urd_mutex_lock(mine), 0);
    if (++holders == 2)
        urd_event_set(&both_hold);
    int rc = urd_event_wait(&both_hold);
    if (rc == 0)
        rc = urd_mutex_lock(other);
    if (rc == 0)
        urd_mutex_unlock(other);
    urd_mutex_unlock(mine);
    return rc;
}

static inline int takes_a(void *arg)
{
    (void)arg;
    return hold_and_want(&lock_a, &lock_b);
}

static inline int takes_b(void *arg)
{
    (void)arg;
    return hold_and_want(&lock_b, &lock_a);
}

static inline int receives(void *arg)
{
    (void)arg;
    int value;
    return urd_chan_recv(&channel, &value);
}

static inline void open_locks_and_channel(void)
{
    lock_a = lock_b = (urd_mutex){0};
    both_hold = (urd_event){0};
    holders = 0;
    urd_chan_init(&channel, sizeof(int), NULL, 0);
}

/* Stand still, call `look`, then cancel; all in virtual time, on one worker. */
typedef void look_fn(const urd__report *report, void *arg, urd__out *out);
static look_fn *look_at_it;

static inline int stand_still(void *arg)
{
    urd__out out = {0};
    urd_job named;
    open_locks_and_channel();
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, takes_a, NULL);
    urd_go(&s, takes_b, NULL);
    CHECK_EQ(urd_job_open(&named, &s, URD_TASK, receives, NULL, 0,
                          &(urd_job_options){.name = "listener"}),
             0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, receives, NULL, 0), 0);
    CHECK_EQ(urd_sleep(URD_SECOND), 0); /* until all wait */
    CHECK_EQ(urd__dump_apart(look_at_it, arg, &out), 0);
    urd__out_free(&out);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

static inline void look(look_fn *fn)
{
    look_at_it = fn;
    test_run(stand_still);
}

#endif
