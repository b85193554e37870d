/*
 * shares.c - read-write locks between processes, any of which may be killed at any instruction.
 *
 * SPDX-License-Identifier: MIT
 *
 * A common count of readers could not be put right when one of them is killed.  So each process
 * that reads has a share: one word with its number, how many of its jobs read, and how many wait to
 * read.  Every step is one compare-and-swap of it, and the share of a process that lives no more
 * counts for nothing, whoever finds it.  Writers come one at a time, through a robust mutex
 * (robust.c); the one that has it keeps readers out by a bit of the word, WRITER.
 *
 *     reader:  R1 own share: one reads               writer:  W1 set WRITER
 *              R2 fence                                       W2 fence
 *              R3 WRITER? take R1 back, one                   W3 does anybody read? sleep until
 *                 waits; sleep until it is gone                  a share is given back
 *     ends:    E1 own share: one reads less          ends:    X1 clear WRITER and QUEUES, wake
 *              E2 fence                                          readers if they QUEUE
 *              E3 is a share awaited (DRAINS)?                X2 unlock the mutex
 *                 calls + 1, wake
 *
 * The fences are totally ordered.  If W2 is first, R3 sees WRITER; if R2 is first, W3 sees who
 * reads.  It is the same with E2 and the fence of a writer that has set DRAINS, and looks again: it
 * either sees that nobody reads, or E3 sees DRAINS, and comes after `calls` was read.
 *
 * A reader that finds WRITER keeps a share that says that it waits.  The next writer, before W1,
 * lets those come in who waited for the last: so a reader waits for one writer at most, and a
 * writer for the readers that were in or in line before it.
 *
 * If the writer is killed, WRITER stays, and its death wakes all.  Whoever finds that the mutex
 * belongs to the dead takes it, which marks it BROKEN (robust.c), and clears WRITER; so does the
 * next writer.  Readers look at BROKEN when they are in, and are told as well.
 *
 * A share is given up when nobody of the process reads or waits, so there are as many places as
 * processes may read at a time; who finds none waits for one.  While it has one it has no other, so
 * whoever unlocks finds it by the number.
 *
 * Rejected: a table of who reads beside a common count (a death between the two steps); a lock
 * around both (each reader would take it, twice).
 * Checked: test/model/shares.c.
 */
#include "sync/shares.h"

#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/sanitize.h"
#include "core/word.h"
#include "sync/robust.h"

enum { WRITER = 1, QUEUES = 2, DRAINS = 4 }; /* of `word` */

/* Of a share: the process, who waits, who reads. */
enum { COUNT_BITS = 17, NUMBER_AT = 2 * COUNT_BITS };
static const uint64_t READS = 1, WAITS = UINT64_C(1) << COUNT_BITS;
static const uint64_t COUNT_MAX = (UINT64_C(1) << COUNT_BITS) - 1;

#ifdef URD_MODEL
enum { PLACES = 2, LOOKS = 0, RESTS = 0 };
#else
enum { PLACES = 32, LOOKS = 40, RESTS = 4 };
#endif

/* In urd_rwlock.between. */
typedef struct between {
    int word;                /* atomic, futex: readers sleep on it */
    int calls;               /* atomic, futex: times that a share was given back */
    uint64_t shares[PLACES]; /* atomic */
} between;

_Static_assert(sizeof(between) <= sizeof(((urd_rwlock *)0)->between),
               "a lock has room for what it is between processes");

static between *of(urd_rwlock *l)
{
    return (void *)l->between;
}

/* ---- Shares ---------------------------------------------------------------------------------- */

static uint32_t process_of(uint64_t share)
{
    return (uint32_t)(share >> NUMBER_AT);
}

static uint64_t count_of(uint64_t share, uint64_t kind)
{
    return share / kind & COUNT_MAX;
}

/* What a change leaves; of a process of which nobody is left, nothing. */
static uint64_t whole(uint64_t share)
{
    return share & ((UINT64_C(1) << NUMBER_AT) - 1) ? share : 0;
}

enum { NONE = -1, FULL = -2 };

/* To the share that the process has. */
static int add_to_own(between *b, uint64_t kind)
{
    uint64_t self = urd__place_own.self;
    for (uint64_t i = 0; i < PLACES; i++) {
        uint64_t at = (self + i) % PLACES;
        uint64_t now = urd__load_rlx(&b->shares[at]); /* checked by the swap */
        while (process_of(now) == self) {
            if (count_of(now, kind) == COUNT_MAX)
                return FULL;
            if (urd__cas_ar(&b->shares[at], &now, now + kind)) /* R1 [share] */
                return (int)at;
        }
    }
    return NONE;
}

/* For one that has none; what the dead had is taken over. */
static int add_new(between *b, uint64_t kind)
{
    uint64_t self = urd__place_own.self;
    for (uint64_t i = 0; i < PLACES; i++) {
        uint64_t at = (self + i) % PLACES;
        uint64_t now = urd__load_rlx(&b->shares[at]); /* checked by the swap */
        while (!now || !urd__peer_lives(process_of(now)))
            if (urd__cas_ar(&b->shares[at], &now, (self << NUMBER_AT) + kind)) /* R1 [share] */
                return (int)at;
    }
    return NONE;
}

/* One more of the own process reads, or waits: the place, or < 0.  Its jobs come one at a time to a
 * new place, since it must not have two. */
static int take_share(between *b, uint64_t kind)
{
    static int newcomers; /* of this process alone */
    int at = add_to_own(b, kind);
    if (at != NONE)
        return at;
    urd__lock(&newcomers);
    at = add_to_own(b, kind);
    if (at == NONE)
        at = add_new(b, kind);
    urd__unlock(&newcomers);
    return at;
}

static void call(between *b)
{
    urd__and_ar(&b->word, ~DRAINS);
    urd__add_ar(&b->calls, 1); /* [calls] */
    urd__word_wake(&b->calls, INT_MAX);
}

/* The own share at `at` changes. */
static void change_share(between *b, int at, uint64_t less, uint64_t more)
{
    uint64_t now = urd__load_rlx(&b->shares[at]); /* checked by the swap */
    while (!urd__cas_ar(&b->shares[at], &now, whole(now - less + more)))
        continue;                         /* E1 [share] */
    urd__fence_seq();                     /* E2 */
    if (urd__load_acq(&b->word) & DRAINS) /* E3 [word] */
        call(b);
}

static bool any(const between *b, uint64_t kind)
{
    for (int i = 0; i < PLACES; i++) {
        uint64_t share = urd__load_acq(&b->shares[i]); /* W3 [share] */
        if (count_of(share, kind) && urd__peer_lives(process_of(share)))
            return true;
    }
    return false;
}

/* ---- Writers --------------------------------------------------------------------------------- */

static void let_readers_in(between *b)
{
    int before = urd__and_ar(&b->word, ~(WRITER | QUEUES)); /* X1 [word] */
    if (before & QUEUES)
        urd__word_wake(&b->word, INT_MAX);
}

/* Until nobody of that kind is left. */
static int wait_while_any(urd_rwlock *l, uint64_t kind)
{
    urd__task *self = urd__task_self();
    between *b = of(l);
    for (int i = 0; i < LOOKS && any(b, kind); i++)
        for (int pause = 0; pause < RESTS; pause++)
            urd__spin_hint();
    if (!any(b, kind))
        return 0;
    int rc = urd__wait_enter(self);
    while (rc == 0) {
        urd__word w = {.word = &b->calls, .deaths = urd__peers_deaths(), .on = l};
        w.value = urd__load_acq(&b->calls); /* [calls] */
        urd__or_ar(&b->word, DRAINS);       /* [word] */
        urd__fence_seq();
        if (!any(b, kind))
            return 0;
        rc = urd__word_wait(self, &w, self->scope);
    }
    return rc;
}

int urd__shares_write(urd_rwlock *l, bool waits)
{
    between *b = of(l);
    if (urd__load_acq(&b->word) & WRITER) /* [word] of one that died */
        let_readers_in(b);
    int rc = waits ? wait_while_any(l, WAITS) : any(b, WAITS) ? -EAGAIN : 0;
    if (rc)
        return rc;
    urd__or_ar(&b->word, WRITER); /* W1 [word] */
    urd__fence_seq();             /* W2 */
    rc = waits ? wait_while_any(l, READS) : any(b, READS) ? -EAGAIN : 0;
    if (rc)
        let_readers_in(b);
    else
        urd__sanitize_told(&b->word);
    return rc;
}

void urd__shares_end_write(urd_rwlock *l)
{
    let_readers_in(of(l));
}

/* ---- Readers --------------------------------------------------------------------------------- */

/* A writer is there.  True: it died, and readers may come in. */
static bool bury_writer(urd_rwlock *l, const urd__mutex_use *use)
{
    if (!urd__robust_left(&l->writers))
        return false;
    int rc = urd__robust_trylock(&l->writers);
    if (rc && rc != -EOWNERDEAD)
        return rc == -ENOTRECOVERABLE;
    let_readers_in(of(l));
    urd__robust_unlock(&l->writers, use);
    return true;
}

/* Reading, with the share at `at`: but is it broken? */
static int come_in(urd_rwlock *l, int at)
{
    int rc = urd__robust_look(&l->writers);
    if (rc == -ENOTRECOVERABLE)
        change_share(of(l), at, READS, 0);
    else
        urd__sanitize_told(&of(l)->word);
    return rc;
}

static bool kept_out(const between *b)
{
    urd__fence_seq();                               /* R2 */
    return (urd__load_acq(&b->word) & WRITER) != 0; /* R3 [word] */
}

/* Without a writer it takes a place; -EAGAIN: there is one, or no place. */
static int try_read(urd_rwlock *l)
{
    between *b = of(l);
    int at = take_share(b, READS);
    if (at >= 0 && !kept_out(b))
        return come_in(l, at);
    if (at >= 0)
        change_share(b, at, READS, 0);
    return -EAGAIN;
}

int urd__shares_tryread(urd_rwlock *l, const urd__mutex_use *use)
{
    int rc = try_read(l);
    if (rc != -EAGAIN || !(urd__load_acq(&of(l)->word) & WRITER) ||
        !bury_writer(l, use)) /* [word] */
        return rc;
    rc = urd__robust_look(&l->writers);
    return rc == -ENOTRECOVERABLE ? rc : try_read(l);
}

/* A share, if there is one, says that the caller waits; *at is its place. */
typedef struct reader {
    urd_rwlock *lock;
    const urd__mutex_use *use;
    int at; /* -1: none */
} reader;

/* There is a writer: until it is gone, or may be. */
static int wait_for_writer(reader *r, int now, urd__word *w)
{
    between *b = of(r->lock);
    if (bury_writer(r->lock, r->use))
        return urd__robust_look(&r->lock->writers) == -ENOTRECOVERABLE ? -ENOTRECOVERABLE : 0;
    if (r->at < 0)
        r->at = take_share(b, WAITS);
    if (!(now & QUEUES) && !urd__cas_ar(&b->word, &now, now | QUEUES)) /* [word] */
        return 0;
    *w = (urd__word){.word = &b->word, .value = now | QUEUES, .deaths = w->deaths, .on = r->lock};
    return urd__word_wait(urd__task_self(), w, urd__task_self()->scope);
}

/* There is none.  1: the caller reads. */
static int read_now(reader *r, urd__word *w)
{
    between *b = of(r->lock);
    if (r->at >= 0) {
        change_share(b, r->at, WAITS, READS);
        if (!kept_out(b))
            return 1;
        change_share(b, r->at, READS, WAITS);
        return 0;
    }
    urd__or_ar(&b->word, DRAINS); /* [word] */
    urd__fence_seq();
    r->at = take_share(b, WAITS);
    return r->at >= 0 ? 0 : urd__word_wait(urd__task_self(), w, urd__task_self()->scope);
}

int urd__shares_read(urd_rwlock *l, const urd__mutex_use *use)
{
    int rc = try_read(l);
    if (rc != -EAGAIN)
        return rc;
    rc = urd__wait_enter(urd__task_self());
    between *b = of(l);
    reader r = {.lock = l, .use = use, .at = -1};
    while (rc == 0) {
        urd__word w = {.word = &b->calls, .deaths = urd__peers_deaths(), .on = l};
        w.value = urd__load_acq(&b->calls); /* [calls] */
        int now = urd__load_acq(&b->word);  /* [word] */
        rc = now & WRITER ? wait_for_writer(&r, now, &w) : read_now(&r, &w);
    }
    if (rc == 1)
        return come_in(l, r.at);
    if (r.at >= 0)
        change_share(b, r.at, WAITS, 0);
    return rc;
}

bool urd__shares_end_read(urd_rwlock *l)
{
    between *b = of(l);
    uint64_t self = urd__place_own.self;
    for (uint64_t i = 0; i < PLACES; i++) {
        int at = (int)((self + i) % PLACES);
        uint64_t share = urd__load_rlx(&b->shares[at]); /* own stores alone can make it own */
        if (process_of(share) == self && count_of(share, READS)) {
            change_share(b, at, READS, 0);
            return true;
        }
    }
    return false;
}
