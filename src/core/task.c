/*
 * task.c - start, park, ready and end of a task.
 *
 * SPDX-License-Identifier: MIT
 *
 * A task lies at the top of its own stack, in the page that its first frames use anyway.
 */
#include "core/task.h"

#include <limits.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "core/fork.h"
#include "core/later.h"
#include "core/runtime.h"
#include "core/sanitize.h"
#include "core/scope.h"
#include "core/switch.h"
#include "core/symbol.h"
#include "core/word.h"

/* While others are ready, so many jobs of a scope at the most begin one after the other. */
enum { SIBLINGS_MAX = 16 };

__thread urd__worker *urd__worker_self __attribute__((tls_model("initial-exec")));

/* The task that a thread is: a thread job's own, or else this one, which needs no making. */
static __thread urd__task *bound __attribute__((tls_model("initial-exec")));
static __thread urd__task foreign __attribute__((tls_model("initial-exec")));

urd__task *urd__task_thread_self(void)
{
    return bound ? bound : &foreign;
}

void urd__task_bind_thread(urd__task *task)
{
    bound = task;
    if (!task)
        foreign = (urd__task){0};
}

const char *urd_name(void)
{
    const urd__task *self = urd__task_self();
    return self->job ? urd__job_name(self->job) : "thread";
}

const void *urd_task_id(void)
{
    const urd__worker *worker = urd__worker_self;
    if (!worker || worker->current == &worker->idle ||
        urd__load_acq(&urd__rt.state) != URD__RUNNING) /* [state] in a fork of it */
        return NULL;
    const urd__task *self = worker->current; /* a join runs several jobs on it */
    return self->job ? (const void *)self->job : self;
}

void urd__task_rest(const urd__task *self, bool rests)
{
    if (self->counted)
        urd__runtime_outside(rests ? -1 : 1);
}

/* Sleep once, until the first of `until` and the deadlines around.  False: there is a reason to
 * give up. */
static bool sleep_thread(urd__task *self, int64_t until)
{
    if (until != INT64_MAX && urd__os_now() >= until)
        return false;
    int64_t deadline = urd__clock_is_virtual() ? INT64_MAX : urd__scope_pass_deadlines(self->scope);
    int64_t wake_at = deadline < until ? deadline : until;
    urd__polled *polled = self->polled;
    if (polled) {
        polled->seen = urd__os_poll(polled->fd, polled->events, polled->wake, wake_at);
        return polled->seen == 0;
    }
    if (self->word)
        return urd__word_sleep(self, wake_at);
    urd__os_futex_wait(&self->futex, 0, wake_at);
    return true;
}

bool urd__task_park_thread_until(urd__task *self, int64_t until)
{
    while (!urd__load_acq(&self->futex)) { /* [ready] pairs with urd__task_ready() */
        if (!sleep_thread(self, until))
            return false;
    }
    return true;
}

void urd__task_park_thread(urd__task *self)
{
    urd__task_rest(self, true);
    urd__task_park_thread_until(self, INT64_MAX);
}

void urd__task_ready(urd__task *task)
{
    urd__worker *worker = task->worker;
    if (!worker) {
        urd__task_rest(task, false);
        if (task->polled)
            urd__os_event_set(task->polled->wake);
        int *futex = &task->futex;
        urd__store_rel(futex, 1); /* [ready] from here on the task may be gone */
        urd__os_futex_wake(futex, 1);
    } else if (worker == urd__worker_self) {
        urd__worker_enqueue(worker, task);
    } else {
        urd__worker_post(worker, task);
    }
}

void urd__task_locks_differ(const urd__task *self, unsigned before, const char *what)
{
    enum { PLACE_BYTES = 200 };
    char place[PLACE_BYTES];
    unsigned kept = self->locks - before;
    if (kept > INT_MAX)
        urd__die("%s gave back a lock that it had not taken", what);
    urd__symbol_place(self->locked_at, place, sizeof place);
    urd__die("%s returned with %u lock%s held; the last it took, at %s", what, kept,
             kept == 1 ? "" : "s", place);
}

void urd__task_job_ended(urd__job *job, int rc)
{
    if (job->kind == URD__KIND_FORK)
        urd__fork_done(job, rc);
    else if (job->kind == URD__KIND_LATER)
        urd__later_done(job, rc);
    else
        urd__job_done(job, rc);
}

void urd__task_check_end(const urd__task *self, const urd_scope *scope, int rc)
{
    if (self->worker && !urd__worker_self)
        urd__die("a process made by fork() returned from the job it was in; end it with _exit()");
    if (rc > 0)
        urd__die("the job returned %d; a job returns 0 or a negative errno", rc);
    if (self->scope != scope)
        urd__die("the job returned with the scope opened at %s not joined", self->scope->where);
}

void urd__task_run_job(urd__task *self, urd__job *job)
{
    urd__job_run(self, job);
}

static bool is_compact(const urd__job *job)
{
    return job->kind != URD__KIND_FORK && job->compact && urd__compacts.frame_bytes;
}

/*
 * Another job for the same stack: any, if nothing else waits for the worker.  Where there are ready
 * tasks, a few more of the same scope have their turn first: whoever started these mostly waits for
 * what all of them send, and is then woken once for many, and not to find one value and sleep again
 * (skynet: a stack and three switches less for most leaves).
 */
static urd__job *next_for(const urd__task *self, const urd_scope *last, int *siblings)
{
    urd__worker *worker = self->worker;
    if (urd__worker_due(worker))
        return NULL;
    bool wanted = urd__worker_wanted(worker);
    if (wanted && (++*siblings > SIBLINGS_MAX || !urd__worker_may_wait(worker)))
        return NULL;
    urd__job *job = urd__deque_pop(&worker->deque);
    if (!job || (is_compact(job) == self->compact && (!wanted || job->scope == last)))
        return job;
    int rc = urd__deque_push(&worker->deque, job);
    urd__assert(rc == 0); /* its slot was free a moment ago */
    return NULL;
}

static void task_main(void *arg)
{
    urd__task *self = arg;
    urd__sanitize_after(self);
    urd__job *job = self->job;
    int siblings = 0;
    do {
        const urd_scope *scope = job->scope;
        self->job = NULL;
        urd__task_run_job(self, job);
        job = next_for(self, scope, &siblings);
    } while (job);
    urd__worker_exit(self);
}

static void fail_unstarted(urd__worker *worker, urd__job *job, int rc)
{
    if (job->kind == URD__KIND_FORK) {
        urd__fork_refuse(job);
        return;
    }
    void (*refused)(void *) = job->kind == URD_TASK ? job->refused : NULL;
    void *arg = job->arg;
    if (job->handle)
        urd__hold_begin(job, &worker->idle);
    urd__task_job_ended(job, rc);
    if (refused)
        refused(arg);
}

/* A task lies at the top of its stack. */
static int get_stack(urd__worker *worker, urd__task **task, urd__stack *stack)
{
    int rc = urd__stack_get(&worker->stacks, stack);
    if (rc)
        return rc;
    uintptr_t at = (stack->high - sizeof(urd__task)) & ~(uintptr_t)63;
    *task = (urd__task *)at; // NOLINT(performance-no-int-to-ptr)
    return 0;
}

void urd__task_start(urd__worker *worker, urd__job *job)
{
    urd__stack stack;
    urd__task *task;
    bool compact = is_compact(job);
    int rc = compact ? urd__compact_get(worker, &task, &stack) : get_stack(worker, &task, &stack);
    if (rc) {
        fail_unstarted(worker, job, rc);
        return;
    }
    *task = (urd__task){
        .worker = worker, .job = job, .compact = compact, .stack = stack, .live = URD__TASK_LIVE};
    urd__sanitize_born(task);
    void *top = compact ? (void *)stack.high : task; // NOLINT(performance-no-int-to-ptr)
    task->context = urd__switch_make(top, task_main, task);
    urd__worker_switch(worker, &worker->idle, task);
}
