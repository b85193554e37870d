/*
 * shares.c - every schedule of processes that read and write under one lock, some of them killed.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each thread is a process.  A doomed one may end before each of its read-modify-writes, as it
 * sleeps, and while it holds the lock; the zygote then notes its death.
 */
#include "model_zygote.h"

#undef urd__cas_ar
#define urd__cas_ar(p, expected, v) (step(), MODEL_CAS("cas_ar", p, expected, v, EXPLORE_AR))
#undef urd__or_ar
#define urd__or_ar(p, v) (step(), MODEL_RMW("or_ar", p, v, EXPLORE_OR, EXPLORE_AR))
#undef urd__and_ar
#define urd__and_ar(p, v) (step(), MODEL_RMW("and_ar", p, v, EXPLORE_AND, EXPLORE_AR))
#define urd__word_wake(word, n) (step(), wake_any(word, n))
/* One thread a process: no two come at a time. */
#undef urd__lock
#define urd__lock(lock) ((void)(lock))
#undef urd__unlock
#define urd__unlock(lock) ((void)(lock))
#define urd__place_own (*place())
#include "sync/robust.c"
/* Its own names. */
#define WAITS SHARE_WAITS
#define call shares_call
#include "sync/shares.c"
#undef WAITS
#undef call
#undef urd__place_own

enum { SAMPLES = 1500 };

static urd_rwlock lock;
static int guarded; /* plain, under lock */
static int reading, writing, did_read, did_write, cancelled, told;

urd__task *urd__mutex_owner(const urd_mutex *m)
{
    return urd__robust_owner(m);
}

static const urd__mutex_use use = {URD__ON_RWLOCK_WRITE, "lock", "unlock"};

static void setup(void)
{
    death_setup(&lock, sizeof lock);
    memset(&lock, 0, sizeof lock);
    guarded = reading = writing = did_read = did_write = cancelled = told = 0;
}

static void setup_doomed(void)
{
    setup();
    doomed[1] = true;
}

static void setup_cancelled(void)
{
    setup();
    may_be_cancelled[0] = true;
}

/* The places are two: both are another's. */
static void setup_full(void)
{
    setup();
    of(&lock)->shares[0] = (UINT64_C(7) << NUMBER_AT) + READS;
    of(&lock)->shares[1] = (UINT64_C(8) << NUMBER_AT) + READS;
}

static void read_once(void)
{
    int rc = urd__shares_read(&lock, &use);
    explore_assert(rc == 0 || rc == -ECANCELED || rc == -EOWNERDEAD);
    explore_ghost_add(rc == -ECANCELED ? &cancelled : &did_read, 1);
    if (rc == -ECANCELED)
        return;
    explore_ghost_add(&told, rc != 0);
    explore_ghost_add(&reading, 1);
    explore_assert(!writing && (guarded >= 0 || rc));
    explore_ghost_add(&reading, -1);
    explore_assert(urd__shares_end_read(&lock));
}

static void write_once(void)
{
    int rc = urd__robust_lock(&lock.writers, &use, &lock);
    if (rc == 0 || rc == -EOWNERDEAD) {
        int kept = urd__shares_write(&lock, true);
        if (kept) {
            urd__robust_unlock(&lock.writers, &use);
            rc = kept;
        }
    }
    explore_assert(rc == 0 || rc == -ECANCELED || rc == -EOWNERDEAD);
    explore_ghost_add(rc == -ECANCELED ? &cancelled : &did_write, 1);
    if (rc == -ECANCELED)
        return;
    explore_ghost_add(&told, rc != 0);
    explore_assert(!reading && !writing);
    if (rc)
        urd_mutex_repair(&lock.writers);
    explore_ghost_add(&writing, 1);
    guarded++;
    explore_ghost_add(&writing, -1);
    urd__shares_end_write(&lock);
    urd__robust_unlock(&lock.writers, &use);
}

static void read_and_maybe_die(void)
{
    maybe_die_in(read_once);
}

static void write_and_maybe_die(void)
{
    maybe_die_in(write_once);
}

/* Whose share it is. */
static void end_of_another(void)
{
    uint64_t now = (UINT64_C(7) << NUMBER_AT) + READS;
    explore_assert(MODEL_CAS("cas_ar", &of(&lock)->shares[0], &now, 0, EXPLORE_AR));
    urd__fence_seq();
    if (urd__load_acq(&of(&lock)->word) & DRAINS)
        shares_call(of(&lock));
}

static void all_were_in(void)
{
    explore_assert(cancelled == 0 && did_read + did_write == 3 && guarded == did_write);
    explore_assert(told == 0 && !(of(&lock)->word & (WRITER | QUEUES)));
    explore_assert(of(&lock)->shares[0] == 0 && of(&lock)->shares[1] == 0);
}

static void both_were_in(void)
{
    explore_assert(did_read + did_write == 2);
}

static void it_was_in(void)
{
    explore_assert(did_read == 1);
}

static void in_or_cancelled(void)
{
    explore_assert(cancelled + did_read + did_write == 3 && !(of(&lock)->word & WRITER));
    explore_assert(of(&lock)->shares[0] == 0 && of(&lock)->shares[1] == 0);
}

/* Whoever lives was in. */
static void the_living_were_in(void)
{
    explore_assert(did_read + did_write >= 2);
}

const struct explore_model explore_models[] = {
    {.name = "two_readers_and_a_writer",
     .setup = setup,
     .threads = {read_once, write_once, read_once},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "a_reader_and_two_writers",
     .setup = setup,
     .threads = {write_once, read_once, write_once},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = all_were_in},
    {.name = "a_reader_and_a_writer",
     .setup = setup,
     .threads = {read_once, write_once},
     .stale_reads = 1,
     .random = 4 * SAMPLES,
     .finish = both_were_in},
    {.name = "a_cancelled_writer_lets_all_in",
     .setup = setup_cancelled,
     .threads = {write_once, read_once, read_once},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = in_or_cancelled},
    {.name = "a_cancelled_reader_is_not_waited_for",
     .setup = setup_cancelled,
     .threads = {read_once, write_once, write_once},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = in_or_cancelled},
    {.name = "a_reader_that_dies_is_not_waited_for",
     .setup = setup_doomed,
     .threads = {write_once, read_and_maybe_die, write_once, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = the_living_were_in},
    {.name = "a_writer_that_dies_keeps_nobody_out",
     .setup = setup_doomed,
     .threads = {read_once, write_and_maybe_die, write_once, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = the_living_were_in},
    {.name = "readers_follow_a_writer_that_dies",
     .setup = setup_doomed,
     .threads = {read_once, write_and_maybe_die, read_once, zygote},
     .stale_reads = 1,
     .random = 2 * SAMPLES,
     .finish = the_living_were_in},
    {.name = "who_finds_no_place_waits_for_one",
     .setup = setup_full,
     .threads = {read_once, end_of_another},
     .stale_reads = 1,
     .random = SAMPLES,
     .finish = it_was_in},
    {.name = NULL},
};
