/*
 * barrier.c - so many jobs wait for each other.
 *
 * SPDX-License-Identifier: MIT
 *
 * All is under the lock.  Who ends a round says in every waiter's node how it ended, also to one
 * that a cancel has just claimed: that one finds it there as it comes to leave the queue, and
 * returns it, since the others have counted it.
 *
 * In memory that processes share there is no list.  One word says all of a round: its number, how
 * many wait, whether it is broken and why, and of the last rounds which ended badly, for who is
 * slow to look.  Each step is one compare-and-swap of it.  The lock is a count of calls, on which
 * waiters sleep; and `peers` are the processes that have come:
 *
 *     wait:  W1 note the process                  end:  E1 round + 1, nobody waits; or BROKEN
 *            W2 BROKEN, or a peer died? else            E2 calls + 1, wake all
 *               one more waits, or E1
 *            W3 c = calls, deaths
 *            W4 over, or BROKEN? has a peer
 *               died? E1
 *            W5 sleep while calls == c and
 *               nobody has died
 *
 * If E1 is after W4, E2 is after W3: then W5 does not sleep, or is woken.  A death after W3 ends
 * W5, and one before it is seen at W4, since W1 comes before anything by which others could wait
 * for that process.  Whoever sees it breaks the round for all; if he dies before E2, his death
 * wakes them.  A swap to BROKEN is of the word as it was before the look at the peers, so a reset,
 * which forgets the dead before it begins a new round, is not broken by those it forgot.
 *
 * Rejected: to break only by the death of one who waits (one that dies as it computes between two
 * rounds would be waited for for ever); parties that are named at the start (a process that takes
 * the place of another would need to be told which).
 * Checked, so far as processes share it: test/model/meet.c.
 */
#include <errno.h>
#include <limits.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/peer.h"
#include "core/wait.h"
#include "core/word.h"

/* ---- Between processes ----------------------------------------------------------------------- */

enum { WAITING_BITS = 20, HISTORY_AT = 22, HISTORY = 16, ROUND_AT = HISTORY_AT + HISTORY };
static const uint64_t WAITING = (UINT64_C(1) << WAITING_BITS) - 1;
static const uint64_t ABORTED = UINT64_C(1) << WAITING_BITS;
static const uint64_t DIED = UINT64_C(1) << (WAITING_BITS + 1);
static const uint64_t BROKEN = UINT64_C(3) << WAITING_BITS;

#ifdef URD_MODEL
enum { PEERS = 3 };
#else
enum { PEERS = sizeof(((urd_barrier *)0)->peers) / sizeof(uint32_t) };
#endif

static uint64_t number_of(uint64_t round)
{
    return round >> ROUND_AT;
}

static uint64_t bad_bit(uint64_t number)
{
    return UINT64_C(1) << (HISTORY_AT + number % HISTORY);
}

static uint64_t after(uint64_t round, bool bad)
{
    uint64_t bit = bad_bit(number_of(round)), next = round & ~(WAITING | BROKEN | bit);
    return (next | (bad ? bit : 0)) + (UINT64_C(1) << ROUND_AT);
}

static uint64_t broken_by(uint64_t round, uint64_t why)
{
    return (round & ~WAITING) | why;
}

static int why_broken(uint64_t round)
{
    return round & ABORTED ? -EPIPE : -EOWNERDEAD;
}

static void call(urd_barrier *b)
{
    urd__add_ar(&b->lock, 1); /* E2 [calls] */
    urd__word_wake(&b->lock, INT_MAX);
}

static bool is_free(uint32_t peer)
{
    return peer == 0 || (!urd__peer_lives(peer) && !urd__peer_died(peer));
}

/* W1.  False: there are too many. */
static bool note_peer(urd_barrier *b)
{
    uint32_t self = urd__place_own.self;
    for (int i = 0; i < PEERS; i++)
        if (urd__load_rlx(&b->peers[i]) == self) /* own stores alone can make it equal */
            return true;
    for (int i = 0; i < PEERS; i++) {
        uint32_t peer = urd__load_acq(&b->peers[i]);                 /* [peers] */
        if (is_free(peer) && urd__cas_ar(&b->peers[i], &peer, self)) /* [peers] */
            return true;
    }
    return false;
}

static bool has_died(const urd_barrier *b)
{
    for (int i = 0; i < PEERS; i++) {
        uint32_t peer = urd__load_acq(&b->peers[i]); /* [peers] */
        if (peer && urd__peer_died(peer))
            return true;
    }
    return false;
}

/* Counted into that round. */
static int wait_for_end(urd_barrier *b, urd__task *self, uint64_t number)
{
    for (int rc = 0;;) {
        urd__word w = {.word = &b->lock, .deaths = urd__peers_deaths(), .on = b};
        w.value = urd__load_acq(&b->lock);       /* W3 [calls] */
        uint64_t now = urd__load_acq(&b->round); /* W4 [round] */
        if (number_of(now) != number)
            return now & bad_bit(number) ? -EPIPE : 0;
        if (now & BROKEN)
            return why_broken(now);
        if (has_died(b)) {
            if (urd__cas_ar(&b->round, &now, broken_by(now, DIED))) /* E1 [round] */
                call(b);
        } else if (rc == 0) {
            rc = urd__word_wait(self, &w, self->scope);     /* W5 */
        } else if (urd__cas_ar(&b->round, &now, now - 1)) { /* [round] */
            return rc;
        }
    }
}

static int wait_shared(urd_barrier *b, urd__task *self)
{
    if (!note_peer(b)) /* W1 */
        return -ENOSPC;
    uint64_t now = urd__load_acq(&b->round), next; /* W2 [round] */
    do {
        if (now & BROKEN)
            return why_broken(now);
        if (has_died(b))
            next = broken_by(now, DIED);
        else
            next = (now & WAITING) + 1 < (uint64_t)b->parties ? now + 1 : after(now, false);
    } while (!urd__cas_ar(&b->round, &now, next)); /* E1 [round] */
    if (next == now + 1)
        return wait_for_end(b, self, number_of(now));
    call(b);
    return next & DIED ? -EOWNERDEAD : 1;
}

static void abort_shared(urd_barrier *b)
{
    uint64_t now = urd__load_rlx(&b->round); /* checked by the swap */
    while (!urd__cas_ar(&b->round, &now, broken_by(now, ABORTED)))
        continue; /* E1 [round] */
    call(b);
}

static void reset_shared(urd_barrier *b)
{
    for (int i = 0; i < PEERS; i++) {
        uint32_t peer = urd__load_acq(&b->peers[i]); /* [peers] */
        if (peer && urd__peer_died(peer))
            urd__cas_ar(&b->peers[i], &peer, 0); /* [peers] */
    }
    uint64_t now = urd__load_rlx(&b->round); /* checked by the swap */
    while (!urd__cas_ar(&b->round, &now, after(now, true)))
        continue; /* E1 [round] */
    call(b);
}

/* ---- Of one process -------------------------------------------------------------------------- */

void urd_barrier_init(urd_barrier *b, int parties)
{
    if (parties <= 0)
        urd__die("urd_barrier_init: %d parties", parties);
    if (urd__is_shared(b) && (uint64_t)parties > WAITING)
        urd__die("urd_barrier_init: %d parties between processes", parties);
    *b = (urd_barrier){.parties = parties};
}

/* Under the lock; `woken` are then to be made ready. */
static void end_round(urd_barrier *b, int result, urd__link *woken)
{
    for (urd__link *link; (link = urd__list_pop(&b->waiters)) != NULL;) {
        urd__waiter *w = urd__container(link, urd__waiter, link);
        w->result = result;
        w->value = b;
        if (urd__wait_claim(w->task, w->word))
            urd__list_push_tail(woken, link);
    }
    b->waiting = 0;
}

static void make_ready(urd__link *woken)
{
    for (urd__link *link; (link = urd__list_pop(woken)) != NULL;)
        urd__task_ready(urd__container(link, urd__waiter, link)->task);
}

/* Enqueued, and the lock is held, which it releases. */
static int wait_for_round(urd_barrier *b, urd__waiter *w)
{
    urd__list_push_tail(&b->waiters, &w->link);
    b->waiting++;
    urd__unlock(&b->lock);
    int rc = urd__wait_end(w->task);
    urd__lock(&b->lock);
    if (w->value) {
        rc = w->result;
    } else {
        urd__list_remove(&w->link);
        b->waiting--;
    }
    urd__unlock(&b->lock);
    return rc;
}

static int wait_alone(urd_barrier *b, urd__task *self)
{
    urd__link woken = {0};
    urd__lock(&b->lock);
    if (!b->broken && b->waiting + 1 < b->parties) {
        urd__waiter w = {.task = self};
        w.word = urd__wait_begin(self, self->scope, URD__ON_BARRIER, b);
        return wait_for_round(b, &w);
    }
    int rc = b->broken ? -EPIPE : 1;
    if (rc == 1)
        end_round(b, 0, &woken);
    urd__unlock(&b->lock);
    make_ready(&woken);
    return rc;
}

int urd_barrier_wait(urd_barrier *b)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    if (b->parties <= 0)
        urd__die("urd_barrier_wait: the barrier was not initialised");
    return urd__is_shared(b) ? wait_shared(b, self) : wait_alone(b, self);
}

static void break_round(urd_barrier *b, bool stays_broken)
{
    urd__link woken = {0};
    urd__lock(&b->lock);
    b->broken = stays_broken;
    end_round(b, -EPIPE, &woken);
    urd__unlock(&b->lock);
    make_ready(&woken);
}

void urd_barrier_abort(urd_barrier *b)
{
    if (urd__is_shared(b))
        abort_shared(b);
    else
        break_round(b, true);
}

void urd_barrier_reset(urd_barrier *b)
{
    if (urd__is_shared(b))
        reset_shared(b);
    else
        break_round(b, false);
}

int urd_barrier_waiting(urd_barrier *b)
{
    if (urd__is_shared(b))
        return (int)(urd__load_acq(&b->round) & WAITING); /* [round] */
    urd__lock(&b->lock);
    int waiting = b->waiting;
    urd__unlock(&b->lock);
    return waiting;
}

bool urd_barrier_broken(urd_barrier *b)
{
    if (urd__is_shared(b))
        return (urd__load_acq(&b->round) & BROKEN) || has_died(b); /* [round] */
    urd__lock(&b->lock);
    bool broken = b->broken;
    urd__unlock(&b->lock);
    return broken;
}
