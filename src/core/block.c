/*
 * block.c - call functions that block on helper threads, while their tasks wait.
 *
 * SPDX-License-Identifier: MIT
 *
 * A request lies on the stack of the task that waits.  It is in its lane's queue until a helper
 * takes it; the helper claims the task's wait as it does, so that from then on no cancel reaches
 * it, and lets the task wait on, for the call itself.
 *
 * A helper is busy from the moment at which it is woken or started until it lies on the idle list,
 * and looks at the queue under the lock before it goes there.  So under the lock: the queue is
 * empty, or a helper is busy and will look again.
 *
 * With a virtual clock a busy helper counts as outside work, except while what it calls waits in a
 * call of this library, as a thread job does.  A request that waits for a helper does not count: it
 * is its turn when a busy one is done, and that one may be asleep until the clock goes on.
 */
#include "core/block.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/scope.h"
#include "core/thread.h"
#include "core/wait.h"

typedef struct request {
    urd__waiter waiter;
    urd_fn *fn; /* these are set before it is enqueued */
    void *arg;
} request;

typedef struct crew {
    int lock;           /* guards the rest but the constants */
    urd__link queue;    /* requests that no helper has taken */
    urd__link idle;     /* helpers that wait, the last to come first */
    int helpers;        /* threads that exist, or are about to */
    bool closing;       /* idle helpers end */
    int helpers_max;    /* constant */
    const char *thread; /* constant: name in the kernel */
} crew;

/* On the helper's stack. */
typedef struct helper {
    urd__link link; /* under the lane's lock */
    int woken;      /* atomic, futex */
} helper;

static crew crews[] = {
    [URD_LANE_DEFAULT] = {.helpers_max = 64, .thread = "urd-block"},
    [URD_LANE_FILES] = {.helpers_max = 16, .thread = "urd-files"},
    [URD_LANE_NAMES] = {.helpers_max = 16, .thread = "urd-names"},
};
enum { LANES = sizeof crews / sizeof *crews };

int64_t urd__block_idle_max = INT64_C(5000000000);

/* In the caller's name and scope: it waits meanwhile. */
static void call(urd__task *self, request *r)
{
    urd__task *caller = r->waiter.task;
    uint64_t word = urd__wait_begin(caller, NULL, URD__ON_BLOCK, r);
    urd_scope *scope = caller->scope;
    self->scope = scope;
    self->job = caller->job;
    self->values = caller->values;
    r->waiter.result = r->fn(r->arg);
    if (self->scope != scope)
        urd__die("the function given to urd_block returned with the scope opened at %s not joined",
                 self->scope ? self->scope->where : "(none)");
    urd__task_check_locks(self, 0, "the function given to urd_block");
    urd__scope_forget_task(self);
    caller->values = self->values;
    self->values = NULL;
    self->scope = NULL;
    self->job = NULL;
    bool won = urd__wait_claim(caller, word);
    urd__assert(won); /* no cancel reaches this wait */
    urd__task_ready(caller);
}

/* Under the lock, which it releases.  False: the helper is to end. */
static bool rest(crew *c)
{
    helper self = {.woken = 0};
    if (c->closing) {
        c->helpers--;
        urd__unlock(&c->lock);
        urd__runtime_outside(-1);
        return false;
    }
    urd__list_push_head(&c->idle, &self.link);
    urd__unlock(&c->lock);
    urd__runtime_outside(-1);
    int64_t until = urd__os_now() + urd__block_idle_max;
    while (!urd__load_acq(&self.woken) && urd__os_now() < until) /* [woken] */
        urd__os_futex_wait(&self.woken, 0, until);
    urd__lock(&c->lock);
    bool woken = !urd__list_linked(&self.link);
    if (!woken) {
        urd__list_remove(&self.link);
        c->helpers--;
    }
    urd__unlock(&c->lock);
    return woken;
}

static void help(urd__task *self, void *arg)
{
    crew *c = arg;
    urd__os_thread_name(c->thread);
    do {
        urd__lock(&c->lock);
        for (urd__waiter *next; (next = urd__wait_pop(&c->queue)) != NULL;) {
            urd__unlock(&c->lock);
            call(self, urd__container(next, request, waiter));
            urd__lock(&c->lock);
        }
    } while (rest(c));
}

/* Under the lock: an idle helper that from now on is busy, or NULL. */
static helper *rouse(crew *c)
{
    urd__link *first = urd__list_pop(&c->idle);
    if (!first)
        return NULL;
    helper *h = urd__container(first, helper, link);
    urd__runtime_outside(1);
    urd__store_rel(&h->woken, 1); /* [woken] */
    return h;
}

/* A helper that was counted could not be started.  Without any, nobody would serve the queue. */
static void not_started(crew *c)
{
    urd__link failed = {0};
    urd__runtime_outside(-1);
    urd__lock(&c->lock);
    c->helpers--;
    for (urd__waiter *w; c->helpers == 0 && (w = urd__wait_pop(&c->queue)) != NULL;) {
        w->result = -EAGAIN;
        urd__list_push_tail(&failed, &w->link);
    }
    urd__unlock(&c->lock);
    for (urd__link *link; (link = urd__list_pop(&failed)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

static void hand_in(crew *c, request *r)
{
    urd__lock(&c->lock);
    urd__list_push_tail(&c->queue, &r->waiter.link);
    helper *h = rouse(c);
    bool start = !h && c->helpers < c->helpers_max;
    if (start)
        c->helpers++;
    urd__unlock(&c->lock);
    if (h)
        urd__os_futex_wake(&h->woken, 1);
    if (!start)
        return;
    urd__runtime_outside(1);
    if (urd__thread_run(help, c))
        not_started(c);
}

static void take_back(crew *c, request *r)
{
    urd__lock(&c->lock);
    if (urd__list_linked(&r->waiter.link))
        urd__list_remove(&r->waiter.link);
    urd__unlock(&c->lock);
}

int urd_block_on(urd_lane lane, urd_fn *fn, void *arg)
{
    if ((unsigned)lane >= LANES)
        urd__die("urd_block_on: there is no lane %d", (int)lane);
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    if (!self->worker)
        return fn(arg);
    request r = {.waiter.task = self, .fn = fn, .arg = arg};
    r.waiter.word = urd__wait_begin(self, self->scope, URD__ON_BLOCK, &r);
    hand_in(&crews[lane], &r);
    rc = urd__wait_end(self);
    if (rc)
        take_back(&crews[lane], &r);
    return rc ? rc : r.waiter.result;
}

int urd_block(urd_fn *fn, void *arg)
{
    return urd_block_on(URD_LANE_DEFAULT, fn, arg);
}

int urd__block_helpers(urd_lane lane)
{
    urd__lock(&crews[lane].lock);
    int helpers = crews[lane].helpers;
    urd__unlock(&crews[lane].lock);
    return helpers;
}

void urd__block_close(void)
{
    for (crew *c = crews; c < crews + LANES; c++) {
        urd__lock(&c->lock);
        c->closing = true;
        for (helper *h; (h = rouse(c)) != NULL;)
            urd__os_futex_wake(&h->woken, 1);
        urd__unlock(&c->lock);
    }
}

void urd__block_open(void)
{
    for (crew *c = crews; c < crews + LANES; c++)
        c->closing = false;
}
