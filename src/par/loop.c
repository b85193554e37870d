/*
 * loop.c - urd_for, and the splitting that all loops share.
 *
 * SPDX-License-Identifier: MIT
 *
 * Lazy binary splitting (Tzannes, Caragea, Barua, Vishkin, 2010): whoever runs a range makes a
 * chunk of steps at a time, and between two chunks it looks whether a worker is idle and this one
 * has nothing to offer.  Only then does it fork the upper half of what is left.  So where all are
 * busy a loop costs a look a chunk, and where somebody is idle half of the largest range is his.
 *
 * The pieces forked off lie in the frame, at most one for each halving.  The range before them
 * done, they are joined from the newest, which is the neighbour on the right: taken back and gone
 * on with here, or waited for and combined.  So a reduction combines only neighbours, and nothing
 * recurs.
 *
 * A chunk is as many steps as take CHUNK_NS by the clock: it starts with one, grows at most
 * eightfold at a time, and follows the cost of the steps.  The worker remembers the pace of its
 * last body, so that a short loop that is called again and again is one call of its body.
 *
 * Rejected: a grain size to give (nobody knows it, and it is wrong on the next machine); eager
 * splitting as far as so many pieces a worker (wrong for uneven work, and dear for nested loops);
 * a heartbeat by a timer signal (the body would have to be asked anyway).
 */
#include "par/loop.h"

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/os.h"
#include "core/fork.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/wait.h"

enum {
    PIECES_MAX = 32,   /* of one range: after so many halvings it is split no more */
    CHUNK_NS = 10000,  /* how long nobody looks whether another is idle */
    GROWTH_MAX = 8,    /* of a chunk, when the last one was short */
    FIRST_PARTS = 8,   /* while others are idle the pace of an earlier loop is not quite trusted */
    INLINE_BYTES = 32, /* a value up to this size lies in its piece */
    SEEDED_STEPS_MAX = 4 /* with a seed chunks are drawn: time would not repeat */
};

typedef struct piece {
    urd__fork fork;
    urd__loop *loop;
    long lo, hi;
    void *value; /* of a reduction; its own memory, or that below */
    _Alignas(max_align_t) char bytes[INLINE_BYTES];
} piece;

/* Steps at a time. */
typedef struct pace {
    unsigned long ideal; /* so many take CHUNK_NS, as far as is known */
    unsigned long chunk; /* the next one */
} pace;

static unsigned long length(long lo, long hi)
{
    return (unsigned long)hi - (unsigned long)lo;
}

static void pace_start(pace *p, urd__worker *self, const urd__loop *loop, unsigned long steps)
{
    bool known = self && self->loop_body == loop->body;
    p->ideal = p->chunk = known ? self->loop_pace : 1;
    if (known && p->chunk > steps / FIRST_PARTS && urd__fork_wanted(self))
        p->chunk = steps / FIRST_PARTS + 1;
}

static void pace_keep(const pace *p, urd__worker *self, const urd__loop *loop)
{
    self->loop_body = loop->body;
    self->loop_pace = p->ideal;
}

static void pace_learn(pace *p, unsigned long steps, int64_t duration)
{
    unsigned long longest = steps > ULONG_MAX / GROWTH_MAX ? ULONG_MAX : steps * GROWTH_MAX;
    double ideal = (double)steps * CHUNK_NS / (double)(duration > 0 ? duration : 1);
    p->ideal = ideal >= (double)longest ? longest : ideal < 1 ? 1 : (unsigned long)ideal;
    p->chunk = p->ideal;
}

__attribute__((noreturn)) static void die_of(const urd__loop *loop, int rc)
{
    if (rc > 0)
        urd__die("what runs at %s returned %d; it returns 0 or a negative errno", loop->where, rc);
    urd__die("what runs at %s returned with the scope opened at %s not joined", loop->where,
             urd__task_self()->scope->where);
}

static void check(urd__loop *loop, int rc)
{
    if (rc > 0 || urd__task_self()->scope != &loop->scope)
        die_of(loop, rc);
    if (rc && (rc != -ECANCELED || !urd__scope_cancelled(&loop->scope))) /* else an echo */
        urd__scope_fail(&loop->scope, rc);
}

/* One chunk.  How many steps it took. */
static unsigned long make_steps(urd__loop *loop, pace *p, long lo, long hi, void *into)
{
    unsigned long left = length(lo, hi), steps = p->chunk;
    bool timed = !loop->calls && !urd__rt.seed;
    if (urd__rt.seed && urd__worker_self)
        steps = 1 + urd__worker_random(urd__worker_self) % SEEDED_STEPS_MAX;
    if (loop->calls)
        steps = 1;
    if (steps > left)
        steps = left;
    int64_t start = timed ? urd__os_now() : 0;
    int rc = loop->step(loop, lo, (long)((unsigned long)lo + steps), into);
    if (timed)
        pace_learn(p, steps, urd__os_now() - start);
    check(loop, rc);
    return steps;
}

static void run_range(urd__loop *loop, long lo, long hi, void *into);

static int run_piece(void *arg)
{
    piece *p = arg;
    run_range(p->loop, p->lo, p->hi, p->value);
    return 0;
}

/* Offer lo .. hi - 1 as a piece.  False: no memory for its value. */
static bool offer(urd__worker *self, urd__loop *loop, piece *p, long lo, long hi)
{
    const urd_reducer *reducer = loop->reducer;
    p->value = NULL;
    if (reducer && !loop->parts) {
        p->value = reducer->size <= INLINE_BYTES ? p->bytes : urd__os_alloc(reducer->size);
        if (!p->value)
            return false;
        urd__reduce_clear(reducer, p->value);
    }
    p->loop = loop;
    p->lo = lo;
    p->hi = hi;
    urd__fork_push(self, &p->fork, run_piece, p, loop->where);
    return true;
}

static bool may_split(const urd__loop *loop, const pace *p, unsigned long steps, urd__worker *self)
{
    if (loop->calls)
        return true;
    return steps / 2 >= p->ideal && urd__fork_wanted(self);
}

static void run_range(urd__loop *loop, long lo, long hi, void *into)
{
    urd__worker *self = urd__worker_self;
    piece pieces[PIECES_MAX];
    int n = 0;
    pace p;
    pace_start(&p, self, loop, length(lo, hi));
    for (;;) {
        while (lo < hi && !urd__scope_cancelled(&loop->scope)) {
            unsigned long steps = length(lo, hi);
            long middle = (long)((unsigned long)lo + (steps + 1) / 2);
            if (self && steps > 1 && n < PIECES_MAX && may_split(loop, &p, steps, self) &&
                offer(self, loop, &pieces[n], middle, hi)) {
                n++;
                hi = middle;
                continue;
            }
            lo = (long)((unsigned long)lo + make_steps(loop, &p, lo, hi, into));
        }
        if (n == 0)
            break;
        piece *last = &pieces[--n];
        lo = hi = 0;
        if (urd__fork_take_back(self, &last->fork)) {
            lo = last->lo;
            hi = last->hi;
        } else if (last->value && !urd__scope_cancelled(&loop->scope)) {
            loop->reducer->combine(into, last->value, loop->arg);
        }
        if (last->value != last->bytes)
            urd__os_free(last->value);
    }
    if (self && !loop->calls && !urd__rt.seed)
        pace_keep(&p, self, loop);
}

/* A short loop of a known pace, with nobody idle: one call, and no scope is needed. */
static bool is_one_chunk(const urd__loop *loop, unsigned long steps)
{
    urd__worker *self = urd__worker_self;
    return self && self->loop_body == loop->body && self->loop_pace >= steps && !loop->calls &&
           !urd__rt.seed && !urd__fork_wanted(self);
}

static int run_one_chunk(urd__loop *loop, long lo, long hi, void *into)
{
    const urd__task *self = urd__worker_self->current;
    const urd_scope *scope = self->scope;
    int rc = loop->step(loop, lo, hi, into);
    if (rc > 0 || self->scope != scope)
        die_of(loop, rc);
    return rc;
}

/* In a compact task, whose frames no thief may see: as urd_both there. */
static int run_alone(urd__loop *loop, long lo, long hi, void *into)
{
    int rc = 0;
    for (long at = lo; at < hi && rc == 0; at = loop->calls ? at + 1 : hi)
        rc =
            urd_cancelled() ? -ECANCELED : run_one_chunk(loop, at, loop->calls ? at + 1 : hi, into);
    return rc;
}

/* A loop that a thread waits for. */
typedef struct errand {
    urd__loop *loop;
    long lo, hi;
    void *into;
} errand;

static int run_errand(void *arg)
{
    errand *e = arg;
    return urd__loop_run(e->loop, e->lo, e->hi, e->into);
}

int urd__loop_run(urd__loop *loop, long lo, long hi, void *into)
{
    if (lo >= hi)
        return 0;
    if (urd__par_outside())
        return urd__par_errand(run_errand, &(errand){loop, lo, hi, into}, loop->where);
    if (urd__worker_self && __builtin_expect(urd__worker_self->current->compact, 0))
        return run_alone(loop, lo, hi, into);
    if (is_one_chunk(loop, length(lo, hi)))
        return urd_cancelled() ? -ECANCELED : run_one_chunk(loop, lo, hi, into);
    urd_scope_open_at(&loop->scope, loop->where);
    run_range(loop, lo, hi, into);
    return urd_scope_join(&loop->scope);
}

static int make_range(const urd__loop *loop, long lo, long hi, void *into)
{
    (void)into;
    return loop->range(lo, hi, loop->arg);
}

int urd_for_at(long lo, long hi, urd_range_fn *body, void *arg, const char *where)
{
    urd__loop loop;
    loop.step = make_range;
    loop.arg = arg;
    loop.where = where;
    loop.body = (uintptr_t)body;
    loop.range = body;
    loop.calls = NULL;
    loop.reducer = NULL;
    return urd__loop_run(&loop, lo, hi, NULL);
}
