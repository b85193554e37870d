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

urd_time urd_now(void)
{
    return urd__clock_now();
}

/*
 * The rest of the task's work touches its context and its job, which may be cold by now: they are
 * on their way while the other sleepers of this moment are woken.
 */
static bool ring(urd__timer *timer)
{
    urd__task *task = urd__container(timer, urd__task, timer);
    __builtin_prefetch(task->job);
    __builtin_prefetch(task->context);
    if (urd__wait_claim_now(task)) {
        task->rang = true;
        urd__task_ready(task);
    }
    return false;
}

static const urd__timer_ops ringing = {.fire = ring};

/* A thread that polls may find itself that there is news, and takes its wait back: -ETIMEDOUT. */
static int end_without_time(urd__task *self, uint64_t word)
{
    return self->polled ? urd__wait_end_thread(self, word, INT64_MAX) : urd__wait_end(self);
}

static int end_on_timer(urd__task *self, uint64_t word, urd_time when)
{
    urd__worker *worker = self->worker ? self->worker : &urd__rt.workers[0];
    self->rang = false;
    self->timer.ops = &ringing;
    if (urd__timer_set(&worker->timers, &self->timer, when) && worker != urd__worker_self) {
        urd__fence_seq(); /* A2 in park.c */
        urd__park_wake(worker);
    }
    int rc = end_without_time(self, word);
    if (self->rang)
        return -ETIMEDOUT;
    urd__timer_stop(&self->timer);
    return rc;
}

int urd__wait_end_until(urd__task *self, uint64_t word, urd_time when)
{
    if (when == URD_FOREVER)
        return end_without_time(self, word);
    /* A thread has a clock of its own in the kernel, and need not rely on a worker having time. */
    bool in_kernel = !self->worker && !urd__clock_is_virtual();
    return in_kernel ? urd__wait_end_thread(self, word, when) : end_on_timer(self, word, when);
}

int urd_sleep_until(urd_time when)
{
    urd__task *self = urd__task_self();
    if (when <= urd__clock_now())
        return urd_yield(); /* or a loop of naps that are over at once would starve the others */
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    uint64_t word = urd__wait_begin(self, self->scope, URD__ON_TIME, NULL);
    rc = urd__wait_end_until(self, word, when);
    return rc == -ETIMEDOUT ? 0 : rc;
}

int urd_sleep(urd_time duration)
{
    urd_time now = urd__clock_now();
    return urd_sleep_until(duration > URD_FOREVER - now ? URD_FOREVER : now + duration);
}
