/*
 * model_core.h - the waiting half of src/core for models: wait.c, cancel.c and scope.c as they are.
 *
 * SPDX-License-Identifier: MIT
 *
 * Thread i of a model is the OS thread whose task is tasks[i]: it parks on a futex.  There are no
 * workers; jobs are what a model's threads pass to urd__job_done().
 */
#ifndef MODEL_CORE_H
#define MODEL_CORE_H

#include "model_base.h"

#include "core/worker.h"

/* Whoever waits parks as a thread: the switch is left out. */
#define URD_CORE_LEAVE_H
static bool urd__leave_quickly(urd__worker *worker, urd__task *from)
{
    (void)worker, (void)from;
    return false;
}

#include "core/cancel.c"
#include "core/home.c"
#include "core/peer.h"
#include "core/scope.c"
#include "core/wait.c"

#include <string.h>

urd__runtime urd__rt;
int urd__interrupted;
static urd__worker *worker_of[EXPLORE_THREADS_MAX + 1]; /* mostly none */

urd__worker **urd__model_worker(void)
{
    return &worker_of[explore_self() + 1];
}

static urd__task tasks[EXPLORE_THREADS_MAX];
static int readies[EXPLORE_THREADS_MAX], parks[EXPLORE_THREADS_MAX]; /* must come out equal */
static urd_scope scope; /* of thread 0, inside the root */
static int freed_jobs;

urd__task *urd__task_thread_self(void)
{
    return &tasks[explore_self()];
}

static void (*while_parked)(void); /* what else the worker of who parks then runs */

void urd__task_park_thread(urd__task *self)
{
    if (while_parked)
        while_parked();
    while (!urd__load_acq(&self->futex))
        explore_futex_wait(&self->futex, 0);
    explore_ghost_add(&parks[self - tasks], 1);
}

void urd__worker_leave(urd__task *self)
{
    urd__task_park_thread(self);
}

/* The time may come at any moment. */
void urd__task_rest(const urd__task *self, bool rests)
{
    (void)self;
    (void)rests;
}

bool urd__task_park_thread_until(urd__task *self, int64_t until)
{
    while (!urd__load_acq(&self->futex)) {
        int rc = until == INT64_MAX ? explore_futex_wait(&self->futex, 0)
                                    : explore_futex_wait_timed(&self->futex, 0);
        if (rc == -ETIMEDOUT)
            return false;
    }
    explore_ghost_add(&parks[self - tasks], 1);
    return true;
}

void urd__task_ready(urd__task *task)
{
    int *futex = &task->futex;
    explore_ghost_add(&readies[task - tasks], 1);
    urd__store_rel(futex, 1);
    explore_futex_wake(futex, 1);
}

static void core_setup(void)
{
    memset(tasks, 0, sizeof tasks);
    memset(readies, 0, sizeof readies);
    memset(parks, 0, sizeof parks);
    memset(worker_of, 0, sizeof worker_of);
    while_parked = NULL;
    urd__rt = (urd__runtime){0};
    freed_jobs = 0;
    urd__scope_init(&urd__rt.root, NULL, NULL, "root");
    urd__scope_init(&scope, &urd__rt.root, &tasks[0], "scope");
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        tasks[i].scope = &scope;
}

/* Nobody was made ready twice for one wait, or for none. */
static void core_finish(void)
{
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        explore_assert(readies[i] == parks[i]);
}

/* What was on a stack that its owner has left is written over: who touches it now, races. */
__attribute__((unused)) static void leave(void *object, size_t size)
{
    for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t))
        *(volatile uint64_t *)(void *)((char *)object + i) = 0x5555555555555555;
}

/* ---- Left out ------------------------------------------------------------------------------ */

/* What processes share has models of its own. */
#ifndef MODEL_SHARED
#include "core/word.h"
#include "sync/robust.h"
#include "sync/shares.h"

urd__place urd__place_own;

int urd__robust_lock(urd_mutex *m, const urd__mutex_use *use, const void *on)
{
    (void)m, (void)use, (void)on;
    return -ENOTSUP;
}

int urd__robust_trylock(urd_mutex *m)
{
    (void)m;
    return -ENOTSUP;
}

int urd__shares_read(urd_rwlock *l, const urd__mutex_use *use)
{
    (void)l, (void)use;
    return -ENOTSUP;
}

int urd__shares_tryread(urd_rwlock *l, const urd__mutex_use *use)
{
    (void)l, (void)use;
    return -ENOTSUP;
}

bool urd__shares_end_read(urd_rwlock *l)
{
    (void)l;
    return false;
}

int urd__shares_write(urd_rwlock *l, bool waits)
{
    (void)l, (void)waits;
    return -ENOTSUP;
}

void urd__shares_end_write(urd_rwlock *l)
{
    (void)l;
}

void urd_mutex_repair(urd_mutex *m)
{
    (void)m;
}

void urd_mutex_poison(urd_mutex *m)
{
    (void)m;
}

int urd__robust_lock_always(urd_mutex *m, urd__task *self)
{
    (void)m, (void)self;
    return -ENOTSUP;
}

void urd__robust_unlock(urd_mutex *m, const urd__mutex_use *use)
{
    (void)m, (void)use;
}

urd__task *urd__robust_owner(const urd_mutex *m)
{
    (void)m;
    return NULL;
}

int urd__word_wait(urd__task *self, const urd__word *w, urd_scope *within)
{
    (void)self, (void)w, (void)within;
    return -ENOTSUP;
}

void urd__os_futex_wake_shared(const int *word, int count)
{
    (void)word, (void)count;
}
#endif

bool urd__deque_fenced = true;

struct urd__job *urd__deque_pop_last(urd__deque *d, int64_t bottom)
{
    urd__store_rlx(&d->bottom, bottom + 1);
    return NULL;
}

int urd__deque_grow(urd__deque *d)
{
    (void)d;
    return -ENOMEM;
}

urd__job *urd__worker_oldest_of(urd__worker *self, const urd_scope *of)
{
    (void)self, (void)of;
    return NULL;
}

bool urd__worker_timer_due(const urd__worker *self)
{
    (void)self;
    return false;
}

void urd__worker_share(urd__task *self)
{
    (void)self;
}

uint64_t urd__worker_random(urd__worker *self)
{
    (void)self;
    return 0;
}

size_t urd__stack_promised_bytes(void)
{
    return 0;
}

void urd__task_check_end(const urd__task *self, const urd_scope *inside, int rc)
{
    (void)self, (void)inside, (void)rc;
}

void urd__job_values_destroy(urd__task *self)
{
    (void)self;
}

void urd__task_job_ended(urd__job *job, int rc)
{
    (void)job, (void)rc;
}

void urd__task_locks_differ(const urd__task *self, unsigned before, const char *what)
{
    (void)self, (void)before, (void)what;
    explore_fail("a lock is held");
}

void urd__timer_stop(urd__timer *timer)
{
    (void)timer;
}

int64_t urd__timer_when(urd__timer *timer)
{
    (void)timer;
    return INT64_MAX;
}

bool urd__timer_set(urd__timers *timers, urd__timer *timer, int64_t when)
{
    (void)timers;
    (void)timer;
    (void)when;
    return false;
}

bool urd__later_end(urd_scope *s)
{
    (void)s;
    return false;
}

void urd__hold_begin(urd__job *job, urd__task *self)
{
    (void)job, (void)self;
}

void urd__hold_end(urd__job *job, int rc, bool failed)
{
    (void)job, (void)rc, (void)failed;
}

void urd__hold_close(urd_scope *s, urd_job *held)
{
    (void)s, (void)held;
}

void urd__job_spill(urd__job_cache *cache, urd__job *job)
{
    (void)cache;
    (void)job;
    explore_ghost_add(&freed_jobs, 1);
}

const char *urd__job_name(const urd__job *job)
{
    (void)job;
    return "job";
}

void urd__runtime_outside(int change)
{
    (void)change;
}

void urd__runtime_need(const char *call)
{
    (void)call;
}

void urd__worker_fire_timers(urd__worker *self)
{
    (void)self;
}

void urd__park_wake(urd__worker *worker)
{
    (void)worker;
}

#endif
