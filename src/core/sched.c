/*
 * sched.c - find the next task; the loop of a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * A task that blocks or yields switches straight to the next ready one.  Only when there is none,
 * or every URD__LOOK_TICKS switches, does it go through the worker's loop, which looks around:
 * inbox, timers, jobs not begun, other workers.  Ready tasks are served first come, first served;
 * jobs not begun newest first, which keeps few stacks alive, but at each look around the oldest
 * gets its turn, so that nothing starves.
 *
 * With a seed the choices are drawn from it instead.
 */
#include <errno.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "core/sanitize.h"
#include "core/scope.h"
#include "core/switch.h"
#include "core/worker.h"

enum {
    STEAL_COST = 3000 /* ns */,
    MOVE_COST = 100 /* ns */,
    STEAL_PAUSE = 20000 /* ns */,
    STEAL_PAUSE_MAX = 160000 /* ns */
};

/* How long a job that is alone is left to its worker. */
#ifdef URD_MODEL
enum { LONE_PAUSE = 0 };
#else
enum { LONE_PAUSE = 3000 /* ns */ };
#endif

uint64_t urd__worker_random(urd__worker *self)
{
    /* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators"). */
    uint64_t x = self->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    self->random = x;
    return (x * UINT64_C(0x2545F4914F6CDD1D)) >> 32;
}

static void put_back(urd__worker *self, urd__task *task)
{
    task->next = self->ready_first;
    if (!self->ready_first)
        self->ready_last = task;
    self->ready_first = task;
}

__attribute__((noinline)) static urd__task *take_random(urd__worker *self)
{
    unsigned n = 0;
    for (urd__task *task = self->ready_first; task; task = task->next)
        n++;
    urd__task **at = &self->ready_first, *before = NULL;
    for (uint64_t skip = urd__worker_random(self) % n; skip > 0; skip--) {
        before = *at;
        at = &before->next;
    }
    urd__task *task = *at;
    *at = task->next;
    if (self->ready_last == task)
        self->ready_last = before;
    return task;
}

static inline urd__task *next_ready(urd__worker *self)
{
    urd__task *task = self->ready_first;
    if (!task)
        return NULL;
    if (__builtin_expect(urd__rt.seed != 0, 0))
        return take_random(self);
    self->ready_first = task->next;
    return task;
}

void urd__worker_switch(urd__worker *self, urd__task *from, urd__task *to)
{
    if (__builtin_expect(to->compact, 0))
        urd__compact_enter(self, to);
    self->current = to;
    urd__sanitize_before(self, from, to, false);
    urd__switch(&from->context, to->context);
    urd__sanitize_after(from);
}

/* What a compact task runs on is needed for the next one (compact.c): the loop's stack is not. */
static inline urd__task *or_loop(const urd__task *from, urd__task *to)
{
    if (__builtin_expect(from->compact, 0) && to && to->compact && to != from) {
        put_back(from->worker, to);
        to = NULL;
    }
    return to ? to : &from->worker->idle;
}

void urd__worker_exit(urd__task *from)
{
    urd__worker *self = from->worker;
    urd__task *to = or_loop(from, urd__worker_due(self) ? NULL : next_ready(self));
    self->current = to;
    urd__store_rlx(&from->live, 0); /* for reports, which look again */
    if (__builtin_expect(from->compact, 0))
        urd__compact_put(self, from);
    else
        urd__stack_put(&self->stacks, &from->stack);
    if (__builtin_expect(to->compact, 0))
        urd__compact_enter(self, to);
    urd__sanitize_dead(from);
    urd__sanitize_before(self, from, to, true);
    urd__switch(&from->context, to->context);
    __builtin_unreachable();
}

void urd__worker_post(urd__worker *other, urd__task *task)
{
    urd__task *first = urd__load_rlx(&other->inbox); /* checked by the swap */
    do
        task->next = first;
    while (!urd__cas_ar(&other->inbox, &first, task)); /* [inbox] */
    urd__fence_seq();                                  /* A2 in park.c */
    urd__park_wake(other);
}

/* Newest first in the inbox, oldest first in the queue. */
static void empty_inbox(urd__worker *self)
{
    if (!urd__load_rlx(&self->inbox)) /* seen at a later look if missed */
        return;
    urd__task *newest = urd__xchg_ar(&self->inbox, NULL); /* [inbox] */
    urd__task *oldest = NULL;
    while (newest) {
        urd__task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        urd__task *next = oldest->next;
        urd__worker_enqueue(self, oldest);
        oldest = next;
    }
}

static urd__job *take_injected(void)
{
    if (urd__load_acq(&urd__rt.injected) == 0)
        return NULL;
    urd__lock(&urd__rt.inject_lock);
    urd__job *job = urd__rt.inject_first;
    if (job) {
        urd__rt.inject_first = job->next;
        urd__sub_ar(&urd__rt.injected, 1);
    }
    urd__unlock(&urd__rt.inject_lock);
    return job;
}

static void inject(urd__job *job)
{
    job->next = NULL;
    urd__lock(&urd__rt.inject_lock);
    if (urd__rt.inject_first)
        urd__rt.inject_last->next = job;
    else
        urd__rt.inject_first = job;
    urd__rt.inject_last = job;
    urd__add_ar(&urd__rt.injected, 1);
    urd__unlock(&urd__rt.inject_lock);
}

int urd__worker_inject(urd__job *job)
{
    inject(job);      /* A1 in park.c */
    urd__fence_seq(); /* A2 */
    urd__park_wake_any();
    return 0;
}

void urd__worker_later(urd__worker *self, urd__job *job)
{
    job->next = self->later;
    self->later = job;
}

/* The latest first, so that the earliest will be the newest in the deque. */
static void offer_later(urd__worker *self)
{
    while (self->later) {
        urd__job *job = self->later;
        self->later = job->next;
        if (urd__deque_push(&self->deque, job)) /* A1 in park.c */
            inject(job);
    }
    urd__fence_seq(); /* A2 */
    urd__park_wake_any();
}

void urd__worker_fire_timers(urd__worker *self)
{
    if (urd__load_rlx(&self->timers.earliest) == INT64_MAX) /* parking looks again */
        return;
    int64_t now = urd__clock_now();
    if (urd__load_rlx(&self->timers.earliest) > now) /* the same */
        return;
    urd__timers_fire(&self->timers, now, URD__LOOK_TICKS);
    if (self->later)
        offer_later(self);
}

/* Now and then is enough to say since when a task waits. */
static void tell_time(urd__worker *self)
{
    if (self->tick - self->now_tick < URD__LOOK_TICKS)
        return;
    self->now_tick = self->tick;
    self->now = urd__clock_now();
}

static void look_around(urd__worker *self)
{
    tell_time(self);
    empty_inbox(self);
    urd__worker_fire_timers(self);
    /* Not at each look: a worker with nothing to do asks as it goes to sleep. */
    if (self->tick - self->io_tick >= URD__LOOK_TICKS && urd__load_acq(&self->io_waits) > 0) {
        self->io_tick = self->tick;
        urd__load_acq(&urd__rt.io)->poll(self, 0);
    }
    urd__runtime_heed();
    if (urd__stack_over_full(&self->stacks))
        urd__stack_trim(&self->stacks);
}

/* A task that leaves looks around itself, which saves two switches; NULL: there are jobs not begun,
 * which only the loop begins. */
__attribute__((noinline)) static urd__task *look_in_passing(urd__worker *self)
{
    if (urd__rt.seed)
        return NULL;
    look_around(self);
    bool jobs = !urd__deque_empty(&self->deque) || urd__load_acq(&urd__rt.injected) > 0;
    return jobs ? NULL : next_ready(self);
}

static inline void leave(urd__worker *self, urd__task *from)
{
    if (__builtin_expect(from->compact, 0))
        urd__compact_leave(from);
    urd__task *to = or_loop(from, urd__worker_due(self) ? look_in_passing(self) : next_ready(self));
    if (to != from)
        urd__worker_switch(self, from, to);
}

void urd__worker_leave(urd__task *from)
{
    leave(from->worker, from);
}

void urd__worker_share(urd__task *self)
{
    urd__worker *worker = self->worker;
    if ((worker->tick + 1) % URD__LOOK_TICKS != 0) {
        worker->tick++;
        return;
    }
    urd__worker_enqueue(worker, self);
    urd__worker_leave(self); /* which counts the tick, and looks around */
}

static int yield_thread(const urd__task *self)
{
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    urd__os_yield();
    return 0;
}

int urd_yield(void)
{
    urd__worker *worker = urd__worker_self;
    if (__builtin_expect(!worker, 0))
        return yield_thread(urd__task_thread_self());
    urd__task *self = worker->current;
    if (self->scope && urd__scope_cancelled(self->scope))
        return -ECANCELED;
    urd__worker_enqueue(worker, self);
    leave(worker, self);
    return 0;
}

/*
 * A theft costs the fence in every thread (deque.c), and a job that moves some cache misses on both
 * sides, about as much as 100 ns of work.  Who finds that the jobs of its last theft were smaller
 * than that leaves the others alone for a while, about as long as it takes to wake a sleeping core;
 * and for longer each time that it finds so again.
 */
bool urd__worker_may_steal(urd__worker *self)
{
    if (urd__rt.seed || self->looted == 0)
        return true;
    int64_t now = urd__os_now();
    if (self->looted_at) {
        bool small = now - self->looted_at < STEAL_COST + (int64_t)self->looted * MOVE_COST;
        int64_t longer = self->steal_pause ? self->steal_pause * 2 : STEAL_PAUSE;
        self->steal_pause = !small ? 0 : longer < STEAL_PAUSE_MAX ? longer : STEAL_PAUSE_MAX;
        self->steal_after = now + self->steal_pause;
        self->looted_at = 0;
    }
    return now >= self->steal_after;
}

/*
 * Who starts one job and then waits, mostly for it, begins it itself within a microsecond; a thief
 * that is quicker sets two partners apart for as long as they live, and each message between them
 * then crosses from one processor to another (Go's runqgrab() leaves `runnext` alone for the same
 * reason).  Who forks does not wait but computes, so a fork is taken at once.
 */
bool urd__worker_leaves(urd__worker *self, urd__worker *victim, int64_t now)
{
    int64_t lone = urd__deque_lone(&victim->deque);
    if (lone == 0 || lone == urd__load_rlx(&victim->forked)) /* a hint, see urd__worker_hint() */
        return false;
    if (lone != self->lone || victim->index != self->lone_of) {
        self->lone = lone;
        self->lone_of = victim->index;
        self->lone_since = now;
    }
    return now - self->lone_since < LONE_PAUSE;
}

static urd__job *steal_from(urd__worker *self, urd__worker *victim)
{
    if (urd__deque_empty(&victim->deque) || urd__worker_leaves(self, victim, urd__os_now()))
        return NULL;
    urd__job *loot[URD__STEAL_MAX];
    int n = urd__deque_steal(&victim->deque, loot, URD__STEAL_MAX);
    if (n == 0)
        return NULL;
    for (int i = 0; i < n; i++)
        __builtin_prefetch(loot[i]); /* all misses at once, instead of one after the other */
    self->looted = n;
    self->looted_at = urd__os_now();
    for (int i = n - 1; i > 0; i--) {
        int rc = urd__deque_push(&self->deque, loot[i]);
        if (rc)
            inject(loot[i]); /* no memory for a longer deque; the common list needs none */
    }
    return loot[0];
}

static urd__job *steal(urd__worker *self)
{
    unsigned n = urd__rt.nworkers, start = (unsigned)(urd__worker_random(self) % n);
    for (unsigned i = 0; i < n; i++) {
        urd__worker *victim = &urd__rt.workers[(start + i) % n];
        urd__job *job = victim == self ? NULL : steal_from(self, victim);
        if (job)
            return job;
    }
    return NULL;
}

/* Found something while looking: there may be more of it anywhere, and now nobody looks. */
static void stop_searching(urd__worker *self)
{
    if (!self->searching)
        return;
    self->searching = false;
    if (urd__sub_ar(&urd__rt.searching, 1) == 1) {
        urd__fence_seq(); /* A2 in park.c, for jobs whose adders saw us searching */
        urd__park_wake_any();
    }
}

urd__job *urd__worker_next_job(urd__worker *self)
{
    urd__job *job = urd__deque_pop(&self->deque);
    if (!job)
        job = take_injected();
    if (!job && urd__rt.nworkers > 1) {
        if (!self->searching) {
            self->searching = true;
            urd__add_ar(&urd__rt.searching, 1);
        }
        job = urd__worker_may_steal(self) ? steal(self) : NULL;
    }
    return job;
}

/* The oldest job not begun, of our own and of those injected in turn. */
static urd__job *oldest_job(urd__worker *self)
{
    urd__job *job = self->tick / URD__LOOK_TICKS % 2 ? take_injected() : NULL;
    if (!job)
        job = urd__deque_oldest(&self->deque, NULL, NULL);
    return job ? job : take_injected();
}

/* Ready tasks, or newer jobs, may never run out: is it the turn of an old job? */
static bool old_jobs_turn(urd__worker *self)
{
    if (urd__rt.seed)
        return urd__worker_random(self) % 4 == 0;
    /* Not `%`: others count between the looks. */
    if (self->tick - self->old_job_tick < URD__LOOK_TICKS)
        return false;
    self->old_job_tick = self->tick;
    return true;
}

static bool is_of(const urd__job *job, const void *scope)
{
    return job->scope == scope;
}

urd__job *urd__worker_oldest_of(urd__worker *self, const urd_scope *scope)
{
    if (urd__rt.seed)
        return NULL;
    look_around(self);
    if (urd__worker_wanted(self) || urd__load_acq(&urd__rt.injected) > 0)
        return NULL;
    urd__job *job = urd__deque_oldest(&self->deque, is_of, scope);
    if (job)
        self->old_job_tick = self->tick;
    return job;
}

bool urd__worker_may_wait(urd__worker *self)
{
    if (urd__rt.seed && urd__worker_random(self) % 2 == 0)
        return false;
    /* No timer is made to wait, nor what comes from elsewhere: a guess, asked again and again. */
    if (urd__load_rlx(&self->inbox))
        return false;
    return urd__load_rlx(&self->timers.earliest) == INT64_MAX || !urd__worker_timer_due(self);
}

bool urd__worker_timer_due(const urd__worker *self)
{
    return urd__load_rlx(&self->timers.earliest) <= urd__clock_now(); /* a guess, as is `wanted` */
}

void urd__worker_loop(urd__worker *self)
{
    while (!urd__load_acq(&urd__rt.stopping)) {
        look_around(self);
        urd__job *job = old_jobs_turn(self) ? oldest_job(self) : NULL;
        urd__task *task = job ? NULL : next_ready(self);
        if (!job && !task)
            job = urd__worker_next_job(self);
        self->tick++;
        if (task) {
            stop_searching(self);
            urd__worker_switch(self, &self->idle, task);
        } else if (job) {
            stop_searching(self);
            urd__task_start(self, job);
        } else {
            urd__park(self);
        }
    }
}
