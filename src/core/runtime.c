/*
 * runtime.c - start the workers, run the first job, stop the workers.
 *
 * SPDX-License-Identifier: MIT
 *
 * The thread that calls is worker 0, and the first job stays on its native stack, so that it has
 * all the room that main() has.  The scheduling loop of worker 0 therefore gets a stack from the
 * region; the other workers run it on their threads' own.
 */
#include "core/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/home.h"
#include "core/overflow.h"
#include "core/sanitize.h"
#include "core/scope.h"
#include "core/switch.h"
#include "core/symbol.h"
#include "core/thread.h"

urd__runtime urd__rt;
int urd__interrupted;

static void forked_child(void)
{
    if (urd__load_acq(&urd__rt.state) != URD__RUNNING)
        return;
    urd__store_rel(&urd__rt.state, URD__FORKED); /* [state] */
    urd__worker_self = NULL;
    urd__task_bind_thread(NULL);
    urd__clock_use_real(); /* nobody is left who would advance a virtual one */
}

void urd__runtime_forget(void)
{
    urd__store_rel(&urd__rt.state, URD__STOPPED); /* [state] */
    urd__worker_self = NULL;
    urd__task_bind_thread(NULL);
}

void urd__runtime_need(const char *call)
{
    int state = urd__load_acq(&urd__rt.state); /* [state] */
    if (state == URD__RUNNING)
        return;
    if (state == URD__FORKED)
        urd__die("%s: this process was made by fork() and has no runtime; "
                 "start it with urd_spawn(URD_PROCESS), or exec a program in it",
                 call);
    urd__die("%s: no runtime is running; call it inside urd_run", call);
}

void urd__runtime_outside(int change)
{
    urd__lock(&urd__rt.outside_lock);
    if (urd__add_ar(&urd__rt.outside, change) + change == 0)
        urd__park_settle();
    else if (change > 0)
        urd__add_ar(&urd__rt.unparks, 1); /* somebody goes on, as far as rest is concerned */
    urd__unlock(&urd__rt.outside_lock);
}

/* The last job may be counted off only after its scope has ended; the workers must be there yet. */
static void wait_for_outside(void)
{
    for (bool any = true; any;) {
        urd__lock(&urd__rt.outside_lock);
        any = urd__load_acq(&urd__rt.outside) != 0;
        urd__unlock(&urd__rt.outside_lock);
        if (any)
            urd__os_yield();
    }
}

static void die_context(char *out, size_t size)
{
    const urd__task *self = urd__task_self();
    if (self->job)
        snprintf(out, size, " (in job %s, started at %s)", urd__job_name(self->job),
                 self->job->where ? self->job->where : "urd_run");
}

static void *worker_main(void *arg)
{
    urd__worker *self = arg;
    char name[32];
    snprintf(name, sizeof name, "urd-worker-%u", self->index);
    urd__os_thread_name(name);
    urd__worker_self = self;
    self->id = urd__os_thread_id();
    self->current = &self->idle;
    urd__sanitize_native(&self->idle);
    urd__overflow_thread(self->signal_stack);
    urd__worker_loop(self);
    urd__overflow_thread(NULL);
    return NULL;
}

static void loop_main(void *arg)
{
    urd__worker *self = arg;
    urd__sanitize_after(&self->idle);
    urd__worker_loop(self);
    __builtin_unreachable(); /* the first job stops the runtime only while it runs itself */
}

static int init_worker(urd__worker *worker, unsigned index)
{
    worker->index = index; /* what is not set here is zero */
    worker->tick = 1;
    worker->now = urd__clock_now();
    worker->idle.worker = worker;
    worker->random = (urd__rt.seed ? urd__rt.seed : 1) * UINT64_C(0x9E3779B97F4A7C15) + index + 1;
    urd__timers_init(&worker->timers, worker->now);
    int rc = urd__deque_init(&worker->deque);
    if (rc == 0)
        rc = urd__overflow_stack(&worker->signal_stack);
    return rc;
}

static int init_first_loop(urd__worker *worker)
{
    int rc = urd__stack_get(&worker->stacks, &worker->idle.stack);
    if (rc)
        return rc;
    void *top =
        (void *)(worker->idle.stack.high & ~(uintptr_t)63); // NOLINT(performance-no-int-to-ptr)
    urd__sanitize_born(&worker->idle);
    worker->idle.context = urd__switch_make(top, loop_main, worker);
    return 0;
}

/*
 * Mapped, as most slots of the timers are never touched, and never unmapped: a thread that the
 * runtime did not make, and that has made the last task ready, may look a moment later whether that
 * task's worker sleeps.  Given back to the kernel, the memory says that it does not.
 */
static struct {
    void *at;
    size_t bytes;
} workers;

static int map_workers(void)
{
    size_t bytes = sizeof(urd__worker) * urd__rt.nworkers;
    if (bytes > workers.bytes) {
        int rc = urd__os_map(&workers.at, bytes);
        if (rc)
            return rc;
        workers.bytes = bytes;
        urd__sanitize_mapped(workers.at, bytes);
    }
    urd__rt.workers = workers.at;
    return 0;
}

/* Ends the threads that were started, and frees what there is, in the reverse order of start. */
static long stop(unsigned threads)
{
    urd__store_rel(&urd__rt.stopping, 1);
    urd__fence_seq(); /* A2 in park.c */
    for (unsigned i = 1; i < threads; i++)
        urd__park_wake(&urd__rt.workers[i]);
    for (unsigned i = 1; i < threads; i++)
        urd__os_thread_join(&urd__rt.workers[i].thread);
    urd__threads_close();
    if (urd__rt.processes)
        urd__rt.processes->stop();
    wait_for_outside();
    while (urd__load_acq(&urd__rt.waking) > 0) /* [waking] */
        urd__os_yield();
    const urd__io_ops *io = urd__load_acq(&urd__rt.io);
    if (io)
        io->stop();
    for (unsigned i = 0; i < urd__rt.nworkers; i++) {
        urd__worker *worker = &urd__rt.workers[i];
        urd__job_cache_close(&worker->jobs);
        urd__deque_fini(&worker->deque);
        urd__overflow_stack_free(worker->signal_stack);
    }
    urd__worker_self = NULL;
    urd__os_discard(workers.at, workers.bytes);
    urd__stacks_close();
    urd__compacts_close();
    urd__overflow_uninstall();
    urd__symbols_close();
    return urd__jobs_close();
}

static int start(void)
{
    int rc = urd__stacks_open(urd__rt.stack_bytes);
    if (rc)
        return rc;
    rc = map_workers();
    if (rc) {
        urd__stacks_close();
        return rc;
    }
    urd__compacts_open(urd__rt.compact_bytes);
    urd__overflow_install();
    urd__deques_open(urd__rt.nworkers > 1);
    urd__homes_open();
    unsigned threads = 0;
    for (unsigned i = 0; i < urd__rt.nworkers && rc == 0; i++)
        rc = init_worker(&urd__rt.workers[i], i);
    if (rc == 0)
        rc = init_first_loop(&urd__rt.workers[0]);
    for (threads = 1; threads < urd__rt.nworkers && rc == 0; threads++) {
        urd__worker *worker = &urd__rt.workers[threads];
        rc = urd__os_thread_start(&worker->thread, 0, worker_main, worker);
        if (rc)
            break;
    }
    if (rc)
        stop(threads);
    return rc;
}

static int run_first(const urd__first_job *first)
{
    urd__worker *worker = &urd__rt.workers[0];
    urd__job job = {.fn = first->fn, .arg = first->arg, .where = first->where};
    urd__task self = {
        .worker = worker, .job = &job, .scope = &urd__rt.root, .live = URD__TASK_LIVE};
    self.stack =
        (urd__stack){.low = urd__os_stack_low(), .high = (uintptr_t)__builtin_frame_address(0)};
    urd__sanitize_native(&self);
    urd__rt.root.home = worker;
    urd__store_rel(&urd__rt.root.owner, &self); /* a cancel sees it, or is seen: wait.c */
    worker->current = &self;
    worker->id = urd__os_thread_id();
    urd__worker_self = worker;
    urd__overflow_thread(worker->signal_stack);
    int rc = first->fn(first->arg);
    urd__job_values_destroy(&self);
    if (self.worker && !urd__worker_self)
        urd__die("a process made by fork() returned from urd_run; end it with _exit()");
    if (self.scope != &urd__rt.root)
        urd__die("the first job returned with the scope opened at %s not joined",
                 self.scope ? self.scope->where : "urd_run");
    urd__task_check_locks(&self, 0, "the first job");
    if (rc > 0)
        urd__die("the first job returned %d; a job returns 0 or a negative errno", rc);
    int joined = urd_scope_join(&urd__rt.root);
    urd__lock(&urd__rt.root.lock); /* a worker may heed an interrupt right now */
    urd__store_rel(&urd__rt.root.owner, NULL);
    urd__unlock(&urd__rt.root.lock);
    urd__overflow_thread(NULL);
    urd__rt.root_cancelled =
        urd__load_acq(&urd__rt.root.flags) & URD__SCOPE_CANCELLED; /* [cancel] */
    if (urd__rt.root_cancelled && !joined)
        joined = urd__load_acq(&urd__rt.root.cause); /* which is set before */
    if (rc == -ECANCELED && joined)
        return joined; /* the echo of a cancel says less than its cause */
    return rc ? rc : joined;
}

static int claimed; /* atomic */

bool urd__runtime_claim(void)
{
    int none = 0;
    if (urd__cas_ar(&claimed, &none, 1))
        return true;
    bool forked = urd__load_acq(&urd__rt.state) == URD__FORKED; /* [state] */
    urd__say("urd_run: %s", forked ? "this process was made by fork() while a runtime ran"
                                   : "a runtime is running in this process already");
    return false;
}

void urd__runtime_release(void)
{
    urd__store_rel(&claimed, 0); /* pairs with the swap above */
}

/* Started, and left so by a first job after which the process was to end; a fork inherits it. */
static bool kept;

/* Before there is a worker that might cancel it, so its owner is not known yet. */
static void open_root(void)
{
    urd__scope_init(&urd__rt.root, NULL, NULL, "urd_run");
}

static int start_as(const urd_config *cfg, const urd__process_ops *processes)
{
    static bool atfork;
    if (!atfork)
        pthread_atfork(NULL, NULL, forked_child);
    atfork = true;
    urd__rt = (urd__runtime){.nworkers = (unsigned)cfg->workers,
                             .seed = cfg->seed,
                             .io_kind = cfg->io,
                             .grace_duration = cfg->grace_duration,
                             .stack_bytes = cfg->stack_bytes,
                             .compact_bytes = cfg->compact_bytes,
                             .name = cfg->name,
                             .processes = processes};
    urd__die_context = die_context;
    open_root();
    return start();
}

static void end(void)
{
    long out = stop(urd__rt.nworkers);
    urd__assert(out == 0);
    urd__store_rel(&urd__interrupted, 0); /* no other thread is left */
}

int urd__runtime_run(const urd_config *cfg, const urd__process_ops *processes,
                     const urd__first_job *first, bool *started)
{
    if (cfg->virtual_clock)
        urd__clock_use_virtual(URD_SECOND);
    if (kept)
        open_root();
    int rc = kept ? 0 : start_as(cfg, processes);
    urd__rt.processes = processes; /* one that was kept may have had others */
    *started = rc == 0;
    if (rc == 0) {
        urd__rt.first_name = first->name;
        urd__rt.first_fn = first->fn;
        urd__runtime_started();
        rc = run_first(first);
        kept = first->process_ends && URD__STACKS_SURVIVE_FORK;
        if (kept)
            urd__threads_close();
        else
            end();
    }
    urd__clock_use_real();                        /* also after a start that failed */
    urd__store_rel(&urd__rt.state, URD__STOPPED); /* [state] */
    return rc;
}
