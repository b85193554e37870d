/*
 * pool.c - the jobs of a pool: given, handed out, ended, waited for.
 *
 * SPDX-License-Identifier: MIT
 *
 * Invariants, under the lock:
 *   - A job is in `queue` exactly while it has elements that nobody was handed.
 *   - It is done when it has none left and nobody holds any; then its memory is the caller's.
 *   - With a cause, `queue` is empty.
 *
 * A job given by hand is a map of one element.
 */
#include "pool/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

enum { RESTARTS_USUAL = 10 };
static const urd_time RESTART_USUAL = 5 * URD_SECOND, IDLE_USUAL = 10 * URD_SECOND;

/* ---- jobs ---- */

static bool is_exhausted(const urd_pool_job *job)
{
    return urd__load_acq(&job->next) >= job->n;
}

static void unlink_exhausted(urd_pool_job *job)
{
    if (is_exhausted(job) && urd__list_linked(&job->link))
        urd__list_remove(&job->link);
}

bool urd__pool_draw(urd_pool_job *job, size_t *index)
{
    *index = urd__add_ar(&job->next, 1);
    unlink_exhausted(job);
    return *index < job->n;
}

bool urd__pool_next(urd_pool *p, urd_pool_job **job, size_t *index)
{
    urd__inbox_move(p);
    for (urd__link *link; (link = urd__list_first(&p->queue)) != NULL;) {
        *job = urd__container(link, urd_pool_job, link);
        if (urd__pool_draw(*job, index))
            return true;
    }
    return false;
}

void urd__pool_hold(urd_pool_job *job)
{
    job->holders++;
}

/* Were there any? */
static bool move_waiters(urd__link *from, urd__link *woken)
{
    bool any = false;
    for (urd__waiter *waiter; (waiter = urd__wait_pop(from)) != NULL; any = true)
        urd__list_push_tail(woken, &waiter->link);
    return any;
}

/* Somebody waits for it, it is of a flow, or it failed. */
static void end_marked(urd_pool *p, urd_pool_job *job, urd__link *woken)
{
    bool awaited = move_waiters(&job->waiters, woken);
    if (job->given_at && !awaited && job->result && job->result != -ECANCELED)
        urd__unread_add(p, job);
    if (job->flow)
        urd__flow_done(job, woken);
}

void urd__pool_release(urd_pool *p, urd_pool_job *job, urd__link *woken)
{
    unlink_exhausted(job);
    if (--job->holders > 0 || !is_exhausted(job))
        return;
    if (job->marks)
        end_marked(p, job, woken);
    urd__store_rel(&job->done, 1); /* [done] the last look at the job */
    if (--p->undone == 0)
        move_waiters(&p->closers, woken);
}

void urd__pool_fail(urd_pool *p, urd_pool_job *job, size_t index, int rc, const char *detail)
{
    (void)p;
    if (job->result == 0 || index < job->failed) {
        job->result = rc;
        job->failed = index;
        job->marks = 1;
        snprintf(job->detail, sizeof job->detail, "%s", detail ? detail : "");
    }
    urd__store_rel(&job->next, job->n); /* what was begun goes on; holders see the rest gone */
    unlink_exhausted(job);
}

/* Under lock, with a cause. */
static void fail_all(urd_pool *p, urd__link *woken)
{
    urd__inbox_move_all(p);
    for (urd__link *link; (link = urd__list_first(&p->queue)) != NULL;) {
        urd_pool_job *job = urd__container(link, urd_pool_job, link);
        urd__pool_hold(job);
        urd__pool_fail(p, job, urd__load_acq(&job->next), p->cause, p->why);
        urd__pool_release(p, job, woken);
    }
}

void urd__pool_break(urd_pool *p, int rc, const char *why, urd__link *woken)
{
    int none = 0;
    if (!urd__cas_ar(&p->cause, &none, rc)) /* [cause] */
        return;
    snprintf(p->why, sizeof p->why, "%s", why ? why : "");
    fail_all(p, woken);
    move_waiters(&p->idle, woken);
    p->crew->take_back(p, NULL, woken);
    p->crew->stop(p);
}

void urd__pool_wake(urd__link *woken)
{
    for (urd__link *link; (link = urd__list_pop(woken)) != NULL;) {
        /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): set by its wait */
        urd__task *task = urd__container(link, urd__waiter, link)->task;
        urd__task_ready(task);
    }
}

int urd__pool_start(urd_pool *p, const urd__go_args *args)
{
    urd__go_args worker = *args;
    worker.ours = true;
    urd__lock(&p->lock);
    p->live++;
    urd__unlock(&p->lock);
    int rc = urd__go(p->scope, &worker);
    if (rc)
        urd__pool_leave(p);
    return rc;
}

void urd__pool_leave(urd_pool *p)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    if (--p->live == 0)
        move_waiters(&p->closers, &woken);
    urd__unlock(&p->lock); /* from here on the pool may be gone */
    urd__pool_wake(&woken);
}

/* ---- open and close ---- */

/* The walk of a cancel calls this under the locks of scopes. */
static void cancelled(urd__member *member, urd_scope *scope)
{
    (void)scope;
    urd_pool_cancel(urd__container(member, urd_pool, member));
}

static int check_options(urd_kind kind, int workers, const urd_pool_options *o)
{
    bool known = kind == URD_TASK || kind == URD_THREAD || kind == URD_PROCESS;
    if (!known || workers < 0 || workers > URD__RING_WORKERS_MAX || o->jobs_max < 0 ||
        o->retries_max < 0 || o->restarts_max < 0 || o->restart_duration < 0 ||
        o->workers_min < 0 || o->idle_duration < 0)
        return -EINVAL;
    if (o->workers_min > (workers ? workers : (int)urd__rt.nworkers))
        return -EINVAL;
    if ((o->process && kind != URD_PROCESS) || (o->carrier && kind == URD_PROCESS))
        return -EINVAL;
    return kind == URD_PROCESS && !urd__rt.processes ? -ENOTSUP : 0;
}

static void fill_in(urd_pool *p, urd_kind kind, int workers, const urd_pool_options *o)
{
    const urd__task *self = urd__task_self();
    p->crew = kind == URD_PROCESS ? &urd__crew_processes : &urd__crew_inside;
    p->kind = kind;
    p->workers = workers ? (unsigned)workers : urd__rt.nworkers;
    p->workers_min = o->workers_min ? (unsigned)o->workers_min : p->workers;
    p->idle_duration = o->idle_duration ? o->idle_duration : IDLE_USUAL;
    p->has_inbox = kind == URD_THREAD && p->workers_min == p->workers;
    p->scope = self->scope ? self->scope : &urd__rt.root;
    p->options = *o;
    if (!p->options.restarts_max)
        p->options.restarts_max = RESTARTS_USUAL;
    if (!p->options.restart_duration)
        p->options.restart_duration = RESTART_USUAL;
    snprintf(p->name, sizeof p->name, "%s", o->name ? o->name : "pool");
    urd__list_init(&p->queue);
    p->member.cancel = cancelled;
    urd__unread_open(p);
}

/* Under p->lock, which it releases: wait on the list until woken, whatever is cancelled. */
static void wait_in_peace(urd_pool *p, urd__link *list)
{
    urd__wait_on_shielded(urd__task_self(), list, &p->lock, URD__ON_POOL, p);
}

/* A cancel of its scope wakes those that wait in it before it reaches the pool, maybe. */
static void meet_cancel(urd_pool *p)
{
    if (urd__scope_cancelled(p->scope))
        urd_pool_cancel(p);
}

int urd_pool_close(urd_pool *p)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    meet_cancel(p);
    urd__lock(&p->lock);
    urd__store_rlx(&p->closing, true); /* under lock */
    urd__inbox_move_all(p);
    while (p->undone > 0) {
        wait_in_peace(p, &p->closers);
        urd__lock(&p->lock);
    }
    move_waiters(&p->idle, &woken);
    p->crew->stop(p);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    urd__lock(&p->lock);
    while (p->live > 0) {
        wait_in_peace(p, &p->closers);
        urd__lock(&p->lock);
    }
    urd__unlock(&p->lock);
    urd__scope_detach(p->scope, &p->member);
    int rc = urd__load_acq(&p->cause); /* [cause] */
    urd__unread_close(p, rc);
    if (p->options.carrier) {
        int closed = p->options.carrier->close(p->options.carrier_arg);
        rc = rc ? rc : closed;
    }
    p->crew->close(p);
    urd__os_free(p);
    return rc;
}

int urd_pool_open(urd_pool **out, urd_kind kind, int workers, const urd_pool_options *o)
{
    static const urd_pool_options usual;
    urd__runtime_need("urd_pool_open");
    *out = NULL;
    int rc = check_options(kind, workers, o ? o : &usual);
    if (rc)
        return rc;
    urd_pool *p = urd__os_alloc_aligned(_Alignof(urd_pool), sizeof *p);
    if (!p)
        return -ENOMEM;
    fill_in(p, kind, workers, o ? o : &usual);
    if (urd__scope_attach(p->scope, &p->member))
        urd_pool_cancel(p);
    rc = p->crew->open(p);
    if (rc == 0) {
        *out = p;
        return 0;
    }
    p->options.carrier = NULL; /* it stays the caller's */
    urd_pool_close(p);
    return rc;
}

void urd_pool_cancel(urd_pool *p)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    urd__pool_break(p, -ECANCELED, NULL, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
}

void urd_pool_get(urd_pool *p, urd_pool_state *out)
{
    *out = (urd_pool_state){0};
    urd__lock(&p->lock);
    urd__inbox_move(p);
    for (urd__link *l = urd__list_first(&p->queue); l && l != &p->queue; l = l->next) {
        const urd_pool_job *job = urd__container(l, urd_pool_job, link);
        size_t next = urd__load_acq(&job->next);
        out->waiting += next < job->n ? job->n - next : 0;
    }
    out->workers = (int)p->up;
    out->running = p->running;
    out->ended = p->ended;
    out->died = p->died;
    urd__unlock(&p->lock);
}

/* ---- give and wait ---- */

/* G2, G3 of inbox.c. */
static void settle(urd_pool *p)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    if (urd__load_acq(&p->cause)) /* [cause] */
        fail_all(p, &woken);
    else
        urd__inbox_settle(p, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
}

static int give_at_once(urd_pool *p, urd_pool_job *job)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    int rc = urd__load_acq(&p->cause); /* [cause] */
    if (rc) {
        urd__unlock(&p->lock);
        return rc;
    }
    urd__inbox_move(p);
    p->undone++;
    urd__list_push_tail(&p->queue, &job->link);
    size_t wakes = job->n;
    while (wakes > 0 && urd__inbox_call(p, &woken))
        wakes--;
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    p->crew->added(p, wakes);
    return 0;
}

int urd__pool_give(urd_pool *p, urd_pool_job *job)
{
    urd__wait_check_place(urd__task_self(), "a pool's job", job);
    job->pool = p;
    int known = urd__pool_knows(p, job->fn);
    if (known)
        return known;
    meet_cancel(p);
    if (urd__load_rlx(&p->closing)) /* nobody may do both at a time */
        urd__die("a job was given to pool \"%s\", which is being closed", p->name);
    if (!p->has_inbox || job->n > 1)
        return give_at_once(p, job);
    int rc = urd__load_acq(&p->cause); /* [cause] */
    if (rc)
        return rc;
    bool call = urd__inbox_put(p, job);
    if (call || urd__load_acq(&p->cause)) /* [cause] */
        settle(p);
    return 0;
}

bool urd_pool_done(const urd_pool_job *j)
{
    return urd__load_acq(&j->done) != 0; /* [done] */
}

const char *urd_pool_detail(const urd_pool_job *j)
{
    return j->detail;
}

static int wait_for(urd_pool_job *j)
{
    urd_pool *p = j->pool;
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&p->lock);
    if (urd_pool_done(j)) {
        urd__unlock(&p->lock);
        return 0;
    }
    urd__waiter waiter = {0};
    j->marks = 1;
    return urd__wait_on(self, &j->waiters, &p->lock, &waiter, URD__ON_POOL, p);
}

int urd_pool_wait(urd_pool_job *j)
{
    if (!urd_pool_done(j))
        j->pool->crew->help(j->pool, j, &j->done);
    int rc = urd_pool_done(j) ? 0 : wait_for(j);
    if (rc)
        return rc;
    urd__unread_take(j);
    return j->result;
}

bool urd__pool_take_back(urd_pool *p, urd_pool_job *job, int rc, urd__link *woken)
{
    urd__inbox_move(p);
    urd__pool_hold(job);
    size_t next = urd__load_acq(&job->next);
    if (next < job->n)
        urd__pool_fail(p, job, next, rc, NULL);
    p->crew->take_back(p, job, woken);
    bool none_begun = job->holders == 1;
    urd__pool_release(p, job, woken);
    return none_begun;
}

int urd_pool_drop(urd_pool_job *j)
{
    urd_pool *p = j->pool;
    urd__link woken = {0};
    urd__list_init(&woken);
    if (urd_pool_done(j))
        return -EBUSY;
    urd__lock(&p->lock);
    bool dropped = !urd_pool_done(j) && urd__pool_take_back(p, j, -ECANCELED, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    p->crew->added(p, 0); /* there may be room for others now */
    return dropped ? 0 : -EBUSY;
}

int urd_pool_submit(urd_pool_job *j, urd_pool *p, urd_pool_fn *fn, const void *in, size_t in_bytes,
                    void *out, size_t out_bytes)
{
    *j = (urd_pool_job){.fn = fn,
                        .in = in,
                        .out = out,
                        .in_bytes = in_bytes,
                        .out_bytes = out_bytes,
                        .n = 1,
                        .given_at = URD__CALLER};
    return urd__pool_give(p, j);
}

/* The caller of a map is cancelled: what was begun must end, since it uses the caller's memory. */
static int give_up(urd_pool *p, urd_pool_job *job)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    if (!urd_pool_done(job))
        urd__pool_take_back(p, job, -ECANCELED, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    p->crew->added(p, 0); /* there may be room for others now */
    urd__lock(&p->lock);
    if (urd_pool_done(job))
        urd__unlock(&p->lock);
    else {
        job->marks = 1;
        wait_in_peace(p, &job->waiters);
    }
    return job->result;
}

int urd_pool_map_sized(urd_pool *p, urd_pool_fn *fn, const void *in, size_t in_bytes, void *out,
                       size_t out_bytes, size_t n)
{
    urd_pool_job job = {
        .fn = fn, .in = in, .out = out, .in_bytes = in_bytes, .out_bytes = out_bytes, .n = n};
    int rc = urd__wait_enter(urd__task_self());
    if (rc == 0 && n > 0)
        rc = urd__pool_give(p, &job);
    if (rc || n == 0)
        return rc;
    if (urd_pool_wait(&job) && !urd_pool_done(&job))
        return give_up(p, &job);
    return job.result;
}
