/*
 * park.c - every schedule of adding work beside workers that go to sleep: no wakeup is lost.
 *
 * SPDX-License-Identifier: MIT
 *
 * The searching, stealing, posting and parking are the runtime's own; left out are stacks, timers
 * and the running of jobs, which here are counted when a worker gets them.  At the end a worker may
 * sleep, but then nothing may be left that it could have taken.  The larger models are sampled: all
 * their schedules would take minutes.  A poller is a bell, which I/O and wakers ring.
 */
#include "model_base.h"

/* Nothing is switched here, and the tools that watch a switch are not needed. */
#define URD_CORE_SWITCH_H
#define URD_CORE_SANITIZE_H
#define urd__switch(...) ((void)0)
#define urd__sanitize_before(...) ((void)0)
#define urd__sanitize_after(task) ((void)(task))
#define urd__sanitize_dead(...) ((void)0)

#include "core/deque.c"
#include "core/park.c"
#include "core/sched.c"

#include <string.h>

enum { WORKERS_MAX = 3, JOBS = 3, ROUNDS_MAX = 3, SAMPLES = 4000 };

urd__runtime urd__rt;
int urd__interrupted;

static urd__worker *worker_of[EXPLORE_THREADS_MAX + 1];

urd__worker **urd__model_worker(void)
{
    return &worker_of[explore_self() + 1];
}

static urd__worker workers[WORKERS_MAX];
static urd__job jobs[JOBS];
static urd__task tasks[2];
static int jobs_run, tasks_run, jobs_due, tasks_due, cancels, cancels_due;

/* ---- What the runtime's sources need and these models leave out ---------------------------- */

void urd__stack_put(urd__stack_cache *cache, const urd__stack *stack)
{
    (void)cache;
    (void)stack;
}

void urd__stack_trim(urd__stack_cache *cache)
{
    (void)cache;
}

bool urd__stack_over_full(const urd__stack_cache *cache)
{
    (void)cache;
    return false;
}

void urd__compact_enter(urd__worker *worker, urd__task *task)
{
    (void)worker;
    (void)task;
}

void urd__compact_leave(const urd__task *self)
{
    (void)self;
}

void urd__compact_put(urd__worker *worker, const urd__task *task)
{
    (void)worker;
    (void)task;
}

void urd__compact_trim(urd__worker *worker)
{
    (void)worker;
}

void urd__task_start(urd__worker *worker, urd__job *job)
{
    (void)worker;
    (void)job;
}

void urd__timers_fire(urd__timers *timers, int64_t when, int max)
{
    (void)when;
    (void)max;
    urd__store_rel(&timers->earliest, INT64_MAX);
}

bool urd__scope_cancelled_around(urd_scope *s, uint64_t epoch)
{
    (void)s;
    (void)epoch;
    return false;
}

urd__task *urd__task_thread_self(void)
{
    return NULL;
}

void urd_scope_cancel(urd_scope *s, int cause)
{
    (void)cause;
    explore_assert(s == &urd__rt.root);
    explore_ghost_add(&cancels, 1);
}

/* ---- A poller ------------------------------------------------------------------------------ */

static int bell, io_done, closed;
static urd__task io_task;

static void take_io(urd__worker *self)
{
    if (!urd__xchg_ar(&io_done, 0))
        return;
    urd__sub_ar(&self->io_waits, 1);
    urd__worker_enqueue(self, &io_task);
}

static void poll_bell(urd__worker *self, int64_t until)
{
    while (until != 0 && !urd__xchg_ar(&bell, 0))
        explore_futex_wait(&bell, 0);
    take_io(self);
}

static void ring_bell(urd__worker *worker)
{
    (void)worker;
    explore_assert(!closed);
    urd__store_rel(&bell, 1);
    explore_futex_wake(&bell, 1);
}

static const urd__io_ops bell_ops = {.poll = poll_bell, .wake = ring_bell};

/* ---- The models ---------------------------------------------------------------------------- */

static void setup(unsigned count)
{
    memset(workers, 0, sizeof workers);
    memset(worker_of, 0, sizeof worker_of);
    memset(kept_off, 0, sizeof kept_off);
    urd__rt = (urd__runtime){.workers = workers, .nworkers = count, .state = URD__RUNNING};
    urd__interrupted = 0;
    urd__deque_fenced = true;
    for (unsigned i = 0; i < count; i++) {
        workers[i].index = i;
        workers[i].id = (pid_t)i;
        workers[i].random = i + 1;
        workers[i].timers.earliest = INT64_MAX;
        explore_assert(urd__deque_init(&workers[i].deque) == 0);
    }
    jobs_run = tasks_run = jobs_due = tasks_due = cancels = cancels_due = 0;
}

static void setup_1(void)
{
    setup(1);
}

static void setup_io(void)
{
    setup(1);
    urd__rt.io = &bell_ops;
    workers[0].io_waits = 1;
    bell = io_done = closed = 0;
}

/* Where the kernel has a barrier, and a worker's own pop makes no fence. */
static void setup_io_barrier(void)
{
    setup_io();
    urd__deque_fenced = false;
}

static void setup_2(void)
{
    setup(2);
}

static void setup_3(void)
{
    setup(3);
}

/* Where the kernel has a barrier, and who adds a job makes no fence. */
static void setup_2_barrier(void)
{
    setup(2);
    urd__deque_fenced = false;
}

static void setup_3_barrier(void)
{
    setup(3);
    urd__deque_fenced = false;
}

static void setup_start(void)
{
    setup(2);
    urd__rt.state = URD__STOPPED;
    workers[1].parked = URD__IN_FUTEX; /* it found nothing to do before */
    urd__rt.parked = 1;
}

static void work(unsigned index)
{
    urd__worker *self = urd__worker_self = &workers[index];
    for (int round = 0; round < ROUNDS_MAX; round++) {
        look_around(self);
        while (next_ready(self))
            explore_ghost_add(&tasks_run, 1);
        while (urd__worker_next_job(self)) {
            stop_searching(self);
            explore_ghost_add(&jobs_run, 1);
        }
        if (urd__load_acq(&urd__rt.stopping))
            return;
        urd__park(self);
    }
    explore_give_up();
}

static void worker_0(void)
{
    work(0);
}

/* As stop() in runtime.c closes the pollers. */
static void worker_0_then_close(void)
{
    work(0);
    while (urd__load_acq(&urd__rt.waking) > 0)
        explore_yield();
    explore_ghost_add(&closed, 1);
}

static void worker_1(void)
{
    work(1);
}

static void worker_2(void)
{
    work(2);
}

/* A worker whose first job never ends: the others have to do the rest. */
static void work_once(unsigned index)
{
    urd__worker *self = urd__worker_self = &workers[index];
    for (int round = 0; round < ROUNDS_MAX; round++) {
        look_around(self);
        if (urd__worker_next_job(self)) {
            stop_searching(self);
            explore_ghost_add(&jobs_run, 1);
            return;
        }
        urd__park(self);
    }
    explore_give_up();
}

static void worker_1_once(void)
{
    work_once(1);
}

static void worker_2_once(void)
{
    work_once(2);
}

static void submit(urd__worker *self, int number)
{
    explore_ghost_add(&jobs_due, 1);
    urd__worker_self = self;
    explore_assert(
        (self ? urd__worker_offer(self, &jobs[number]) : urd__worker_inject(&jobs[number])) == 0);
}

static void foreign_submits(void)
{
    submit(NULL, 0);
}

/* A worker that adds jobs and stays busy: only the others can take them. */
static void busy_worker_submits(void)
{
    submit(&workers[0], 0);
}

static void busy_worker_submits_two(void)
{
    submit(&workers[0], 0);
    submit(&workers[0], 1);
}

static void another_busy_worker_submits(void)
{
    submit(&workers[2], 1);
}

/* It may sleep first, and nothing in its sleep has told it of the others. */
static void worker_0_sleeps_and_submits(void)
{
    urd__worker *self = urd__worker_self = &workers[0];
    look_around(self);
    if (!self->ready_first)
        urd__park(self);
    look_around(self);
    explore_ghost_add(&tasks_run, next_ready(self) ? 1 : 0);
    submit(self, 0);
}

static void foreign_posts(void)
{
    explore_ghost_add(&tasks_due, 1);
    urd__worker_post(&workers[0], &tasks[0]);
}

static void another_posts(void)
{
    explore_ghost_add(&tasks_due, 1);
    urd__worker_post(&workers[0], &tasks[1]);
}

static void a_signal_interrupts(void)
{
    explore_ghost_add(&cancels_due, 1);
    urd__runtime_interrupt(-1);
}

static void worker_0_starts_and_is_busy(void)
{
    urd__runtime_started();
}

static void io_completes(void)
{
    explore_ghost_add(&tasks_due, 1);
    urd__store_rel(&io_done, 1);
    urd__store_rel(&bell, 1);
    explore_futex_wake(&bell, 1);
}

static void stop_all(void)
{
    urd__store_rel(&urd__rt.stopping, 1);
    urd__fence_seq(); /* as stop() in runtime.c */
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        urd__park_wake(&urd__rt.workers[i]);
}

static void worker_1_is_awake(void)
{
    explore_assert(workers[1].parked == URD__AWAKE);
    explore_assert(urd__rt.parked == 0);
}

/* All workers sleep or have ended. */
static void nothing_is_left(void)
{
    explore_assert(jobs_run == jobs_due);
    explore_assert(tasks_run == tasks_due);
    explore_assert(cancels == cancels_due);
    int asleep = 0;
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        asleep += workers[i].parked != URD__AWAKE;
    explore_assert(asleep == urd__rt.parked);
    for (unsigned i = 0; i < urd__rt.nworkers; i++)
        explore_assert(kept_off[i] == 0);
}

const struct explore_model explore_models[] = {
    {.name = "a_job_from_outside_wakes_the_worker",
     .setup = setup_1,
     .threads = {worker_0, foreign_submits},
     .thread_names = {"worker", "other"},
     .stale_reads = 1,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "a_ready_task_wakes_its_worker",
     .setup = setup_1,
     .threads = {worker_0, foreign_posts},
     .thread_names = {"worker", "other"},
     .stale_reads = 1,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "two_ready_tasks_wake_their_worker",
     .setup = setup_1,
     .threads = {worker_0, foreign_posts, another_posts},
     .thread_names = {"worker", "other", "another"},
     .random = SAMPLES,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "a_pushed_job_wakes_a_thief",
     .setup = setup_2,
     .threads = {busy_worker_submits, worker_1},
     .thread_names = {"busy", "worker 1"},
     .stale_reads = 1,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "with_a_barrier_a_pushed_job_wakes_a_thief",
     .setup = setup_2_barrier,
     .threads = {busy_worker_submits, worker_1},
     .thread_names = {"busy", "worker 1"},
     .random = SAMPLES,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "with_a_barrier_while_one_is_busy_another_takes_the_second_job",
     .setup = setup_3_barrier,
     .threads = {busy_worker_submits_two, worker_1_once, worker_2_once},
     .thread_names = {"busy", "worker 1", "worker 2"},
     .random = SAMPLES,
     .may_wait = 6,
     .finish = nothing_is_left},
    {.name = "with_a_barrier_who_has_slept_wakes_a_thief",
     .setup = setup_2_barrier,
     .threads = {worker_0_sleeps_and_submits, worker_1, foreign_posts},
     .thread_names = {"worker 0", "worker 1", "other"},
     .random = SAMPLES,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "of_two_wakers_one_keeps_the_worker_off_its_processor",
     .setup = setup_3,
     .threads = {busy_worker_submits, worker_1, another_busy_worker_submits},
     .thread_names = {"busy", "worker 1", "another"},
     .random = SAMPLES,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "two_pushed_jobs_wake_a_thief",
     .setup = setup_2,
     .threads = {busy_worker_submits_two, worker_1},
     .thread_names = {"busy", "worker 1"},
     .random = SAMPLES,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "a_searcher_on_its_way_to_sleep_counts_as_awake_rightly",
     .setup = setup_3,
     .threads = {busy_worker_submits, worker_1, worker_2},
     .thread_names = {"busy", "worker 1", "worker 2"},
     .random = SAMPLES,
     .may_wait = 6,
     .finish = nothing_is_left},
    {.name = "while_one_is_busy_another_takes_the_second_job",
     .setup = setup_3,
     .threads = {busy_worker_submits_two, worker_1_once, worker_2_once},
     .thread_names = {"busy", "worker 1", "worker 2"},
     .random = SAMPLES,
     .may_wait = 6,
     .finish = nothing_is_left},
    {.name = "io_wakes_the_worker_that_waits_for_it",
     .setup = setup_io,
     .threads = {worker_0, io_completes},
     .thread_names = {"worker", "kernel"},
     .stale_reads = 1,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "a_ready_task_wakes_a_worker_in_its_poller",
     .setup = setup_io,
     .threads = {worker_0, foreign_posts},
     .thread_names = {"worker", "other"},
     .stale_reads = 1,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "io_and_a_ready_task_come_at_once",
     .setup = setup_io,
     .threads = {worker_0, foreign_posts, io_completes},
     .thread_names = {"worker", "other", "kernel"},
     .random = SAMPLES,
     .may_wait = 1,
     .finish = nothing_is_left},
    {.name = "no_poller_is_closed_under_a_waker",
     .setup = setup_io,
     .threads = {worker_0_then_close, io_completes, stop_all},
     .thread_names = {"worker", "kernel", "stopper"},
     .random = SAMPLES},
    {.name = "with_a_barrier_no_poller_is_closed_under_a_waker",
     .setup = setup_io_barrier,
     .threads = {worker_0_then_close, io_completes, stop_all},
     .thread_names = {"worker", "kernel", "stopper"},
     .random = SAMPLES},
    {.name = "an_interrupt_is_heeded_while_the_first_worker_is_busy",
     .setup = setup_2,
     .threads = {a_signal_interrupts, worker_1},
     .thread_names = {"handler", "worker 1"},
     .stale_reads = 1,
     .may_wait = 2,
     .finish = nothing_is_left},
    {.name = "an_interrupt_is_heeded_though_who_searches_finds_a_job_that_never_ends",
     .setup = setup_3,
     .threads = {busy_worker_submits, worker_1_once, worker_2_once, a_signal_interrupts},
     .thread_names = {"busy", "worker 1", "worker 2", "handler"},
     .random = SAMPLES,
     .may_wait = 6,
     .finish = nothing_is_left},
    {.name = "an_interrupt_during_the_start_wakes_who_sleeps",
     .setup = setup_start,
     .threads = {worker_0_starts_and_is_busy, a_signal_interrupts},
     .thread_names = {"worker 0", "handler"},
     .finish = worker_1_is_awake},
    {.name = "stop_reaches_every_worker",
     .setup = setup_2,
     .threads = {worker_0, worker_1, stop_all},
     .thread_names = {"worker 0", "worker 1", "stopper"},
     .random = SAMPLES,
     .finish = nothing_is_left},
    {.name = NULL},
};
