/*
 * procs.c - workers that are processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each worker is a process job, kept by a task of ours, its keeper, which waits for its end: if
 * the process died the keeper looks through the slots, fails or repeats the job that it held, and
 * starts another.  Jobs go out in feed(), called by whoever gives one or sees a slot get free; ends
 * come in through reap(), called by whoever waits for a job and, when nobody looks, by a thread of
 * the pool, the collector, which sleeps on the ring.
 *
 * Who owns a slot: feed() from when it takes it off the list of free ones until it has pushed it;
 * a worker while it is TAKEN; reap() from when urd__ring_reap() gave it; all by the pool's lock or
 * by the state of the slot.
 */
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
#include "pool/pool.h"
#include "proc/image.h"
#include "proc/intensity.h"
#include "proc/process.h"
#include "proc/setup.h"
#include "proc/shared.h"

enum { AT_ONCE = 32, ALIGN = 16, LOOKS = 2000 };

static const size_t KEPT_BYTES_MAX = (size_t)64 << 20;
enum { KEPT_PART = 16 }; /* of the shared heap, at most */

/* Of the shared heap: for what does not fit into a slot. */
typedef struct block {
    void *at; /* whose first word leads to the next of `spare` */
    size_t bytes;
} block;

/* What a worker process is given; in shared memory. */
typedef struct seat {
    urd__ring *ring; /* these are set once */
    unsigned index;
    int jobs_max;
    int64_t idle_duration; /* INT64_MAX: it does not leave by itself */
    urd_fn *begin, *end;   /* their names, see proc/image.h; or NULL */
    void *arg;
    int result; /* of begin or end; set before the process returns */
} seat;

typedef struct keeper {
    urd_pool *pool;
    seat *seat;
    bool up;         /* under the pool's lock: it runs, and has not decided to leave */
    uint64_t reaped; /* atomic, written under the pool's lock: numbers seen of its ring */
} keeper;

struct urd__procs {
    void *shared;               /* these are set once: the memory of ring and seats */
    urd_process_options *setup; /* of each worker; or NULL */
    urd__ring *ring;
    keeper *keepers;
    urd__intensity deaths; /* under the pool's lock, as is what follows */
    int nfree;
    bool starved;                  /* the ring had no room */
    size_t kept_bytes;             /* of blocks of free slots */
    size_t kept_max;               /* set once */
    void *spare;                   /* blocks that are to be freed: by feed(), under no lock */
    block blocks[URD__RING_SLOTS]; /* by slot; of who owns the slot */
    uint16_t free_slots[URD__RING_SLOTS];
};

/* ---- in the worker ---- */

static void run_slot(const seat *s, urd__slot *slot)
{
    urd_pool_fn *fn = (urd_pool_fn *)(uintptr_t)urd__image_find(slot->fn);
    slot->result = fn ? urd__pool_call(urd__task_self(), fn, slot->in, slot->out) : -ENOENT;
    urd__ring_done(s->ring, s->index, slot);
}

static int process_main(void *arg)
{
    seat *s = arg;
    urd__ring_enter(s->ring, s->index);
    urd_fn *begin = urd__image_find(s->begin), *end = urd__image_find(s->end);
    if ((s->begin && !begin) || (s->end && !end))
        return s->result = -ENOENT;
    s->result = begin ? begin(s->arg) : 0;
    if (s->result)
        return s->result;
    int jobs = 0;
    for (urd__slot *slot; (slot = urd__ring_take(s->ring, s->index, s->idle_duration)) != NULL;) {
        run_slot(s, slot);
        if (s->jobs_max && ++jobs >= s->jobs_max)
            break;
    }
    s->result = end ? end(s->arg) : 0;
    return s->result;
}

/* ---- jobs go out ---- */

static int keep(void *arg);

/* Under lock: another keeper may take the place from now on. */
static void vacate(keeper *k)
{
    k->up = false;
    k->pool->up--;
}

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static block *block_of(struct urd__procs *procs, const urd__slot *slot)
{
    return &procs->blocks[slot - procs->ring->slots];
}

/* Under lock: it is of a slot that is free. */
static void spare(struct urd__procs *procs, block *b)
{
    *(void **)b->at = procs->spare;
    procs->spare = b->at;
    *b = (block){0};
}

static void free_spare(void *first)
{
    while (first) {
        void *next = *(void **)first;
        urd_shared_free(first);
        first = next;
    }
}

/* Under lock: the slot is free.  The next large argument is put where the last one was, since
 * memory that is new to a process costs more than the copy: each page is a fault, on both sides. */
static void keep_block(struct urd__procs *procs, urd__slot *slot)
{
    block *b = block_of(procs, slot);
    if (b->bytes == 0)
        return;
    if (b->bytes > procs->kept_max - procs->kept_bytes)
        spare(procs, b);
    else
        procs->kept_bytes += b->bytes;
}

/* The heap is full: what free slots keep is given back. */
static void give_kept(urd_pool *p)
{
    struct urd__procs *procs = p->procs;
    urd__lock(&p->lock);
    for (int i = 0; i < procs->nfree; i++) {
        block *b = &procs->blocks[procs->free_slots[i]];
        if (b->bytes)
            spare(procs, b);
    }
    procs->kept_bytes = 0;
    void *freed = procs->spare;
    procs->spare = NULL;
    urd__unlock(&p->lock);
    free_spare(freed);
}

/* The slot is the caller's.  NULL: the heap is full. */
static void *room_for(urd_pool *p, urd__slot *slot, size_t bytes)
{
    block *b = block_of(p->procs, slot);
    if (b->bytes >= bytes)
        return b->at;
    urd_shared_free(b->at);
    *b = (block){.at = urd_shared_alloc(bytes)};
    if (!b->at) {
        give_kept(p);
        b->at = urd_shared_alloc(bytes);
    }
    b->bytes = b->at ? bytes : 0;
    return b->at;
}

/* What is shared memory already goes by pointer; the rest is copied into the slot, or beside it. */
static int fill(urd_pool *p, urd__slot *slot)
{
    const urd_pool_job *job = slot->job;
    const unsigned char *in = job->in + slot->index * job->in_bytes;
    unsigned char *out = job->out + slot->index * job->out_bytes;
    bool in_shared = job->in_bytes == 0 || urd__shared_holds(in);
    bool out_shared = job->out_bytes == 0 || urd__shared_holds(out);
    size_t in_bytes = in_shared ? 0 : aligned(job->in_bytes);
    size_t bytes = in_bytes + (out_shared ? 0 : job->out_bytes);
    unsigned char *at = slot->bytes;
    if (bytes > sizeof slot->bytes) {
        at = room_for(p, slot, bytes);
        if (!at)
            return -ENOMEM;
    }
    if (in_bytes)
        memcpy(at, in, job->in_bytes);
    slot->fn = urd__image_name((urd_fn *)(uintptr_t)job->fn);
    slot->in = in_shared ? in : at;
    slot->out = out_shared ? out : at + in_bytes;
    slot->tries = 0;
    return 0;
}

/* Under lock: for `more` than those that others are filling? */
static bool has_room(struct urd__procs *procs)
{
    procs->starved = !urd__ring_has_room(procs->ring);
    return !procs->starved;
}

/* Under lock: give elements to free slots; *spares is what the caller is to free. */
static int reserve(urd_pool *p, urd__slot **slots, void **spares)
{
    struct urd__procs *procs = p->procs;
    int n = 0;
    urd_pool_job *job;
    size_t index;
    while (n < AT_ONCE && procs->nfree > 0 && has_room(procs) && urd__pool_next(p, &job, &index)) {
        urd__slot *slot = &procs->ring->slots[procs->free_slots[--procs->nfree]];
        urd__pool_hold(job);
        p->running++;
        slot->job = job;
        slot->index = index;
        procs->kept_bytes -= block_of(procs, slot)->bytes;
        slots[n++] = slot;
    }
    *spares = procs->spare;
    procs->spare = NULL;
    return n;
}

/* Under lock: its element has ended, and the slot is free. */
static void retire(urd_pool *p, urd__slot *slot, urd__link *woken)
{
    struct urd__procs *procs = p->procs;
    urd_pool_job *job = slot->job;
    p->running--;
    p->ended++;
    procs->free_slots[procs->nfree++] = (uint16_t)(slot - procs->ring->slots);
    keep_block(procs, slot);
    urd__pool_release(p, job, woken);
}

/* Under lock: the slot is free, and its element was not run. */
static void give_back(urd_pool *p, urd__slot *slot, int rc, urd__link *woken)
{
    const urd_pool_job *job = slot->job;
    if (!job->result)
        urd__pool_fail(p, slot->job, slot->index, rc, p->why);
    retire(p, slot, woken);
}

static void take_back(urd_pool *p, const urd_pool_job *job, int rc, urd__link *woken)
{
    for (int i = 0; p->procs->ring && i < URD__RING_SLOTS; i++) {
        urd__slot *slot = &p->procs->ring->slots[i];
        if ((!job || slot->job == job) && urd__ring_take_back(slot))
            give_back(p, slot, rc, woken);
    }
}

/* Under lock: the slot is free, and its element failed: the rest of its job is not to be run. */
static void fail(urd_pool *p, urd__slot *slot, int rc, const char *detail, urd__link *woken)
{
    urd_pool_job *job = slot->job;
    bool first = job->result == 0;
    urd__pool_fail(p, job, slot->index, rc, detail);
    if (first)
        take_back(p, job, rc, woken); /* this slot holds the job yet */
    retire(p, slot, woken);
}

/* Under lock: the slot is filled, or its worker died. */
static void push(urd_pool *p, urd__slot *slot, urd__link *woken)
{
    int cause = urd__load_acq(&p->cause); /* [cause] */
    if (cause)
        give_back(p, slot, cause, woken);
    else
        urd__ring_push(p->procs->ring, slot);
}

/* The keeper never began. */
static void leave(void *arg)
{
    keeper *k = arg;
    urd_pool *p = k->pool;
    urd__lock(&p->lock);
    vacate(k);
    urd__unlock(&p->lock);
    urd__ring_wake_parent(p->procs->ring);
    urd__pool_leave(p);
}

/* Start the keeper, which is counted as up already. */
static int start_keeper(keeper *k, bool optional)
{
    urd_pool *p = k->pool;
    urd__go_args args = {.kind = URD_TASK,
                         .fn = keep,
                         .arg = k,
                         .where = p->name,
                         .refused = leave,
                         .optional = optional};
    int rc = urd__pool_start(p, &args);
    if (rc == 0)
        return 0;
    urd__lock(&p->lock);
    vacate(k);
    urd__unlock(&p->lock);
    return rc;
}

/* Under lock: a place that is vacant, counted as up from now on; or NULL. */
static keeper *occupy(urd_pool *p)
{
    if (urd__load_acq(&p->cause) || !urd__pool_grow(p)) /* [cause] */
        return NULL;
    keeper *k = p->procs->keepers;
    while (k->up)
        k++;
    k->up = true;
    return k;
}

/* Should one more not be had, those that are there do it. */
static void grow(urd_pool *p, size_t unserved)
{
    for (; unserved > 0 && p->workers_min < p->workers; unserved--) {
        urd__lock(&p->lock);
        keeper *k = occupy(p);
        urd__unlock(&p->lock);
        if (!k || start_keeper(k, true))
            return;
    }
}

static void feed(urd_pool *p)
{
    urd__slot *slots[AT_ONCE];
    int rcs[AT_ONCE];
    for (;;) {
        void *spares;
        urd__link woken = {0};
        urd__list_init(&woken);
        urd__lock(&p->lock);
        int n = reserve(p, slots, &spares);
        urd__unlock(&p->lock);
        free_spare(spares);
        if (n == 0)
            return;
        for (int i = 0; i < n; i++)
            rcs[i] = fill(p, slots[i]);
        urd__lock(&p->lock);
        for (int i = 0; i < n; i++) {
            if (rcs[i])
                fail(p, slots[i], rcs[i], NULL, &woken);
            else
                push(p, slots[i], &woken);
        }
        urd__unlock(&p->lock);
        size_t unserved = urd__ring_unserved(p->procs->ring);
        urd__ring_wake(p->procs->ring);
        urd__pool_wake(&woken);
        grow(p, unserved); /* G2 of ring.c */
    }
}

static void added(urd_pool *p, size_t unserved)
{
    (void)unserved; /* the ring knows better */
    feed(p);
}

/* ---- ends come in ---- */

static void read_result(urd__slot *slot)
{
    const urd_pool_job *job = slot->job;
    unsigned char *out = job->out + slot->index * job->out_bytes;
    if (slot->result == 0 && slot->out != out && job->out_bytes)
        memcpy(out, slot->out, job->out_bytes);
}

/* Slots that are DONE, and marked as reaped by the caller. */
static void finish(urd_pool *p, urd__slot **slots, int n)
{
    urd__link woken = {0};
    urd__list_init(&woken);
    for (int i = 0; i < n; i++)
        read_result(slots[i]);
    urd__lock(&p->lock);
    for (int i = 0; i < n; i++) {
        int rc = slots[i]->result;
        urd__ring_free(slots[i]);
        if (rc)
            fail(p, slots[i], rc, NULL, &woken);
        else
            retire(p, slots[i], &woken);
    }
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
}

static bool has_ended(const urd_pool *p)
{
    for (unsigned i = 0; i < p->workers; i++)
        if (urd__ring_has_ended(p->procs->ring, i, &p->procs->keepers[i].reaped))
            return true;
    return false;
}

/* True: something had ended. */
static bool reap(urd_pool *p)
{
    struct urd__procs *procs = p->procs;
    urd__slot *slots[AT_ONCE];
    int n = 0;
    if (!has_ended(p))
        return false;
    urd__lock(&p->lock);
    for (unsigned i = 0; i < p->workers; i++)
        n += urd__ring_reap(procs->ring, i, &procs->keepers[i].reaped, slots + n, AT_ONCE - n);
    urd__unlock(&p->lock);
    finish(p, slots, n);
    feed(p);
    return n > 0;
}

static bool all_have_left(urd_pool *p)
{
    urd__lock(&p->lock);
    bool left = p->up == 0;
    urd__unlock(&p->lock);
    return left;
}

static bool is_starved(urd_pool *p)
{
    urd__lock(&p->lock);
    bool starved = p->procs->starved && urd__list_first(&p->queue);
    urd__unlock(&p->lock);
    return starved;
}

static bool anything_to_do(void *pool)
{
    return has_ended(pool) || is_starved(pool) || all_have_left(pool);
}

static int collect(void *arg)
{
    urd_pool *p = arg;
    while (!all_have_left(p)) {
        if (reap(p))
            continue;
        if (is_starved(p)) { /* the workers are passing over what was taken back */
            urd__os_yield();
            feed(p);
        }
        urd__ring_sleep_parent(p->procs->ring, anything_to_do, p);
    }
    urd__pool_leave(p);
    return 0;
}

/*
 * The caller would sleep until the collector has heard of the end and woken it, which costs more
 * than a short job takes: so it looks itself, for a moment, while nobody else wants its worker.
 */
static void help(urd_pool *p, urd_pool_job *job, const int *done)
{
    (void)job;
    const urd__task *self = urd__task_self();
    urd__ring_look(p->procs->ring);
    for (int i = 0; i < LOOKS && !urd__load_acq(done); i++) {
        if (reap(p))
            i = 0;
        else if (self->worker && urd__worker_wanted(self->worker))
            break;
        else
            urd__spin_hint();
    }
    urd__ring_look_end(p->procs->ring);
    while (!urd__load_acq(done) && reap(p)) /* [done] */
        continue;
}

/* ---- keepers ---- */

/* Under lock: the slot was held by a process that died. */
static void lost(urd_pool *p, urd__slot *slot, const char *detail, urd__link *woken)
{
    if (slot->tries++ < p->options.retries_max) {
        push(p, slot, woken);
        return;
    }
    urd__ring_free(slot);
    fail(p, slot, -ECHILD, detail, woken);
}

/* How a life of a worker ended. */
typedef struct ending {
    int rc;       /* 0: in peace */
    bool refused; /* it never began: the system refused its options */
    char detail[sizeof((urd_pool_job *)0)->detail];
} ending;

/* Whatever the process was at as it died, the slots say what it held. */
static void reclaim(const keeper *k, const ending *end)
{
    urd_pool *p = k->pool;
    unsigned worker = k->seat->index;
    urd__link woken = {0};
    urd__list_init(&woken);
    while (reap(p)) /* what it had shown */
        continue;
    bool done;
    urd__lock(&p->lock);
    p->died += end->rc != 0 && !k->seat->result && !end->refused;
    urd__slot *held =
        urd__ring_reclaim(p->procs->ring, worker, &p->procs->keepers[worker].reaped, &done);
    if (held && !done)
        lost(p, held, end->detail, &woken);
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    if (held && done)
        finish(p, &held, 1);
    feed(p);
    urd__ring_wake(p->procs->ring);
}

/* One life of the worker. */
static void run_worker(const keeper *k, ending *end)
{
    urd_scope s;
    urd_job job;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    urd_job_options options = {.name = k->pool->name, .process = k->pool->procs->setup};
    int rc = urd_job_open(&job, &s, URD_PROCESS, process_main, k->seat, 0, &options);
    int joined = urd_scope_join(&s);
    (void)joined; /* the same, or a cancel, which the pool hears of by itself */
    end->rc = rc ? rc : job.result;
    end->refused = rc == 0 && job.refused;
    snprintf(end->detail, sizeof end->detail, "%s",
             rc ? "the worker could not be started" : job.detail);
}

/* Under lock: it ended in peace, and nothing is queued for it. */
static bool may_leave(const keeper *k, int rc)
{
    const urd_pool *p = k->pool;
    return rc == 0 && k->seat->index >= p->workers_min &&
           urd__ring_is_empty(p->procs->ring); /* L2 of ring.c */
}

/* Under lock: does the pool end by this? */
static void judge(const keeper *k, const ending *end, urd__link *woken)
{
    urd_pool *p = k->pool;
    if (k->seat->result)
        urd__pool_break(p, k->seat->result, NULL, woken);
    else if (end->refused)
        urd__pool_break(p, end->rc, end->detail, woken);
    else if (end->rc && urd__intensity_exceeded(&p->procs->deaths, urd__os_now()))
        urd__pool_break(p, -ECHILD, NULL, woken);
}

/* The worker has ended: is there to be another?  If not, the place is vacant. */
static bool may_restart(keeper *k, const ending *end)
{
    urd_pool *p = k->pool;
    urd__link woken = {0};
    urd__list_init(&woken);
    urd__lock(&p->lock);
    bool tell = end->refused && !urd__load_acq(&p->cause); /* [cause] */
    judge(k, end, &woken);
    bool again = !urd__ring_is_stopping(p->procs->ring) && !may_leave(k, end->rc);
    if (!again)
        vacate(k); /* L3 */
    urd__unlock(&p->lock);
    urd__pool_wake(&woken);
    if (tell)
        urd__say("pool \"%s\": no process could be started: %s", p->name, end->detail);
    return again;
}

static int keep(void *arg)
{
    keeper *k = arg;
    urd_pool *p = k->pool;
    ending end;
    do {
        run_worker(k, &end);
        reclaim(k, &end);
    } while (may_restart(k, &end));
    urd__ring_wake_parent(p->procs->ring);
    urd__pool_leave(p);
    return 0; /* the error is the pool's, which says so at each call, and not the scope's */
}

/* ---- open and close ---- */

static void take_back_for(urd_pool *p, const urd_pool_job *job, urd__link *woken)
{
    int cause = urd__load_acq(&p->cause); /* [cause] */
    take_back(p, job, cause ? cause : -ECANCELED, woken);
}

static void stop(urd_pool *p)
{
    if (p->procs && p->procs->ring)
        urd__ring_stop(p->procs->ring);
}

static int knows(urd_pool_fn *fn)
{
    return urd__process_knows((urd_fn *)(uintptr_t)fn);
}

static int make(urd_pool *p)
{
    enum { LINE = 64 };
    size_t ring_bytes = urd__ring_bytes(p->workers);
    struct urd__procs *procs = p->procs = urd__os_alloc(sizeof *procs);
    if (!procs)
        return -ENOMEM;
    procs->keepers = urd__os_alloc(p->workers * sizeof *procs->keepers);
    procs->deaths.max = (size_t)p->options.restarts_max;
    procs->deaths.duration = p->options.restart_duration;
    procs->deaths.times = urd__os_alloc(procs->deaths.max * sizeof *procs->deaths.times);
    procs->shared = urd_shared_alloc(ring_bytes + LINE + p->workers * sizeof(seat));
    if (p->options.process)
        procs->setup = urd__setup_copy(p->options.process);
    if (!procs->keepers || !procs->deaths.times || !procs->shared ||
        (p->options.process && !procs->setup))
        return -ENOMEM;
    char *at = procs->shared;
    at += (LINE - (uintptr_t)at % LINE) % LINE;
    procs->ring = (urd__ring *)(void *)at;
    seat *seats = (seat *)(void *)(at + ring_bytes);
    urd__ring_init(procs->ring, p->workers);
    size_t heap_bytes;
    urd__shared_place(&heap_bytes);
    procs->kept_max = heap_bytes / KEPT_PART;
    if (procs->kept_max > KEPT_BYTES_MAX)
        procs->kept_max = KEPT_BYTES_MAX;
    for (int i = URD__RING_SLOTS; i-- > 0;)
        procs->free_slots[procs->nfree++] = (uint16_t)i;
    for (unsigned i = 0; i < p->workers; i++) {
        seats[i] = (seat){.ring = procs->ring,
                          .index = i,
                          .jobs_max = p->options.jobs_max,
                          .idle_duration = i < p->workers_min ? INT64_MAX : p->idle_duration,
                          .begin = urd__image_name(p->options.begin),
                          .end = urd__image_name(p->options.end),
                          .arg = p->options.arg};
        procs->keepers[i] = (keeper){.pool = p, .seat = &seats[i]};
    }
    return 0;
}

static int start(urd_pool *p)
{
    int rc = urd__setup_check(p->options.process);
    if (rc == 0)
        rc = make(p);
    if (rc == 0 && p->options.begin)
        rc = urd__process_knows(p->options.begin);
    if (rc == 0 && p->options.end)
        rc = urd__process_knows(p->options.end);
    for (unsigned i = 0; i < p->workers_min && rc == 0; i++) {
        urd__lock(&p->lock);
        keeper *k = occupy(p);
        urd__unlock(&p->lock);
        rc = k ? start_keeper(k, false) : 0; /* none: it is cancelled already */
    }
    urd__go_args args = {.kind = URD_THREAD, .fn = collect, .arg = p, .where = p->name};
    return rc ? rc : urd__pool_start(p, &args);
}

static void free_crew(urd_pool *p)
{
    struct urd__procs *procs = p->procs;
    if (!procs)
        return;
    free_spare(procs->spare);
    for (int i = 0; i < URD__RING_SLOTS; i++)
        urd_shared_free(procs->blocks[i].at);
    urd_shared_free(procs->shared);
    urd_shared_free(procs->setup);
    urd__os_free(procs->deaths.times);
    urd__os_free(procs->keepers);
    urd__os_free(procs);
}

const urd__crew urd__crew_processes = {.knows = knows,
                                       .open = start,
                                       .added = added,
                                       .help = help,
                                       .take_back = take_back_for,
                                       .stop = stop,
                                       .close = free_crew};
