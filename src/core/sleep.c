/*
 * sleep.c - wait for a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

typedef struct sleeper {
    urd__timer timer;
    urd__task *task;
    uint64_t word;
} sleeper;

urd_time urd_now(void)
{
    return urd__clock_now();
}

static void wake(urd__timer *timer)
{
    sleeper *s = urd__container(timer, sleeper, timer);
    urd__task *task = s->task;
    if (urd__wait_claim(task, s->word))
        urd__task_ready(task);
}

static int sleep_on_timer(urd__task *self, urd_time when)
{
    sleeper s = {.timer.fire = wake, .task = self};
    urd__worker *worker = self->worker ? self->worker : &urd__rt.workers[0];
    s.word = urd__wait_begin(self, self->scope, URD__ON_TIME, NULL);
    if (urd__timer_set(&worker->timers, &s.timer, when) && worker != urd__worker_self) {
        urd__fence_seq(); /* A2 in park.c */
        urd__park_wake(worker);
    }
    int rc = urd__wait_end(self);
    if (rc)
        urd__timer_stop(&s.timer);
    return rc;
}

/* A thread has a clock of its own in the kernel, and need not rely on a worker having time. */
static int sleep_in_kernel(urd__task *self, urd_time when)
{
    uint64_t word = urd__wait_begin(self, self->scope, URD__ON_TIME, NULL);
    urd__fence_seq(); /* W2 in wait.c */
    bool cancelled = self->scope && urd__scope_cancelled(self->scope);
    if (!cancelled && urd__task_park_thread_until(self, when))
        return -ECANCELED; /* nothing else makes it ready */
    if (urd__wait_undo(self, word))
        return cancelled ? -ECANCELED : 0;
    urd__task_park_thread_until(self, INT64_MAX); /* claimed by a cancel; it will be ready soon */
    return -ECANCELED;
}

int urd_sleep_until(urd_time when)
{
    urd__task *self = urd__task_self();
    if (when <= urd__clock_now())
        return urd_yield(); /* or a loop of naps that are over at once would starve the others */
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    bool in_kernel = !self->worker && !urd__clock_is_virtual();
    return in_kernel ? sleep_in_kernel(self, when) : sleep_on_timer(self, when);
}

int urd_sleep(urd_time duration)
{
    urd_time now = urd__clock_now();
    return urd_sleep_until(duration > URD_FOREVER - now ? URD_FOREVER : now + duration);
}
