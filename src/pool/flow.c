/*
 * flow.c - arguments made as they are needed, results taken as they come.
 *
 * SPDX-License-Identifier: MIT
 *
 * A flow has so many entries, each a job of the pool with room for its argument and its result, and
 * no more than these are ever between the source and who takes the results.  An entry is
 *
 *     free     in `free`; the owner's
 *     given    the pool's, until it is done
 *     ready    in `ready`, to which the pool moves it under its lock as the job is done
 *     taken    `taken`: what the owner looks at, until its next call
 *
 * Owner: the job that calls.  The link of a job is its place in the pool's queue first, and then in
 * `ready`; the two cannot be at once, as a job in the queue is not done.
 */
#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/wait.h"
#include "pool/pool.h"

enum { INFLOW_USUAL = 16, INFLOW_MAX = 1 << 20, ALIGN = 64 };

typedef struct entry {
    urd_pool_job job;
    size_t index;       /* owner only */
    unsigned char *in;  /* set once: room for the argument; NULL: it is in the caller's array */
    unsigned char *out; /* set once */
    struct entry *next; /* owner only: in `free` */
} entry;

struct urd_pool_flow {
    urd_pool *pool; /* these are set once */
    urd_pool_fn *fn;
    urd_pool_flow_options options;
    size_t nentries;
    unsigned char *data;
    entry **order; /* owner only, of an ordered one: the entry of argument i at i % nentries */
    entry *free;   /* owner only, as is what follows up to `end` */
    entry *taken;
    size_t made, passed; /* arguments; results */
    bool ended;          /* no more arguments come */
    int end;             /* why not; 0: the source has no more */

    urd__link ready;            /* under the pool's lock */
    urd__link waiters;          /* under the pool's lock: the owner */
    const urd_pool_job *wanted; /* under the pool's lock: the one it waits for; NULL: any */
    int nready;                 /* atomic, written under the pool's lock */
    entry entries[];
};

void urd__flow_done(urd_pool_job *job, urd__link *woken)
{
    urd_pool_flow *f = job->flow;
    urd__list_push_tail(&f->ready, &job->link);
    urd__add_ar(&f->nready, 1);
    if (f->wanted && f->wanted != job)
        return;
    urd__waiter *owner = urd__wait_pop(&f->waiters);
    if (owner)
        urd__list_push_tail(woken, &owner->link);
}

/* ---- open ---- */

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int check(urd_pool *p, urd_pool_fn *fn, const urd_pool_flow_options *o, size_t *entries)
{
    size_t usual = (size_t)INFLOW_USUAL * p->workers;
    *entries = o->inflow_max ? (size_t)o->inflow_max : usual;
    size_t in = o->source ? o->in_bytes : 0;
    if (o->inflow_max < 0 || o->inflow_max > INFLOW_MAX || (o->source && (o->in || o->n)))
        return -EINVAL;
    if (in > SIZE_MAX / 4 || o->out_bytes > SIZE_MAX / 4 ||
        aligned(in) + aligned(o->out_bytes) > SIZE_MAX / 2 / *entries)
        return -ENOMEM;
    return urd__pool_knows(p, fn);
}

/* For processes in shared memory, which is aligned to less: so nothing is copied on the way. */
static void *alloc_data(const urd_pool *p, size_t bytes)
{
    bytes = bytes ? bytes : ALIGN; /* of no arguments and no results */
    return p->kind == URD_PROCESS ? urd_shared_alloc(bytes + ALIGN)
                                  : urd__os_alloc_aligned(ALIGN, bytes);
}

static void free_data(const urd_pool *p, void *data)
{
    if (p->kind == URD_PROCESS)
        urd_shared_free(data);
    else
        urd__os_free(data);
}

static void place_entries(urd_pool_flow *f, unsigned char *at)
{
    size_t in = f->options.source ? aligned(f->options.in_bytes) : 0;
    size_t out = aligned(f->options.out_bytes);
    for (size_t i = f->nentries; i-- > 0;) {
        entry *e = &f->entries[i];
        e->in = f->options.source ? at + i * (in + out) : NULL;
        e->out = at + i * (in + out) + in;
        e->next = f->free;
        f->free = e;
    }
}

static void free_flow(urd_pool_flow *f)
{
    free_data(f->pool, f->data);
    urd__os_free(f->order);
    urd__os_free(f);
}

int urd_pool_flow_open(urd_pool_flow **out, urd_pool *p, urd_pool_fn *fn,
                       const urd_pool_flow_options *o)
{
    size_t n;
    *out = NULL;
    int rc = check(p, fn, o, &n);
    if (rc)
        return rc;
    urd_pool_flow *f = urd__os_alloc(sizeof *f + n * sizeof(entry));
    if (!f)
        return -ENOMEM;
    *f = (urd_pool_flow){.pool = p, .fn = fn, .options = *o, .nentries = n};
    memset(f->entries, 0, n * sizeof(entry));
    urd__list_init(&f->ready);
    size_t one = (o->source ? aligned(o->in_bytes) : 0) + aligned(o->out_bytes);
    f->data = alloc_data(p, n * one);
    f->order = o->ordered ? urd__os_alloc(n * sizeof(void *)) : NULL;
    if (!f->data || (o->ordered && !f->order)) {
        free_flow(f);
        return -ENOMEM;
    }
    place_entries(f, f->data + (ALIGN - (uintptr_t)f->data % ALIGN) % ALIGN);
    *out = f;
    return 0;
}

/* ---- arguments in ---- */

/* The argument of the entry; 1, 0, -errno as the source. */
static int make_argument(urd_pool_flow *f, entry *e, const unsigned char **in)
{
    const urd_pool_flow_options *o = &f->options;
    *in = e->in;
    if (o->source)
        return o->source(o->arg, e->in);
    *in = (const unsigned char *)o->in + f->made * o->in_bytes;
    return f->made < o->n;
}

/* One more; 0: none, and `ended` says whether ever; -ECANCELED. */
static int give_one(urd_pool_flow *f)
{
    entry *e = f->free;
    const unsigned char *in;
    int rc = make_argument(f, e, &in);
    if (rc == -ECANCELED)
        return rc;
    if (rc > 1)
        urd__die("a source of a flow returned %d; it returns 1, 0 or a negative errno", rc);
    if (rc == 1) {
        e->job = (urd_pool_job){.fn = f->fn,
                                .in = in,
                                .out = e->out,
                                .in_bytes = f->options.in_bytes,
                                .out_bytes = f->options.out_bytes,
                                .n = 1,
                                .marks = 1,
                                .flow = f};
        rc = urd__pool_give(f->pool, &e->job);
        rc = rc ? rc : 1;
    }
    if (rc <= 0) {
        e->job.flow = NULL;
        f->ended = true;
        f->end = rc;
        return 0;
    }
    f->free = e->next;
    e->index = f->made++;
    if (f->order)
        f->order[e->index % f->nentries] = e;
    return 1;
}

/* The one that must come next; NULL: any may. */
static urd_pool_job *next_in_order(const urd_pool_flow *f)
{
    return f->order && f->passed < f->made ? &f->order[f->passed % f->nentries]->job : NULL;
}

static bool is_ready(const urd_pool_flow *f)
{
    const urd_pool_job *job = next_in_order(f);
    return job ? urd_pool_done(job) : urd__load_acq(&f->nready) > 0;
}

/* As long as no result is there.  When one is, several at once, since each that comes alone wakes a
 * worker; but no slow source keeps a result from its taker. */
static int give_more(urd_pool_flow *f)
{
    static const urd_time quick = 20 * URD_US;
    size_t busy = f->made - f->passed;
    if (is_ready(f) && busy > f->nentries - f->nentries / 4)
        return 0;
    urd_time begun = urd_now();
    int rc = 1;
    while (rc > 0 && f->free && !f->ended && (!is_ready(f) || urd_now() - begun < quick))
        rc = give_one(f);
    return rc < 0 ? rc : 0;
}

/* ---- results out ---- */

static entry *take_ready(urd_pool_flow *f)
{
    urd_pool_job *job = next_in_order(f);
    urd__lock(&f->pool->lock);
    urd__link *link = urd__list_first(&f->ready);
    if (job)
        link = urd_pool_done(job) ? &job->link : NULL;
    if (link) {
        urd__list_remove(link);
        urd__sub_ar(&f->nready, 1);
    }
    urd__unlock(&f->pool->lock);
    return link ? urd__container(urd__container(link, urd_pool_job, link), entry, job) : NULL;
}

/* Of what was given: one that no worker has begun, which a worker that waits here may run. */
static urd_pool_job *unbegun(urd_pool_flow *f)
{
    urd_pool_job *first = next_in_order(f);
    for (size_t i = 0; !first && i < f->nentries; i++) {
        urd_pool_job *job = &f->entries[i].job;
        if (job->flow && !urd_pool_done(job) && urd__load_acq(&job->next) == 0)
            first = job;
    }
    return first;
}

static int wait_for_one(urd_pool_flow *f)
{
    urd_pool *p = f->pool;
    urd__task *self = urd__task_self();
    urd_pool_job *next = next_in_order(f), *job = unbegun(f);
    p->crew->help(p, job, next ? &next->done : &f->nready);
    if (is_ready(f))
        return 0;
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__lock(&p->lock);
    if (is_ready(f)) {
        urd__unlock(&p->lock);
        return 0;
    }
    f->wanted = next;
    urd__waiter waiter = {0};
    return urd__wait_on(self, &f->waiters, &p->lock, &waiter, URD__ON_POOL, p);
}

static void let_go(urd_pool_flow *f)
{
    entry *e = f->taken;
    if (!e)
        return;
    e->job.flow = NULL;
    e->next = f->free;
    f->free = e;
    f->taken = NULL;
}

static void hand_out(urd_pool_flow *f, entry *e, urd_pool_result *r)
{
    f->taken = e;
    f->passed++;
    *r = (urd_pool_result){.index = e->index,
                           .result = e->job.result,
                           .in = e->job.in,
                           .out = e->out,
                           .detail = e->job.detail};
    if (f->options.progress)
        urd_progress_add(f->options.progress, 1);
}

int urd_pool_flow_next(urd_pool_flow *f, urd_pool_result *r)
{
    urd__wait_check_place(urd__task_self(), "urd_pool_flow_next", f);
    int rc = urd__wait_enter(urd__task_self());
    if (rc)
        return rc;
    let_go(f);
    for (;;) {
        rc = give_more(f);
        if (rc)
            return rc;
        entry *e = take_ready(f);
        if (e) {
            hand_out(f, e, r);
            return 1;
        }
        if (f->passed == f->made)
            return f->end;
        rc = wait_for_one(f);
        if (rc)
            return rc;
    }
}

/* ---- close ---- */

/* Of what was given and not taken, which is all done: the error of the first that failed.  What was
 * cancelled is no error of its own. */
static int first_unread(const urd_pool_flow *f)
{
    const entry *first = NULL;
    for (size_t i = 0; i < f->nentries; i++) {
        const entry *e = &f->entries[i];
        if (e->job.flow && e->job.result && e->job.result != -ECANCELED &&
            (!first || e->index < first->index))
            first = e;
    }
    return first ? first->job.result : 0;
}

int urd_pool_flow_close(urd_pool_flow *f)
{
    if (!f)
        return 0;
    urd_pool *p = f->pool;
    urd__link woken = {0};
    urd__list_init(&woken);
    let_go(f);
    urd__lock(&p->lock);
    for (size_t i = 0; i < f->nentries; i++) {
        urd_pool_job *job = &f->entries[i].job;
        if (job->flow && !urd_pool_done(job))
            urd__pool_take_back(p, job, -ECANCELED, &woken);
    }
    f->wanted = NULL;
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    p->crew->added(p, 0); /* there may be room for others now */
    urd__lock(&p->lock);
    while ((size_t)urd__load_acq(&f->nready) < f->made - f->passed) {
        urd__wait_on_shielded(urd__task_self(), &f->waiters, &p->lock, URD__ON_POOL, p);
        urd__lock(&p->lock);
    }
    urd__unlock(&p->lock);
    int rc = first_unread(f);
    free_flow(f);
    return rc;
}
