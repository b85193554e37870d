/*
 * shares.c - read-write locks between processes: exclusion, deaths of readers and writers, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shares.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/atomic.h"
#include "base/os.h"
#include "core/peer.h"
#include "forks.h"
#include "test.h"

enum { TIMES = 40 };

/* In shared memory; a and b are equal whenever nobody writes, but after a death. */
typedef struct guarded {
    urd_rwlock lock;
    long a, b;                  /* under lock */
    int readers, writers, turn; /* atomic: inside */
} guarded;

static void run(urd_fn *fn)
{
    urd_config config = {.workers = 1};
    test_run_with(&config, fn, NULL);
}

static int reads(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
        urd__add_ar(&g->readers, 1);
        CHECK_EQ(urd__load_acq(&g->writers), 0);
        CHECK_EQ(g->a, g->b);
        if (i % 4 == 0)
            CHECK_EQ(urd_yield(), 0);
        urd__sub_ar(&g->readers, 1);
        urd_rwlock_rdunlock(&g->lock);
    }
    return 0;
}

static int writes(void *arg)
{
    guarded *g = arg;
    for (int i = 0; i < TIMES; i++) {
        CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
        CHECK_EQ(urd__add_ar(&g->writers, 1), 0);
        CHECK_EQ(urd__load_acq(&g->readers), 0);
        g->a++;
        if (i % 4 == 0)
            CHECK_EQ(urd_yield(), 0);
        g->b++;
        urd__sub_ar(&g->writers, 1);
        urd_rwlock_wrunlock(&g->lock);
    }
    return 0;
}

static int all_kinds(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    urd_scope_open(&s);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        CHECK_EQ(urd_spawn(&s, kind, reads, g, 0), 0);
        CHECK_EQ(urd_spawn(&s, kind, writes, g, 0), 0);
        CHECK_EQ(urd_spawn(&s, kind, reads, g, 0), 0);
    }
    CHECK_EQ(urd_scope_join(&s), 0);
    CHECK_EQ(g->a, 3 * TIMES);
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), 0);
    urd_rwlock_wrunlock(&g->lock);
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), 0);
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), 0);
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), -EAGAIN);
    urd_rwlock_rdunlock(&g->lock);
    urd_rwlock_rdunlock(&g->lock);
    urd_shared_free(g);
    return 0;
}

TEST(many_read_or_one_writes_among_tasks_threads_and_processes)
{
    run(all_kinds);
}

/* ---- Death ----------------------------------------------------------------------------------- */

static int in_process(urd_fn *fn, void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, fn, arg, 0), 0);
    return urd_scope_join(&s);
}

static int dies_reading(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
    urd__store_rel(&g->turn, 1);
    while (urd__load_acq(&g->turn) != 2)
        urd__os_yield();
    raise(SIGKILL);
    return 0;
}

static int dies_writing(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    g->a++;
    urd__store_rel(&g->turn, 1);
    while (urd__load_acq(&g->turn) != 2)
        urd__os_yield();
    raise(SIGKILL);
    return 0;
}

static int writes_once(void *arg)
{
    guarded *g = arg;
    urd__store_rel(&g->turn, 2);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    urd_rwlock_wrunlock(&g->lock);
    return 0;
}

static int is_told_as_reader(void *arg)
{
    guarded *g = arg;
    urd__store_rel(&g->turn, 2);
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), -EOWNERDEAD);
    CHECK_EQ(g->a, g->b + 1);
    urd_rwlock_rdunlock(&g->lock);
    return 0;
}

/* Somebody of each kind comes while it holds the lock, and is there when it is killed. */
static int beside(urd_fn *dies, urd_fn *comes, void (*after)(guarded *g))
{
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++) {
        guarded *g = urd_shared_alloc(sizeof *g);
        urd_scope s, doomed;
        urd_scope_open(&s);
        urd_scope_open(&doomed);
        CHECK_EQ(urd_spawn(&doomed, URD_PROCESS, dies, g, 0), 0);
        while (urd__load_acq(&g->turn) != 1)
            CHECK_EQ(urd_yield(), 0);
        CHECK_EQ(urd_rwlock_trywrlock(&g->lock), -EAGAIN);
        CHECK_EQ(urd_spawn(&s, kind, comes, g, 0), 0);
        CHECK_EQ(urd_scope_join(&doomed), -ECHILD);
        CHECK_EQ(urd_scope_join(&s), 0);
        after(g);
        urd_shared_free(g);
    }
    return 0;
}

static void is_free(guarded *g)
{
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), 0);
    urd_rwlock_wrunlock(&g->lock);
}

static void is_mended(guarded *g)
{
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), -EOWNERDEAD);
    urd_rwlock_rdunlock(&g->lock);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), -EOWNERDEAD);
    urd_rwlock_wrunlock(&g->lock);
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), -EOWNERDEAD);
    g->b = g->a;
    urd_rwlock_repair(&g->lock);
    urd_rwlock_wrunlock(&g->lock);
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
    urd_rwlock_rdunlock(&g->lock);
}

static int reader_dies(void *arg)
{
    (void)arg;
    return beside(dies_reading, writes_once, is_free);
}

static int writer_dies(void *arg)
{
    (void)arg;
    return beside(dies_writing, is_told_as_reader, is_mended);
}

TEST(a_reader_that_is_killed_gives_its_share_back)
{
    run(reader_dies);
}

TEST(after_the_death_of_a_writer_all_are_told_until_it_is_repaired)
{
    run(writer_dies);
}

static int takes_and_dies(void *arg)
{
    guarded *g = arg;
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    raise(SIGKILL);
    return 0;
}

static int try_after_death(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(in_process(takes_and_dies, g), -ECHILD);
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), -EOWNERDEAD);
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), -EAGAIN);
    urd_rwlock_rdunlock(&g->lock);
    urd_shared_free(g);
    return 0;
}

TEST(a_try_finds_a_lock_whose_writer_died)
{
    run(try_after_death);
}

/* ---- Poison, cancels, places ----------------------------------------------------------------- */

static int is_refused(void *arg)
{
    guarded *g = arg;
    urd__add_ar(&g->turn, 1);
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), -ENOTRECOVERABLE);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), -ENOTRECOVERABLE);
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), -ENOTRECOVERABLE);
    CHECK_EQ(urd_rwlock_trywrlock(&g->lock), -ENOTRECOVERABLE);
    return 0;
}

static int poisons(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    for (urd_kind kind = URD_TASK; kind <= URD_PROCESS; kind++)
        CHECK_EQ(urd_spawn(&s, kind, is_refused, g, 0), 0);
    while (urd__load_acq(&g->turn) < 3)
        CHECK_EQ(urd_yield(), 0);
    urd_rwlock_poison(&g->lock);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(g);
    return 0;
}

TEST(poison_reaches_who_waits_and_who_comes)
{
    run(poisons);
}

static int reads_in_vain(void *arg)
{
    CHECK_EQ(urd_rwlock_rdlock(&((guarded *)arg)->lock), -ECANCELED);
    return 0;
}

static int writes_in_vain(void *arg)
{
    CHECK_EQ(urd_rwlock_wrlock(&((guarded *)arg)->lock), -ECANCELED);
    return 0;
}

static void cancel(guarded *g, urd_fn *in_vain)
{
    urd_scope s;
    urd_scope_open(&s);
    urd_go(&s, in_vain, g);
    CHECK_EQ(urd_spawn(&s, URD_THREAD, in_vain, g, 0), 0);
    CHECK_EQ(urd_yield(), 0);
    urd_scope_cancel(&s, -EDOM);
    CHECK_EQ(urd_scope_join(&s), -EDOM);
}

static int cancelled(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    cancel(g, reads_in_vain);
    cancel(g, writes_in_vain);
    urd_rwlock_wrunlock(&g->lock);
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
    cancel(g, writes_in_vain);
    CHECK_EQ(urd_rwlock_tryrdlock(&g->lock), 0);
    urd_rwlock_rdunlock(&g->lock);
    urd_rwlock_rdunlock(&g->lock);
    is_free(g);
    urd_shared_free(g);
    return 0;
}

TEST(who_is_cancelled_does_not_have_it_and_keeps_nobody_out)
{
    run(cancelled);
}

/* All places are of this process, whose number is written into them as if of many. */
static int no_place(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    uint64_t *shares = &g->lock.between[1];
    size_t places = sizeof g->lock.between / sizeof *shares - 1;
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
    for (size_t i = 0; i < places; i++)
        shares[i] = ((uint64_t)urd__place_own.self << 34) + 1;
    urd_scope s;
    urd_scope_open(&s);
    CHECK_EQ(urd_spawn(&s, URD_PROCESS, reads, g, 0), 0);
    while (!(urd__load_acq((int *)(void *)g->lock.between) & 4)) /* until it waits */
        CHECK_EQ(urd_yield(), 0);
    urd_rwlock_rdunlock(&g->lock);
    CHECK_EQ(urd_scope_join(&s), 0);
    urd_shared_free(g);
    return 0;
}

TEST(who_finds_no_place_waits_for_one)
{
    run(no_place);
}

/* ---- Misuse ---------------------------------------------------------------------------------- */

static int reads_while_writing(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(urd_rwlock_wrlock(&g->lock), 0);
    return urd_rwlock_rdlock(&g->lock);
}

static int unlocks_free(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    urd_rwlock_rdunlock(&g->lock);
    return 0;
}

static int repairs_reading(void *arg)
{
    (void)arg;
    guarded *g = urd_shared_alloc(sizeof *g);
    CHECK_EQ(urd_rwlock_rdlock(&g->lock), 0);
    urd_rwlock_repair(&g->lock);
    return 0;
}

static int poisons_local(void *arg)
{
    (void)arg;
    urd_rwlock lock = {0};
    CHECK_EQ(urd_rwlock_wrlock(&lock), 0);
    urd_rwlock_repair(&lock); /* there is nothing to repair */
    urd_rwlock_poison(&lock);
    return 0;
}

static void run_reads_while_writing(void)
{
    run(reads_while_writing);
}

static void run_unlocks_free(void)
{
    run(unlocks_free);
}

static void run_repairs_reading(void)
{
    run(repairs_reading);
}

static void run_poisons_local(void)
{
    run(poisons_local);
}

TEST(misuse_aborts_and_says_what)
{
    CHECK_ABORTS(run_reads_while_writing, "the caller holds this lock for writing already");
    CHECK_ABORTS(run_unlocks_free, "the lock is not held for reading");
    CHECK_ABORTS(run_repairs_reading, "the caller does not hold the lock for writing");
    CHECK_ABORTS(run_poisons_local, "is not in memory that processes share");
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
        continue; /* what an aborted program leaves */
}
