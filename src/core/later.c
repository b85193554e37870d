/*
 * later.c - jobs that begin at a time.
 *
 * SPDX-License-Identifier: MIT
 *
 * A timer that waits for its time can be fired by the worker whose wheel it is in, stopped by
 * anybody, and cancelled with its scope.  Whoever changes `state` from ARMED, under the scope's
 * lock, has won; where it is to fire once, the job that it counts as is theirs: to start, or to
 * count off.
 *
 * Locks are taken in one order: wheel, then scopes.  A cancel holds locks of scopes, so it leaves
 * the timer in the wheel and in its scope's list; stop or the join takes it out of both, and out of
 * the wheel first.  So the structure, and the scope, are in use until the join has taken that
 * scope's lock, and a timer that fires finds its scope there.
 *
 * A timer that fires once is counted as a job from the start.  A periodic one is not, and starts a
 * job in a scope that may just be ending: see urd__scope_count_in_late().
 */
#include "core/later.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

enum { OVER, ARMED, CANCELLED };

/* The state it was in, from which it is taken off the scope's list; CANCELLED stays so if not
 * `cancelled_too`, and OVER always. */
static int end(urd_timer *t, bool cancelled_too)
{
    urd__lock(&t->scope->lock);
    int state = urd__load_rlx(&t->state); /* written under this lock */
    if (state == ARMED || (state == CANCELLED && cancelled_too)) {
        urd__store_rel(&t->state, OVER); /* [state] pairs with urd_timer_stop() */
        urd__list_remove(&t->member.link);
    }
    urd__unlock(&t->scope->lock);
    return state;
}

static urd__job_cache *cache(void)
{
    return urd__worker_self ? &urd__worker_self->jobs : NULL;
}

static urd_timer *timer_of(urd__timer *timer)
{
    return urd__container(timer, urd_timer, timer);
}

/* Under the scope's lock. */
static void cancel_timer(urd__member *member, urd_scope *s)
{
    urd_timer *t = urd__container(member, urd_timer, member);
    if (urd__load_rlx(&t->state) != ARMED) /* written under this lock */
        return;
    urd__store_rel(&t->state, CANCELLED); /* [state] */
    if (t->period == 0)
        urd__scope_count_out(s);
}

static urd__job *new_job(const urd_timer *t)
{
    urd__job *job = urd__job_new(cache());
    if (job) {
        job->fn = t->fn;
        job->arg = t->arg;
        job->scope = t->scope;
        job->where = t->where;
        job->compact = (urd__load_rlx(&t->scope->flags) & URD__SCOPE_COMPACT) != 0; /* set before */
    } else {
        urd__scope_fail(t->scope, -ENOMEM);
    }
    return job;
}

static void begin(urd__job *job)
{
    urd__scope_take_place(job->scope);
    urd__worker_later(urd__worker_self, job);
}

/* Its neighbours in the list of its scope are written as it leaves that. */
static void ask_for_neighbours(urd__timer *timer)
{
    const urd_timer *t = timer_of(timer);
    const urd__link *link = &t->member.link;
    if (!urd__trylock(&t->scope->lock))
        return;
    __builtin_prefetch(&link->prev->next, 1);
    __builtin_prefetch(&link->next->prev, 1);
    urd__unlock(&t->scope->lock);
}

static bool fire_once(urd__timer *timer)
{
    urd_timer *t = timer_of(timer);
    urd_scope *s = t->scope;
    if (end(t, false) != ARMED)
        return false;
    urd__job *job = new_job(t);
    if (job)
        begin(job);
    else
        urd__scope_count_out(s);
    return false;
}

/* The job of a firing, counted in; NULL: there is to be none. */
static urd__job *begin_firing(urd_timer *t)
{
    int idle = 0;
    if (urd__scope_cancelled(t->scope) || !urd__cas_ar(&t->running, &idle, 1))
        return NULL;
    urd__job *job = new_job(t);
    if (job && urd__scope_count_in_late(t->scope)) {
        job->kind = URD__KIND_LATER;
        job->timer = t;
        return job;
    }
    if (job)
        urd__job_free(cache(), job);
    urd__store_rel(&t->running, 0); /* [running] */
    return NULL;
}

static bool fire_again(urd__timer *timer)
{
    urd_timer *t = timer_of(timer);
    if (urd__load_acq(&t->state) != ARMED)
        return false;
    int64_t passed = (urd__clock_now() - timer->when) / t->period;
    urd__job *job = begin_firing(t);
    if (job)
        begin(job);
    uint64_t missed = (uint64_t)passed + (job ? 0 : 1);
    urd__store_rlx(&t->missed, t->missed + missed); /* a count; written here alone */
    int64_t step;
    if (__builtin_mul_overflow(passed + 1, t->period, &step) ||
        __builtin_add_overflow(timer->when, step, &timer->when))
        timer->when = INT64_MAX;
    return true;
}

static const urd__timer_ops once_ops = {.fire = fire_once, .soon = ask_for_neighbours},
                            every_ops = {.fire = fire_again};

void urd__later_done(urd__job *job, int rc)
{
    urd__store_rel(&job->timer->running, 0); /* [running] pairs with begin_firing() */
    job->detail = NULL;
    job->kind = URD_TASK;
    urd__job_done(job, rc);
}

/* Among the scope's members, then in a wheel; taken back if the scope is cancelled already. */
static int arm(urd_timer *t, int64_t when)
{
    urd_scope *s = t->scope;
    urd__wait_check_place(urd__task_self(), "a timer", t);
    urd__store_rel(&t->state, ARMED);
    if (urd__scope_attach(s, &t->member)) {
        urd_timer_stop(t);
        return -ECANCELED;
    }
    urd__worker *worker = urd__worker_self ? urd__worker_self : s->home;
    if (!worker)
        worker = &urd__rt.workers[0];
    if (urd__timer_set(&worker->timers, &t->timer, when) && worker != urd__worker_self) {
        urd__fence_seq(); /* A2 in park.c */
        urd__park_wake(worker);
    }
    return 0;
}

int urd_timer_once_at(urd_timer *t, urd_scope *s, urd_time when, urd_fn *fn, void *arg,
                      const char *where)
{
    urd__runtime_need("urd_timer_once");
    *t = (urd_timer){.timer.ops = &once_ops,
                     .member.cancel = cancel_timer,
                     .scope = s,
                     .fn = fn,
                     .arg = arg,
                     .where = where};
    urd__scope_count_in(s, urd__worker_self);
    return arm(t, when);
}

int urd_timer_every_at(urd_timer *t, urd_scope *s, urd_time period_duration, urd_fn *fn, void *arg,
                       const char *where)
{
    urd__runtime_need("urd_timer_every");
    if (period_duration < 1)
        urd__die("urd_timer_every at %s: the period is %lld ns; it must be at least 1", where,
                 (long long)period_duration);
    *t = (urd_timer){.timer.ops = &every_ops,
                     .member.cancel = cancel_timer,
                     .scope = s,
                     .fn = fn,
                     .arg = arg,
                     .where = where,
                     .period = period_duration};
    urd_time now = urd__clock_now();
    return arm(t, period_duration > URD_FOREVER - now ? URD_FOREVER : now + period_duration);
}

bool urd_timer_stop(urd_timer *t)
{
    urd__timer_stop(&t->timer);
    if (urd__load_acq(&t->state) == OVER) /* [state] */
        return false;
    urd_scope *s = t->scope;
    bool once = t->period == 0, armed = end(t, true) == ARMED;
    if (armed && once)
        urd__scope_count_out(s); /* the scope may be gone now */
    return armed;
}

uint64_t urd_timer_missed(const urd_timer *t)
{
    return urd__load_rlx(&t->missed); /* a count that says nothing about other memory */
}

bool urd__later_end(urd_scope *s)
{
    bool any = false;
    for (urd__link *link; (link = urd__list_first(&s->inner)) != NULL; any = true) {
        urd__member *member = urd__container(link, urd__member, link);
        urd__assert(member->cancel == cancel_timer); /* others end with their jobs */
        urd_timer_stop(urd__container(member, urd_timer, member));
    }
    return any;
}
