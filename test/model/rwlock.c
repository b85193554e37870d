/*
 * rwlock.c - every schedule of readers and writers that wait, leave and are cancelled.
 *
 * SPDX-License-Identifier: MIT
 *
 * What the lock guards is a plain variable: a reader beside a writer, or two writers, race on it.
 */
#include "model_core.h"

#include "sync/mutex.c"

#include "sync/rwlock.c"

enum { SAMPLES = 4000 };

static urd_rwlock lock;
static int guarded; /* plain, under lock */
static int wrote, has_read, cancelled;

static void setup(void)
{
    core_setup();
    lock = (urd_rwlock){0};
    guarded = wrote = has_read = cancelled = 0;
}

static void read_once(void)
{
    int rc = urd_rwlock_rdlock(&lock);
    explore_assert(rc == 0 || rc == -ECANCELED);
    explore_ghost_add(rc ? &cancelled : &has_read, 1);
    if (rc)
        return;
    explore_assert(guarded >= 0);
    urd_rwlock_rdunlock(&lock);
}

static void read_twice(void)
{
    read_once();
    read_once();
}

static void write_once(void)
{
    int rc = urd_rwlock_wrlock(&lock);
    explore_assert(rc == 0 || rc == -ECANCELED);
    explore_ghost_add(rc ? &cancelled : &wrote, 1);
    if (rc)
        return;
    guarded++;
    urd_rwlock_wrunlock(&lock);
}

static void try_both(void)
{
    if (urd_rwlock_trywrlock(&lock) == 0) {
        explore_ghost_add(&wrote, 1);
        guarded++;
        urd_rwlock_wrunlock(&lock);
    }
    if (urd_rwlock_tryrdlock(&lock) == 0) {
        explore_assert(guarded >= 0);
        urd_rwlock_rdunlock(&lock);
    }
}

static void setup_with_peace(void)
{
    setup();
    tasks[1].scope = NULL;
    tasks[2].scope = NULL;
}

static void setup_reading(void)
{
    setup();
    lock.state = READER;
}

static void stop_reading(void)
{
    explore_assert(guarded >= 0);
    urd_rwlock_rdunlock(&lock);
}

/* The second half of a reader's end, for a writer that is gone. */
static void wake_late(void)
{
    wake_writer(&lock);
}

static void cancel_scope(void)
{
    urd_scope_cancel(&scope, -ECANCELED);
}

static void lock_is_free(void)
{
    core_finish();
    explore_assert(guarded == wrote);
    explore_assert((lock.state & ~(uintptr_t)2) == 0);
    explore_assert(lock.writers.owner == 0);
    explore_assert(urd__list_empty(&lock.readers) && urd__list_empty(&lock.writer));
}

static void all_were_in(void)
{
    lock_is_free();
    explore_assert(cancelled == 0);
}

const struct explore_model explore_models[] = {
    {.name = "a_reader_and_a_writer_take_turns",
     .setup = setup,
     .threads = {read_once, write_once},
     .stale_reads = 1,
     .finish = all_were_in},
    {.name = "a_reader_that_comes_back_and_a_writer",
     .setup = setup,
     .threads = {read_twice, write_once},
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "two_readers_and_a_writer",
     .setup = setup,
     .threads = {read_once, read_once, write_once},
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "a_reader_and_two_writers",
     .setup = setup,
     .threads = {read_once, write_once, write_once},
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "tries_beside_a_reader_and_a_writer",
     .setup = setup,
     .threads = {read_once, write_once, try_both},
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "a_cancelled_writer_keeps_no_reader_out",
     .setup = setup_with_peace,
     .threads = {write_once, read_once, read_once, cancel_scope},
     .thread_names = {"cancelled", "reader", "reader", "canceller"},
     .random = SAMPLES,
     .finish = lock_is_free},
    {.name = "a_cancelled_writer_and_the_one_after_it",
     .setup = setup_with_peace,
     .threads = {write_once, write_once, read_twice, cancel_scope},
     .thread_names = {"cancelled", "writer", "reader", "canceller"},
     .random = SAMPLES * 2,
     .finish = lock_is_free},
    {.name = "a_late_wake_is_not_for_the_next_writer",
     .setup = setup_reading,
     .threads = {write_once, stop_reading, wake_late},
     .stale_reads = 1,
     .finish = all_were_in},
    {.name = "a_cancelled_reader",
     .setup = setup_with_peace,
     .threads = {read_once, write_once, read_once, cancel_scope},
     .thread_names = {"cancelled", "writer", "reader", "canceller"},
     .random = SAMPLES,
     .finish = lock_is_free},
    {.name = NULL},
};
