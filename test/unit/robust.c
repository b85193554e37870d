/*
 * robust.c - mutexes between processes: exclusion, death of the owner, repair, poison, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/robust.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "forks.h"
#include "test.h"

/* In shared memory; a and b are equal whenever nobody holds the mutex, but after a death. */
typedef struct guarded {
    urd_mutex mutex;
    long a, b; /* under mutex */
    int turn;  /* atomic */
} guarded;

enum { TIMES = 200 };

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 2};
    test_run_with(&config, fn, NULL);
}

static int add(guarded *g, int times)
{
    for (int i = 0; i < times; i++) {
        CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
        CHECK_EQ(g->a, g->b);
        g->a++;
        if (i % 16 == 0)
            CHECK_EQ(urd_yield(), 0);
        g->b++;
        urd_mutex_unlock(&g->mutex);
    }
    return 0;
}

static int adds(void *arg)
{
    return add(arg, TIMES);
}

static int all_kinds(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 2; i++)
        for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
            CHECK_EQ(urd_spawn(&s, kind, adds, g, 0), 0);
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(g->a, 6 * TIMES);
    CHECK_EQ(urd_mutex_trylock(&g->mutex), 0);
    CHECK_EQ(g->b, 6 * TIMES);
    urd_mutex_unlock(&g->mutex);
    urd_shared_free(g);
    return 0;
}

TEST(one_at_a_time_among_tasks_threads_and_processes)
{
    run(all_kinds);
}

/* ---- Death ----------------------------------------------------------------------------------- */

static void wait_for_turn(guarded *g, int turn)
{
    while (urd__load_acq(&g->turn) < turn)
        urd__os_yield();
}

static int dies_inside(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    g->a++;
    raise(SIGKILL);
    return 0;
}

static int exits_inside(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    g->a++;
    _exit(0);
}

/* When the parent waits for it. */
static int dies_when_awaited(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    int held = urd__load_acq(&g->mutex.lock);
    g->a++;
    urd__store_rel(&g->turn, 1);
    while (urd__load_acq(&g->mutex.lock) == held)
        urd__os_yield();
    raise(SIGKILL);
    return 0;
}

static int in_process(urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_scope_keep_going(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, fn, arg, 0), 0);
    return urd_scope_join(&s);
}

static void mend(guarded *g)
{
    CHECK_EQ(g->a, g->b + 1);
    g->b = g->a;
    urd_mutex_repair(&g->mutex);
    urd_mutex_unlock(&g->mutex);
}

static int next_is_told(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(in_process(dies_inside, g), -ECHILD);
    CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
    mend(g);
    add(g, 1);
    CHECK_EQ(in_process(exits_inside, g), -ECHILD);
    CHECK_EQ(urd_mutex_trylock(&g->mutex), -EOWNERDEAD);
    mend(g);
    add(g, 1);
    urd_shared_free(g);
    return 0;
}

TEST(who_locks_after_the_owner_ended_is_told)
{
    run(next_is_told);
}

static int is_told(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
    urd_mutex_unlock(&g->mutex);
    return 0;
}

static int each_is_told(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(in_process(dies_inside, g), -ECHILD);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
        urd_mutex_unlock(&g->mutex);
    }
    CHECK_EQ(in_process(is_told, g), 0);
    CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
    mend(g);
    urd_shared_free(g);
    return 0;
}

TEST(each_owner_is_told_until_one_repairs)
{
    run(each_is_told);
}

static int waits_and_mends(void *arg)
{
    guarded *g = arg;
    wait_for_turn(g, 1);
    CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
    mend(g);
    return 0;
}

static int a_waiter_is_woken(void *arg)
{
    (void)arg;
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        guarded *g = urd_shared_alloc(sizeof *g);
        urd_scope s;
        urd_scope_open(&s);
        CHECK_EQ(urd_spawn(&s, kind, waits_and_mends, g, 0), 0);
        CHECK_EQ(in_process(dies_when_awaited, g), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        add(g, 1);
        urd_shared_free(g);
    }
    return 0;
}

TEST(who_waits_as_the_owner_is_killed_is_woken)
{
    run(a_waiter_is_woken);
}

/* A task of one process and one of another may lie at the same address. */
static int locks_at_the_same_address(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), -EOWNERDEAD);
    _exit(0);
}

static int same_address(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(in_process(exits_inside, g), -ECHILD);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(in_process(locks_at_the_same_address, g), -ECHILD);
    urd_shared_free(g);
    return 0;
}

TEST(what_a_dead_owner_left_is_not_taken_for_the_caller)
{
    run(same_address);
}

/* ---- Poison ---------------------------------------------------------------------------------- */

static int is_refused(void *arg)
{
    guarded *g = arg;
    urd__add_ar(&g->turn, 1);
    CHECK_EQ(urd_mutex_lock(&g->mutex), -ENOTRECOVERABLE);
    CHECK_EQ(urd_mutex_trylock(&g->mutex), -ENOTRECOVERABLE);
    return 0;
}

static int poisons(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, is_refused, g, 0), 0);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, is_refused, g, 0), 0);
    wait_for_turn(g, 2);
    urd_go(&s, is_refused, g);
    urd_mutex_poison(&g->mutex);
    CHECK_EQ(urd_scope_join(&s), 0);
    g->mutex = (urd_mutex){0};
    add(g, 1);
    urd_shared_free(g);
    return 0;
}

TEST(poison_reaches_who_waits_and_who_comes)
{
    run(poisons);
}

/* ---- Cancels, and locks made of a mutex ------------------------------------------------------ */

static int waits_in_vain(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_mutex_lock(&g->mutex), -ECANCELED);
    return 0;
}

static int cancels(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    urd_scope_open(&s);
    urd_go(&s, waits_in_vain, g);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, waits_in_vain, g, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
    urd_mutex_unlock(&g->mutex);
    add(g, 1);
    urd_shared_free(g);
    return 0;
}

TEST(a_cancelled_waiter_does_not_have_it)
{
    run(cancels);
}

static int locks_twice_and_dies(void *arg)
{
    urd_rmutex *r = arg;
    CHECK_EQ(urd_rmutex_lock(r), 0);
    CHECK_EQ(urd_rmutex_lock(r), 0);
    raise(SIGKILL);
    return 0;
}

static int recursive(void *arg)
{
    (void)arg;
    urd_rmutex *r = urd_shared_alloc(sizeof *r);
    CHECK_EQ(in_process(locks_twice_and_dies, r), -ECHILD);
    CHECK_EQ(urd_rmutex_lock(r), -EOWNERDEAD);
    CHECK_EQ(urd_rmutex_lock(r), 0);
    urd_mutex_repair(&r->mutex);
    urd_rmutex_unlock(r);
    CHECK_EQ(urd_rmutex_trylock(r), 0);
    urd_rmutex_unlock(r);
    urd_rmutex_unlock(r);
    CHECK_EQ(urd_rmutex_lock(r), 0);
    urd_rmutex_unlock(r);
    urd_shared_free(r);
    return 0;
}

TEST(a_recursive_mutex_is_between_processes_too)
{
    run(recursive);
}

static int does_it(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int dies_as_it_does_it(void *arg)
{
    (void)arg;
    raise(SIGKILL);
    return 0;
}

static int once_and_dies(void *arg)
{
    return urd_once_run(arg, dies_as_it_does_it, NULL);
}

static int once(void *arg)
{
    (void)arg;
    urd_once *o = urd_shared_alloc(sizeof *o);
    int done = 0;
    CHECK_EQ(in_process(once_and_dies, o), -ECHILD);
    CHECK(!urd_once_done(o));
    CHECK_EQ(urd_once_run(o, does_it, &done), 0);
    CHECK_EQ(urd_once_run(o, does_it, &done), 0);
    CHECK_EQ(done, 1);
    urd_shared_free(o);
    return 0;
}

TEST(once_is_tried_again_after_a_death)
{
    run(once);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int locks_again(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    return urd_mutex_lock(&g->mutex);
}

static int unlocks_free(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_mutex_unlock(&g->mutex);
    return 0;
}

static int repairs_free(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_mutex_repair(&g->mutex);
    return 0;
}

static int poisons_local(void *arg)
{
    (void)arg;
    urd_mutex m = {0};
    CHECK_EQ(urd_mutex_lock(&m), 0);
    urd_mutex_repair(&m); /* there is nothing to repair */
    urd_mutex_poison(&m);
    return 0;
}

static int waits_with_it(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_cond cond = {0};
    CHECK_EQ(urd_mutex_lock(&g->mutex), 0);
    return urd_cond_wait(&cond, &g->mutex);
}

static void run_waits_with_it(void)
{
    run(waits_with_it);
}

static void run_locks_again(void)
{
    run(locks_again);
}

static void run_unlocks_free(void)
{
    run(unlocks_free);
}

static void run_repairs_free(void)
{
    run(repairs_free);
}

static void run_poisons_local(void)
{
    run(poisons_local);
}

/* It is this test that is the reaper of what an aborted program leaves. */
static void reap_orphans(void)
{
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        ;
}

TEST(misuse_aborts_and_says_what)
{
    CHECK_ABORTS(run_locks_again, "holds this lock already");
    CHECK_ABORTS(run_unlocks_free, "the lock is not held");
    CHECK_ABORTS(run_repairs_free, "urd_mutex_repair: the caller does not hold the lock");
    CHECK_ABORTS(run_poisons_local, "is not in memory that processes share");
    CHECK_ABORTS(run_waits_with_it, "of condition and mutex only one is between processes");
    reap_orphans();
}

/* ---- Killed anywhere ------------------------------------------------------------------------- */

static int adds_for_ever(void *arg)
{
    guarded *g = arg;
    for (;;) {
        int rc = urd_mutex_lock(&g->mutex);
        if (rc == -ECANCELED)
            return 0;
        if (rc == -EOWNERDEAD) {
            g->b = g->a;
            urd_mutex_repair(&g->mutex);
        } else {
            CHECK_EQ(rc, 0);
            CHECK_EQ(g->a, g->b);
        }
        g->a++;
        g->b++;
        urd_mutex_unlock(&g->mutex);
        urd__add_ar(&g->turn, 1);
    }
}

/* Starts one after the other, and kills each as it adds. */
static int kills(void *arg)
{
    guarded *g = arg;
    int rounds = test_under_slow_tool() ? 1 : 20;
    for (int round = 0; round < rounds; round++) {
        urd_scope s;
        urd_job job;
        urd_scope_open(&s);
        urd_scope_keep_going(&s);
        CHECK_EQ(urd_job_open(&job, &s, URD_PROCESS, adds_for_ever, g, 0, NULL), 0);
        int until = urd__load_acq(&g->turn) + 50 + 7 * round;
        while (urd__load_acq(&g->turn) < until)
            CHECK_EQ(urd_yield(), 0);
        CHECK_EQ(kill(urd_job_pid(&job), SIGKILL), 0);
        CHECK_EQ(urd_scope_join(&s), -ECHILD);
    }
    return 0;
}

static int killed_anywhere(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < 3; i++)
        urd_go(&s, kills, g);
    CHECK_EQ(urd_scope_join(&s), 0);
    int rc = urd_mutex_lock(&g->mutex);
    CHECK(rc == 0 || rc == -EOWNERDEAD);
    CHECK(rc == -EOWNERDEAD || g->a == g->b);
    urd_mutex_unlock(&g->mutex);
    urd_shared_free(g);
    return 0;
}

TEST(processes_killed_anywhere_leave_no_lock)
{
    run(killed_anywhere);
}
