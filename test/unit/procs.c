/*
 * procs.c - a process that dies loses exactly the job it ran, and the pool goes on without it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "pools.h"

enum { BIG = 100000 };

typedef struct big {
    unsigned char bytes[BIG];
} big;

static int reverse(const void *in, void *out)
{
    const big *from = in;
    big *to = out;
    for (int i = 0; i < BIG; i++)
        to->bytes[i] = from->bytes[BIG - 1 - i];
    return 0;
}

static void map_big(urd_kind kind, big *in, big *out)
{
    enum { N = 5 };
    urd_pool *p = open_pool(kind, NULL);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < BIG; k++)
            in[i].bytes[k] = (unsigned char)(i + k);
    CHECK_EQ(urd_pool_map(p, reverse, in, out, N), 0);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < BIG; k++)
            CHECK_EQ(out[i].bytes[k], (unsigned char)(i + BIG - 1 - k));
    CHECK_EQ(urd_pool_close(p), 0);
}

static int big_ones(void *arg)
{
    (void)arg;
    big *own = calloc(10, sizeof *own), *shared = urd_shared_alloc(10 * sizeof *shared);
    for (int i = 0; i < KINDS; i++) {
        map_big(kinds[i], own, own + 5);
        map_big(kinds[i], shared, shared + 5);
        map_big(kinds[i], own, shared);
        map_big(kinds[i], shared, own);
    }
    free(own);
    urd_shared_free(shared);
    return 0;
}

TEST(large_arguments_go_by_copy_or_in_shared_memory_without_one)
{
    run_all(big_ones);
}

static int where_it_lies(const void *in, void *out)
{
    *(const void **)out = in;
    return 0;
}

/* By a job that waits at the gate, if there is one. */
typedef struct wide {
    int *gate;
    unsigned char bytes[BIG];
} wide;

static int wait_and_tell(const void *in, void *out)
{
    return ((const wide *)in)->gate ? at_gate(in, out) : where_it_lies(in, out);
}

static int one_after_the_other(void *arg)
{
    (void)arg;
    const void *first = NULL;
    void *others[3];
    urd_pool *p = open_pool(URD_PROCESS, NULL);
    big *in = calloc(1, sizeof *in);
    for (int i = 0; i < 3; i++) {
        const void *at;
        urd_pool_job job;
        CHECK_EQ(urd_pool_submit(&job, p, where_it_lies, in, sizeof *in, &at, sizeof at), 0);
        CHECK_EQ(urd_pool_wait(&job), 0);
        CHECK(at != in);
        CHECK(!first || at == first);
        first = at;
        others[i] = urd_shared_alloc(sizeof *in + sizeof at); /* would get it if it were free */
    }
    free(in);
    CHECK_EQ(urd_pool_close(p), 0);
    for (int i = 0; i < 3; i++)
        urd_shared_free(others[i]);
    return 0;
}

TEST(a_large_argument_lies_where_the_last_one_did)
{
    run_all(one_after_the_other);
}

/* A slot keeps a block, another one is the next to be used, and the heap has no other. */
static void fill_heap_and_ask(void **blocks, int n)
{
    urd_pool_job large, small;
    const void *at;
    wide *in = calloc(1, sizeof *in);
    urd_pool *p = open_pool(URD_PROCESS, NULL);
    int *gates[2], *open = urd_shared_alloc(2 * sizeof *open);
    gates[0] = in->gate = open;
    gates[1] = open + 1;
    CHECK_EQ(urd_pool_submit(&large, p, wait_and_tell, in, sizeof *in, &at, sizeof at), 0);
    CHECK_EQ(urd_pool_submit(&small, p, at_gate, &gates[1], sizeof gates[1], NULL, 0), 0);
    urd__store_rel(gates[0], 1);
    CHECK_EQ(urd_pool_wait(&large), 0);
    urd__store_rel(gates[1], 1);
    CHECK_EQ(urd_pool_wait(&small), 0);
    int taken = 0;
    while (taken < n && (blocks[taken] = urd_shared_alloc(sizeof *in + sizeof at)) != NULL)
        taken++;
    CHECK(taken > 0 && taken < n);
    in->gate = NULL;
    CHECK_EQ(urd_pool_submit(&large, p, wait_and_tell, in, sizeof *in, &at, sizeof at), 0);
    CHECK_EQ(urd_pool_wait(&large), 0);
    CHECK_EQ(urd_pool_close(p), 0);
    while (taken > 0)
        urd_shared_free(blocks[--taken]);
    urd_shared_free(open);
    free(in);
}

static int in_a_full_heap(void *arg)
{
    (void)arg;
    void *blocks[64];
    /* So often that it would not have room for what a pool had not given back. */
    for (int i = 0; i < (test_under_slow_tool() ? 2 : 20); i++)
        fill_heap_and_ask(blocks, 64);
    return 0;
}

TEST(what_is_kept_for_large_arguments_is_given_back_when_the_heap_is_full)
{
    test_run_with(&(urd_config){.shared_bytes = (size_t)4 << 20}, in_a_full_heap, NULL);
}

static int own_pid(const void *in, void *out)
{
    (void)in;
    *(pid_t *)out = getpid();
    return 0;
}

static int replaced(void *arg)
{
    (void)arg;
    enum { N = 12, EACH = 3 };
    char in[N];
    pid_t out[N];
    urd_pool *p;
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 1, &(urd_pool_options){.jobs_max = EACH}), 0);
    CHECK_EQ(urd_pool_map(p, own_pid, in, out, N), 0);
    for (int i = 0; i < N; i++) {
        CHECK_NE(out[i], getpid());
        for (int k = 0; k < i; k++)
            CHECK_EQ(out[i] == out[k], i / EACH == k / EACH);
    }
    CHECK_EQ(urd_pool_close(p), 0);
    return 0;
}

TEST(a_process_is_replaced_after_so_many_jobs)
{
    run_all(replaced);
}

/* ---- Deaths ---------------------------------------------------------------------------------- */

/* What an element is told to do. */
enum { LIVE, CRASH, KILL, LEAVE, CRASH_ONCE };

typedef struct fate {
    int what;
    int *tries; /* in shared memory */
} fate;

static int perhaps_die(const void *in, void *out)
{
    const fate *f = in;
    switch (f->what) {
    case CRASH:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case KILL:
        kill(getpid(), SIGKILL);
        break;
    case LEAVE:
        _exit(7);
    case CRASH_ONCE:
        if (urd__add_ar(f->tries, 1) == 0)
            kill(getpid(), SIGKILL);
        break;
    default:
        break;
    }
    *(int *)out = 1;
    return 0;
}

static int one_dies(void *arg)
{
    (void)arg;
    enum { N = 200 };
    static const struct {
        int what;
        const char *detail;
    } deaths[] = {
        {CRASH, "killed by SIGSEGV"}, {KILL, "killed by SIGKILL"}, {LEAVE, "exited with code 7"}};
    fate in[N];
    int out[N];
    urd_pool_job jobs[N];
    for (size_t d = 0; d < 3; d++) {
        urd_pool *p = open_pool(URD_PROCESS, NULL);
        for (int i = 0; i < N; i++) {
            in[i] = (fate){.what = i == 77 ? deaths[d].what : LIVE};
            out[i] = 0;
            CHECK_EQ(urd_pool_submit(&jobs[i], p, perhaps_die, &in[i], sizeof(fate), &out[i],
                                     sizeof(int)),
                     0);
        }
        for (int i = 0; i < N; i++) {
            CHECK_EQ(urd_pool_wait(&jobs[i]), i == 77 ? -ECHILD : 0);
            CHECK_EQ(out[i], i != 77);
        }
        CHECK_CONTAINS(urd_pool_detail(&jobs[77]), deaths[d].detail);
        urd_pool_state state;
        CHECK_EQ(urd_pool_map(p, perhaps_die, in, out, 77), 0); /* the pool goes on */
        urd_pool_get(p, &state);
        CHECK_EQ(state.died, 1);
        CHECK_EQ(urd_pool_close(p), 0);
    }
    return 0;
}

TEST(a_worker_that_dies_loses_exactly_the_job_it_ran)
{
    run_all(one_dies);
}

static int tried_again(void *arg)
{
    (void)arg;
    int out[3], *tries = urd_shared_alloc(sizeof *tries);
    fate in[] = {{LIVE, NULL}, {CRASH_ONCE, tries}, {LIVE, NULL}};
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.retries_max = 1});
    CHECK_EQ(urd_pool_map(p, perhaps_die, in, out, 3), 0);
    CHECK_EQ(*tries, 2);
    in[1].what = KILL;
    CHECK_EQ(urd_pool_map(p, perhaps_die, in, out, 3), -ECHILD);
    CHECK_EQ(urd_pool_close(p), 0);
    urd_shared_free(tries);
    return 0;
}

TEST(a_job_that_may_run_twice_is_tried_again)
{
    run_all(tried_again);
}

static int all_die(void *arg)
{
    (void)arg;
    enum { N = 50 };
    fate in[N];
    int out[N];
    urd_pool_job jobs[N];
    for (int i = 0; i < N; i++)
        in[i] = (fate){.what = KILL};
    urd_pool *p = open_pool(URD_PROCESS, &(urd_pool_options){.restarts_max = 4});
    for (int i = 0; i < N; i++)
        if (urd_pool_submit(&jobs[i], p, perhaps_die, &in[i], sizeof(fate), &out[i], sizeof(int)))
            jobs[i].pool = NULL;
    for (int i = 0; i < N; i++)
        if (jobs[i].pool)
            CHECK_EQ(urd_pool_wait(&jobs[i]), -ECHILD);
    CHECK_EQ(urd_pool_close(p), -ECHILD);
    return 0;
}

TEST(a_pool_whose_workers_die_too_often_breaks_and_every_wait_returns)
{
    run_all(all_die);
}

/* ---- Pools that grow and shrink -------------------------------------------------------------- */

/* Until so many of them run at once. */
static int meet(const void *in, void *out)
{
    int *here = *(int *const *)in;
    (void)out;
    urd__add_ar(here, 1);
    while (urd__load_acq(here) < 3)
        if (urd_sleep(URD_MS))
            return -ECANCELED;
    return 0;
}

static void wait_for_workers(urd_pool *p, int n)
{
    urd_pool_state state;
    do {
        CHECK_EQ(urd_sleep(URD_MS), 0);
        urd_pool_get(p, &state);
    } while (state.workers != n);
    CHECK_EQ(state.died, 0);
}

static int grow_and_shrink(void *arg)
{
    (void)arg;
    urd_pool *p;
    int *here = urd_shared_alloc(sizeof *here), *in[] = {here, here, here};
    char out[3];
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 3,
                           &(urd_pool_options){.workers_min = 1, .idle_duration = 5 * URD_MS}),
             0);
    for (int round = 0; round < 2; round++) {
        urd__store_rel(here, 0);
        CHECK_EQ(urd_pool_map(p, meet, in, out, 3), 0);
        wait_for_workers(p, 1);
    }
    CHECK_EQ(urd_pool_close(p), 0);
    urd_shared_free(here);
    return 0;
}

TEST(a_pool_of_processes_grows_while_nobody_is_free_and_shrinks_when_idle)
{
    run_all(grow_and_shrink);
}

/* The worker that stays is at a long job, and the other one leaves as soon as it can. */
static int leave_at_once(void *arg)
{
    (void)arg;
    urd_pool *p;
    urd_pool_job long_one, job;
    int *open = urd_shared_alloc(sizeof *open);
    CHECK_EQ(urd_pool_open(&p, URD_PROCESS, 2,
                           &(urd_pool_options){.workers_min = 1, .idle_duration = 1}),
             0);
    CHECK_EQ(urd_pool_submit(&long_one, p, at_gate, &open, sizeof open, NULL, 0), 0);
    for (long i = 0; i < (test_under_slow_tool() ? 5 : 50); i++) {
        long out = 0;
        CHECK_EQ(urd_pool_submit(&job, p, square, &i, sizeof i, &out, sizeof out), 0);
        CHECK_EQ(urd_pool_wait(&job), 0);
        CHECK_EQ(out, i * i);
    }
    urd__store_rel(open, 1);
    CHECK_EQ(urd_pool_close(p), 0);
    urd_shared_free(open);
    return 0;
}

TEST(no_job_waits_for_a_process_that_has_just_left)
{
    run_all(leave_at_once);
}
