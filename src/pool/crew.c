/*
 * crew.c - workers that are tasks or threads of this process.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker takes hold of the first job that has elements left, and one of them; then it draws more
 * of that job one at a time by one atomic addition, without the lock, until there are none: so that
 * no element waits behind another while a worker is free, and a small one costs little.  A job of
 * one element leaves the queue with it, and the next is taken under the lock that ends it.
 *
 * Who waits for a job lies in `idle`, the last to come first: so in a pool that may shrink those at
 * the end have long had nothing to do.  One that leaves says so under the lock at which it saw no
 * job in the queue; a job that comes later finds it gone, and starts another.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"
#include "pool/pool.h"

enum { LOAD_BYTES = 1 << 20 };

#if defined(URD_MODEL)
enum { LOOKS = 0 };
#elif defined(URD_HOSTILE)
enum { LOOKS = 2 };
#else
enum { LOOKS = 250 };
#endif
enum { RESTS = 4 }; /* between looks: all in all some 40 us, about what a wake costs */

enum { NONE, GOT, COMES }; /* what a worker has when it has ended a job */

static int knows(urd_pool_fn *fn)
{
    (void)fn;
    return 0;
}

/* A long row of elements must not keep others from the worker, nor a deadline from passing. */
static bool is_cancelled(const urd__task *self)
{
    if (self->worker && urd__worker_wanted(self->worker))
        return urd_yield() != 0;
    return self->scope && urd__scope_cancelled(self->scope);
}

/* Elements that a worker holds: of a job, from this one on. */
typedef struct share {
    urd_pool_job *job;
    size_t index;
} share;

/* Run this element, and more until there are none, or one fails; under no lock. */
static size_t draw(urd_pool *p, share held)
{
    const urd__task *self = urd__task_self();
    urd_pool_job *job = held.job;
    size_t ran = 0, n = job->n;
    for (size_t i = held.index; i < n;
         i = urd__load_acq(&job->next) < n ? urd__add_ar(&job->next, 1) : n) {
        ran++;
        int rc = i == 0 ? urd__pool_call(self, job->fn, job->in, job->out)
                        : urd__pool_call(self, job->fn, job->in + i * job->in_bytes,
                                         job->out + i * job->out_bytes);
        if (rc == 0 && !is_cancelled(self))
            continue;
        urd__lock(&p->lock);
        if (rc)
            urd__pool_fail(p, job, i, rc, NULL);
        else if (urd__load_acq(&job->next) < job->n)
            urd__pool_fail(p, job, job->n, -ECANCELED, NULL);
        urd__unlock(&p->lock);
    }
    return ran;
}

/* How many elements to carry at once: as many as take a millisecond, by how long the last `n` took,
 * and never more than leaves the others their share. */
static size_t portion(const urd_pool *p, const urd_pool_job *job, size_t n, urd_time took)
{
    size_t next = urd__load_acq(&job->next), left = next < job->n ? job->n - next : 0;
    size_t fair = left / (2 * (size_t)p->workers), bytes = job->in_bytes + job->out_bytes;
    n = took < URD_MS ? n * 2 : took > 2 * URD_MS ? n / 2 : n;
    n = n < fair ? n : fair;
    n = bytes > 0 && n > LOAD_BYTES / bytes ? LOAD_BYTES / bytes : n;
    return n > 0 ? n : 1;
}

/* As draw, but elsewhere, and several at once. */
static size_t carry(urd_pool *p, share held)
{
    const urd__task *self = urd__task_self();
    urd_pool_job *job = held.job;
    size_t ran = 0, n = 1;
    for (size_t at = held.index; at < job->n;
         at = urd__load_acq(&job->next) < job->n ? urd__add_ar(&job->next, n) : job->n) {
        urd_pool_load load = {.fn = job->fn,
                              .in = job->in + at * job->in_bytes,
                              .out = job->out + at * job->out_bytes,
                              .in_bytes = job->in_bytes,
                              .out_bytes = job->out_bytes,
                              .n = n < job->n - at ? n : job->n - at};
        urd_time begun = urd_now();
        int rc = p->options.carrier->carry(p->options.carrier_arg, &load);
        bool over = is_cancelled(self);
        ran += load.n;
        urd__lock(&p->lock);
        if (rc)
            urd__pool_fail(p, job, at + load.failed, rc, load.detail);
        else if (over && urd__load_acq(&job->next) < job->n)
            urd__pool_fail(p, job, job->n, -ECANCELED, NULL);
        urd__unlock(&p->lock);
        n = portion(p, job, load.n, urd_now() - begun);
    }
    return ran;
}

/* Under lock: the first job with elements left; it is held then. */
static bool take_first(urd_pool *p, share *held)
{
    if (!urd__pool_next(p, &held->job, &held->index))
        return false;
    urd__pool_hold(held->job);
    p->running++;
    return true;
}

/* Under lock.  One is enough. */
static bool may_look(const urd_pool *p)
{
    return p->has_inbox && p->coming == 0 && urd__rt.nworkers > 1;
}

/* Somebody waits for the job that is about to be done, and may give the next one then. */
static void look(const urd_pool *p)
{
    for (int i = 0; i < LOOKS && urd__inbox_is_empty(p); i++)
        for (int rest = 0; rest < RESTS; rest++)
            urd__spin_hint();
}

/* Under lock: so many elements of the job were run. */
static void end_work(urd_pool *p, urd_pool_job *job, size_t ran, urd__link *woken)
{
    p->running--;
    p->ended += ran;
    urd__pool_release(p, job, woken);
}

/* The caller, a worker, holds it.  GOT: it holds the next one.  COMES: it has looked for one, and
 * is to look into the queue. */
static int work_on(urd_pool *p, share *held)
{
    const urd__task *self = urd__task_self();
    urd_pool_job *job = held->job;
    urd__link woken = {0};
    urd__list_init(&woken);
    size_t ran = p->options.carrier ? carry(p, *held) : draw(p, *held);
    urd__lock(&p->lock);
    bool cancelled = self->scope && urd__scope_cancelled(self->scope);
    bool more = !cancelled && take_first(p, held);
    bool looks = !more && !cancelled && may_look(p);
    if (looks)
        urd__inbox_look(p);
    end_work(p, job, ran, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    if (looks)
        look(p);
    return more ? GOT : looks ? COMES : NONE;
}

/* Which of the tasks is self?  NULL is a place that is free, to be looked for under lock. */
static urd__task **place_of(const urd_pool *p, const urd__task *self)
{
    for (unsigned i = 0; i < p->workers; i++)
        if (urd__load_rlx(&p->tasks[i]) == self) /* own stores alone can make it equal */
            return &p->tasks[i];
    return NULL;
}

/* Under lock: no job finds it any more. */
static void retire(urd_pool *p, const urd__task *self)
{
    urd__store_rlx(place_of(p, self), NULL); /* under lock */
    p->up--;
}

/* Under lock, which it releases: wait until woken.  0, and it may be coming; -ECANCELED, or
 * -ETIMEDOUT. */
static int rest(urd_pool *p, urd__task *self, bool *comes)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    urd_time until = URD_FOREVER, now = urd_now();
    if (p->up > p->workers_min && p->idle_duration < URD_FOREVER - now)
        until = now + p->idle_duration;
    urd__waiter waiter = {.task = self};
    waiter.word = urd__wait_begin(self, self->scope, URD__ON_POOL, p);
    urd__list_push_head(&p->idle, &waiter.link);
    urd__inbox_settle(p, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    int rc = urd__wait_end_until(self, waiter.word, until);
    *comes = rc == 0 && waiter.result;
    if (rc) {
        urd__lock(&p->lock);
        if (urd__list_linked(&waiter.link))
            urd__list_remove(&waiter.link);
        urd__unlock(&p->lock);
    }
    return rc;
}

/* The first job with elements left; waits for one.  False: *rc says why the worker ends. */
static bool take(urd_pool *p, urd__task *self, share *held, bool comes, int *rc)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    for (bool idle = false;;) {
        *rc = urd__wait_enter(self);
        if (*rc)
            return false;
        urd__lock(&p->lock);
        p->coming -= comes; /* W1 */
        if (take_first(p, held)) {
            urd__inbox_settle(p, &woken);
            urd__unlock(&p->lock);
            urd__pool_wake(&woken);
            return true;
        }
        bool leaves = idle && p->up > p->workers_min;
        if (leaves)
            retire(p, self);
        if (leaves || urd__load_rlx(&p->closing) || urd__load_acq(&p->cause)) {
            urd__unlock(&p->lock);
            return false;
        }
        *rc = rest(p, self, &comes);
        idle = *rc == -ETIMEDOUT;
        if (*rc && !idle)
            return false;
    }
}

static int work(urd_pool *p, urd__task *self)
{
    int rc = p->options.begin ? p->options.begin(p->options.arg) : 0;
    if (rc)
        return rc;
    share held;
    for (int found = NONE; found == GOT || take(p, self, &held, found == COMES, &rc);)
        found = work_on(p, &held);
    if (p->options.end) {
        int ended = p->options.end(p->options.arg);
        rc = rc ? rc : ended;
    }
    return rc;
}

static int worker_main(void *arg)
{
    urd_pool *p = arg;
    urd__task *self = urd__task_self();
    urd__lock(&p->lock);
    urd__store_rlx(place_of(p, NULL), self); /* under lock */
    urd__unlock(&p->lock);
    int rc = work(p, self);
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    if (place_of(p, self))
        retire(p, self);
    if (rc)
        urd__pool_break(p, rc, NULL, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    urd__pool_leave(p);
    return 0; /* the error is the pool's, which says so at each call, and not the scope's */
}

/* The caller holds it, within a job of its own. */
static void run_alone(urd_pool *p, share held)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    size_t ran = p->options.carrier ? carry(p, held) : draw(p, held);
    urd__lock(&p->lock);
    end_work(p, held.job, ran, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
}

/* To sleep until a thread has ended the job and woken the caller costs more than a short job takes:
 * so he looks himself, for a moment, while nobody else wants his worker. */
static void look_for_end(const int *done)
{
    const urd__task *self = urd__task_self();
    for (int i = 0; i < LOOKS && !urd__load_acq(done); i++) { /* [done] */
        if (self->worker && urd__worker_wanted(self->worker))
            return;
        for (int rest = 0; rest < RESTS; rest++)
            urd__spin_hint();
    }
}

/* A job that gives its own pool a job, and waits for it, would wait for ever if all workers did. */
static void help(urd_pool *p, urd_pool_job *job, const int *done)
{
    if (!place_of(p, urd__task_self())) {
        if (p->kind == URD_THREAD)
            look_for_end(done);
        return;
    }
    if (!job)
        return;
    urd__lock(&p->lock);
    urd__inbox_move(p);
    share own = {.job = job};
    bool held = !urd_pool_done(job) && urd__load_acq(&job->next) < job->n &&
                urd__pool_draw(job, &own.index);
    if (held) {
        urd__pool_hold(job);
        p->running++;
    }
    urd__unlock(&p->lock);
    if (held)
        run_alone(p, own);
}

static void take_back(urd_pool *p, const urd_pool_job *job, urd__link *woken)
{
    (void)p;
    (void)job;
    (void)woken; /* what was handed out is running */
}

/* It was counted as up, and has never begun. */
static void leave(void *pool)
{
    urd_pool *p = pool;
    urd__lock(&p->lock);
    p->up--;
    urd__unlock(&p->lock);
    urd__pool_leave(p);
}

/* One more, which is counted as up already. */
static int start_one(urd_pool *p, bool optional)
{
    urd__go_args args = {.kind = p->kind,
                         .fn = worker_main,
                         .arg = p,
                         .where = p->name,
                         .refused = leave,
                         .optional = optional};
    int rc = urd__pool_start(p, &args);
    if (rc == 0)
        return 0;
    urd__lock(&p->lock);
    p->up--;
    urd__unlock(&p->lock);
    return rc;
}

static int start(urd_pool *p)
{
    p->tasks = urd__os_alloc(p->workers * sizeof(void *));
    if (!p->tasks)
        return -ENOMEM;
    for (unsigned i = 0; i < p->workers_min; i++) {
        urd__lock(&p->lock);
        p->up++;
        urd__unlock(&p->lock);
        int rc = start_one(p, false);
        if (rc)
            return rc;
    }
    return 0;
}

/* Should one more not be had, those that are there do it. */
static void added(urd_pool *p, size_t unserved)
{
    for (; unserved > 0 && p->workers_min < p->workers; unserved--) {
        urd__lock(&p->lock);
        bool grow = urd__pool_grow(p);
        urd__unlock(&p->lock);
        if (!grow || start_one(p, true))
            return;
    }
}

static void nothing(urd_pool *p)
{
    (void)p;
}

static void free_crew(urd_pool *p)
{
    urd__os_free(p->tasks);
}

const urd__crew urd__crew_inside = {.knows = knows,
                                    .open = start,
                                    .added = added,
                                    .help = help,
                                    .take_back = take_back,
                                    .stop = nothing,
                                    .close = free_crew};
