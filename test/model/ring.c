/*
 * ring.c - every schedule of a parent and its workers: each job is run once and its end is seen.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker that dies is a thread that stops: after any of the steps in which a number, a slot or a
 * result is in its hands alone.  Its keeper then asks urd__ring_reclaim() what it held.  Whatever
 * the step, a job that was pushed must be run to its end, or be known as lost, and never both.
 */
#include "model_base.h"

void urd__os_futex_wait_shared(const int *word, int value, int64_t until)
{
    (void)until;
    explore_futex_wait((int *)(uintptr_t)word, value);
}

void urd__os_futex_wake_shared(const int *word, int count)
{
    explore_futex_wake((int *)(uintptr_t)word, count);
}

#include "pool/ring.c"

#include <string.h>

enum { WORKERS = 2, SAMPLES = 3000 };

static _Alignas(64) unsigned char memory[sizeof(urd__ring) + WORKERS * sizeof(urd__ring_worker)];
static urd__ring *const ring = (urd__ring *)memory;

static int lock; /* the pool's */
static uint64_t seen[WORKERS];
static int pushed, ended, lost, ran[URD__RING_SLOTS]; /* under lock, or of who holds the slot */
static int dead, short_ran, up;                       /* atomic, futexes */

static void setup(void)
{
    memset(memory, 0, sizeof memory);
    memset(seen, 0, sizeof seen);
    memset(ran, 0, sizeof ran);
    lock = pushed = ended = lost = dead = short_ran = 0;
    up = 1;
    urd__ring_init(ring, WORKERS);
}

static void push(int slot)
{
    urd__lock(&lock);
    pushed++;
    urd__ring_push(ring, &ring->slots[slot]);
    urd__unlock(&lock);
    urd__ring_wake(ring);
}

static bool all_known(void *arg)
{
    (void)arg;
    urd__lock(&lock);
    bool all = ended + lost == pushed;
    for (unsigned i = 0; i < WORKERS; i++)
        all = all || urd__ring_has_ended(ring, i, &seen[i]);
    urd__unlock(&lock);
    return all;
}

/* True: all jobs are known to have ended. */
static bool reap_all(void)
{
    urd__lock(&lock);
    for (unsigned i = 0; i < WORKERS; i++) {
        urd__slot *slots[URD__RING_SLOTS];
        int n = urd__ring_reap(ring, i, &seen[i], slots, URD__RING_SLOTS);
        for (int k = 0; k < n; k++) {
            explore_assert(slots[k]->result == 7);
            urd__ring_free(slots[k]);
        }
        ended += n;
    }
    bool all = ended + lost == pushed;
    urd__unlock(&lock);
    return all;
}

static void wait_for_ends(void)
{
    while (!reap_all())
        urd__ring_sleep_parent(ring, all_known, NULL);
    urd__ring_stop(ring);
}

static void run(unsigned worker, urd__slot *slot)
{
    explore_ghost_add(&ran[slot - ring->slots], 1);
    slot->result = 7;
    urd__ring_done(ring, worker, slot);
}

static void work(unsigned worker)
{
    urd__ring_enter(ring, worker);
    for (urd__slot *slot; (slot = urd__ring_take(ring, worker, INT64_MAX)) != NULL;)
        run(worker, slot);
}

static void first_worker(void)
{
    work(0);
}

static void second_worker(void)
{
    work(1);
}

static void one_job(void)
{
    push(0);
    wait_for_ends();
}

static void two_jobs(void)
{
    push(0);
    push(1);
    wait_for_ends();
}

static void all_ran_once(void)
{
    explore_assert(ended == pushed && lost == 0);
    for (int i = 0; i < URD__RING_SLOTS; i++)
        explore_assert(ran[i] == (i < pushed));
}

/* ---- The parent looks itself ----------------------------------------------------------------- */

static void looks_then_sleeps(void)
{
    push(0);
    urd__ring_look(ring);
    bool all = reap_all();
    urd__ring_look_end(ring);
    all = all || reap_all(); /* once more, as look_end() asks */
    if (all)
        urd__ring_wake_parent(ring); /* here the collector waits for the end of all */
}

static void collector(void)
{
    for (bool any = false; !any;) {
        urd__lock(&lock);
        any = pushed > 0;
        urd__unlock(&lock);
        if (!any)
            explore_yield();
    }
    wait_for_ends();
}

/* ---- A long job ------------------------------------------------------------------------------ */

/* The job in slot 0 takes until the other has been run, which another worker must do. */
static void work_on_long(unsigned worker)
{
    urd__ring_enter(ring, worker);
    for (urd__slot *slot; (slot = urd__ring_take(ring, worker, INT64_MAX)) != NULL;) {
        if (slot != ring->slots) {
            urd__store_rel(&short_ran, 1);
            urd__os_futex_wake(&short_ran, 1);
        }
        while (slot == ring->slots && !urd__load_acq(&short_ran))
            urd__os_futex_wait(&short_ran, 0, INT64_MAX);
        run(worker, slot);
    }
}

static void first_on_long(void)
{
    work_on_long(0);
}

static void second_on_long(void)
{
    work_on_long(1);
}

/* ---- Death ----------------------------------------------------------------------------------- */

/* The first half of a wake. */
static void choose_a_sleeper(void)
{
    int sleeps = URD__RING_SLEEPS;
    int *whose = explore_choose(2) ? &ring->parent : &ring->workers[1].state;
    urd__cas_ar(whose, &sleeps, URD__RING_RUNS);
}

/* What urd__ring_take() and urd__ring_done() do, and die on the way. */
static void die_on_the_way(void)
{
    int step = explore_choose(5);
    urd__ring_worker *w = &ring->workers[0];
    urd__ring_enter(ring, 0);
    uint64_t head = urd__load_acq(&ring->head);
    if (urd__load_acq(&ring->tail) > head) {
        uint64_t number = urd__load_rlx(&ring->queue[head % URD__RING_QUEUE]);
        urd__slot *slot = &ring->slots[number & 0xFFFF];
        if (urd__cas_ar(&ring->head, &head, head + 1) && step > 0 &&
            make_own(slot, number >> PASS_SHIFT, 0) && step > 1) {
            explore_ghost_add(&ran[slot - ring->slots], 1);
            slot->result = 7;
            if (step == 2)
                urd__store_rel(&slot->state, make_state(number >> PASS_SHIFT, 0, URD__SLOT_DONE));
            else
                urd__ring_done(ring, 0, slot);
        }
    }
    if (step == 4) /* having chosen whom to wake */
        choose_a_sleeper();
    urd__store_rel(&w->state, explore_choose(2) ? URD__RING_LOOKS : URD__RING_SLEEPS);
    urd__store_rel(&dead, 1);
    urd__os_futex_wake(&dead, 1);
}

static void keeper(void)
{
    while (!urd__load_acq(&dead))
        urd__os_futex_wait(&dead, 0, INT64_MAX);
    reap_all();
    bool done;
    urd__lock(&lock);
    urd__slot *held = urd__ring_reclaim(ring, 0, &seen[0], &done);
    if (held) {
        explore_assert(!done || held->result == 7);
        ended += done;
        lost += !done;
        urd__ring_free(held);
    }
    urd__unlock(&lock);
    urd__ring_wake(ring);
    urd__ring_wake_parent(ring);
}

static void each_ran_or_is_lost(void)
{
    explore_assert(ended + lost == pushed);
    explore_assert(lost <= 1);
    int runs = 0;
    for (int i = 0; i < URD__RING_SLOTS; i++) {
        explore_assert(ran[i] <= 1);
        runs += ran[i];
    }
    explore_assert(runs == ended);
}

/* ---- Idle ------------------------------------------------------------------------------------ */

/* `up` is 1 while the worker or its keeper is there, 0 while the place is vacant, 2 at the end. */
static void occupy(int how)
{
    urd__lock(&lock);
    bool vacant = !urd__load_acq(&up);
    if (vacant || how == 2)
        urd__store_rel(&up, how);
    urd__unlock(&lock);
    urd__os_futex_wake(&up, 1);
}

/* A worker that leaves whenever it finds nothing, and its keeper, in one. */
static void leaves_when_idle(void)
{
    while (urd__load_acq(&up) != 2) {
        bool done;
        urd__ring_enter(ring, 0);
        for (urd__slot *slot; (slot = urd__ring_take(ring, 0, 0)) != NULL;)
            run(0, slot);
        reap_all();
        urd__lock(&lock); /* L1 */
        urd__slot *held = urd__ring_reclaim(ring, 0, &seen[0], &done);
        explore_assert(!held);
        if (urd__ring_is_empty(ring) && urd__load_acq(&up) == 1) /* L2 */
            urd__store_rel(&up, 0);                              /* L3 */
        urd__unlock(&lock);
        urd__ring_wake_parent(ring); /* it reaped some itself */
        while (!urd__load_acq(&up))
            urd__os_futex_wait(&up, 0, INT64_MAX);
    }
}

static void pushes_and_grows(void)
{
    for (int i = 0; i < 2; i++) {
        push(i);                          /* G1 */
        if (urd__ring_unserved(ring) > 0) /* G2 */
            occupy(1);
    }
    wait_for_ends();
    occupy(2);
}

/* ---- Taken back ------------------------------------------------------------------------------ */

static void takes_back(void)
{
    push(0);
    urd__lock(&lock);
    if (urd__ring_take_back(&ring->slots[0])) {
        pushed--;
        urd__ring_push(ring, &ring->slots[0]); /* its old number is in the queue yet */
        pushed++;
    }
    urd__unlock(&lock);
    urd__ring_wake(ring);
    wait_for_ends();
}

const struct explore_model explore_models[] = {
    {.name = "a_job_is_run_and_its_end_seen",
     .setup = setup,
     .threads = {one_job, first_worker},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "two_jobs_reach_one_worker",
     .setup = setup,
     .threads = {two_jobs, first_worker},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "two_workers_share_two_jobs",
     .setup = setup,
     .threads = {two_jobs, first_worker, second_worker},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "no_job_waits_behind_a_long_one",
     .setup = setup,
     .threads = {two_jobs, first_on_long, second_on_long},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "who_looks_does_not_leave_an_end_unseen",
     .setup = setup,
     .threads = {looks_then_sleeps, first_worker, collector},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "a_slot_taken_back_is_not_run_under_its_old_number",
     .setup = setup,
     .threads = {takes_back, first_worker},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "a_job_does_not_wait_for_a_worker_that_left",
     .setup = setup,
     .threads = {pushes_and_grows, leaves_when_idle},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_ran_once},
    {.name = "what_a_dead_worker_held_is_run_or_known_as_lost",
     .setup = setup,
     .threads = {two_jobs, die_on_the_way, second_worker, keeper},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = each_ran_or_is_lost},
    {.name = NULL},
};
