/*
 * between.c - channels between processes, any of which may be killed at any instruction.
 *
 * SPDX-License-Identifier: MIT
 *
 * A channel has two sides: who sends, and who receives.  Each has a lock that one at a time holds,
 * also while it waits for the other side; a count of the values that passed it; and the processes
 * that held the lock last.  Both do the same walk, each with the other for its other side:
 *
 *     pass:  P1 own lock                             wait:  B1 c = own calls, deaths
 *            P2 room, or a value? copy it                   B2 still nothing? the other's count
 *            P3 own count + 1, AWAITED taken away              AWAITED
 *            P4 unlock                                      B3 sleep while own calls == c and
 *            P5 AWAITED was set? the other's calls               nobody has died
 *               + 1, wake
 *
 * What a death leaves.  Until P3 a value is not sent, or not received; after it, it is, and P3 is
 * one compare-and-swap.  What the dead have written into the ring is written over by the next to
 * hold the lock, whose word is robust (robust.c).  So there is nothing to be repaired.
 *
 * P3 and B2 are read-modify-writes of one word.  If P3 is first B2 fails, and looks again; else P3
 * finds AWAITED, and P5 comes after B1: then B3 does not sleep, or is woken.  If the one that
 * passes dies before P5, its death ends B3.  One at a time waits on a side, since it holds the
 * lock: so a wake cannot go to a wrong one and be lost; who comes after it looks for himself.
 *
 * The senders' count also says that the channel is closed, that of receivers that what was left is
 * dropped (both ENDED).  Since P3 is a swap of that word, no value is sent after the close, or
 * received after the drop: how many were dropped is exact.
 *
 * Who would have to wait looks first whether the other side is ABANDONED: of the processes that
 * came last to it none lives, and one has died without its job having returned.  It looks for that
 * before the count, which the dead may have raised.
 *
 * Values that are done are counted alone; a join sleeps on `joins`:
 *
 *     done:  D1 done + 1; all that was sent? AWAITED    join:  J1 j = joins
 *               is taken away                                  J2 AWAITED; all done? over
 *            D2 it was set? joins + 1, wake                    J3 sleep while joins == j
 *
 * Whoever says the last of them has seen all sends: each was sent before it was done.
 *
 * Rejected: a ring of slots that each have a state, where senders do not wait for each other (who
 * is killed in a slot holds up all behind it); handing a value to the receiver that waits (it may
 * be dead); a rendezvous (whether a value has arrived, when who was to take it died, nobody knows).
 * Checked: test/model/between.c.
 */
#include "sync/between.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "core/peer.h"
#include "core/sanitize.h"
#include "core/word.h"
#include "sync/robust.h"

enum { PEERS = URD__BETWEEN_PEERS };
/* Of `count`; of `done` AWAITED and ONE. */
static const uint64_t AWAITED = 1, ENDED = 2, ONE = UINT64_C(1) << URD__BETWEEN_BITS;

/* LOOKS, with rests between: some 2 us, which is less than to sleep and to be woken. */
#ifdef URD_MODEL
enum { LOOKS = 0, RESTS = 0, GATHERS = 0 };
#else
enum { LOOKS = 40, RESTS = 4, GATHERS = 32 };
#endif
enum { GATHERED = 3, UNRESTED = 32 };
static const uint64_t SEEN = (UINT64_C(1) << 58) - 1;

_Static_assert(offsetof(urd_chan, head) + sizeof(urd__between) <= sizeof(urd_chan),
               "a channel has room for what it is between processes");

static urd__between *of(urd_chan *c)
{
    return (void *)&c->head;
}

void urd__between_init(urd_chan *c)
{
    memset(of(c), 0, sizeof(urd__between));
    c->order = URD__BETWEEN;
}

static uint64_t values_in(uint64_t count)
{
    return count / ONE;
}

/* ---- Who is there ---------------------------------------------------------------------------- */

/* Under the lock.  The place of one who left goes first, then of one who died. */
__attribute__((noinline)) static void come_first_time(urd__side *own, uint32_t self)
{
    int at = (int)(self % PEERS), died = -1;
    for (int i = 0; i < PEERS; i++) {
        uint32_t peer = urd__load_rlx(&own->peers[i]); /* under lock; or taken away */
        if (peer == 0 || (!urd__peer_lives(peer) && !urd__peer_died(peer))) {
            urd__store_rel(&own->peers[i], self); /* [peers] */
            return;
        }
        if (urd__peer_died(peer))
            died = i;
    }
    urd__store_rel(&own->peers[died >= 0 ? died : at], self); /* [peers] */
}

static void come(urd__side *own)
{
    uint32_t self = urd__place_own.self;
    for (int i = 0; i < PEERS; i++)
        if (urd__load_rlx(&own->peers[i]) == self) /* own stores alone can make it equal */
            return;
    come_first_time(own, self);
}

static bool is_abandoned(const urd__side *s)
{
    bool died = false;
    for (int i = 0; i < PEERS; i++) {
        uint32_t peer = urd__load_acq(&s->peers[i]); /* [peers] */
        if (peer && urd__peer_lives(peer))
            return false;
        died = died || (peer && urd__peer_died(peer));
    }
    return died;
}

void urd__between_repair(urd_chan *c)
{
    urd__between *b = of(c);
    for (int i = 0; i < 2 * PEERS; i++) {
        uint32_t *place = i < PEERS ? &b->senders.peers[i] : &b->receivers.peers[i - PEERS];
        uint32_t peer = urd__load_acq(place); /* [peers] */
        if (peer && urd__peer_died(peer))
            urd__cas_ar(place, &peer, 0); /* [peers] */
    }
}

/* ---- One value ------------------------------------------------------------------------------- */

/* A walk through the channel. */
typedef struct walk {
    urd_chan *chan;
    urd__side *own, *other;
    uint64_t ahead; /* values by which the own side may be before the other */
    uint64_t far;   /* the other side's count, as it was when there was nothing to do */
} walk;

/* Under lock: may the own side pass, as far as it has seen? */
static bool may_pass(const walk *w)
{
    uint64_t own = values_in(urd__load_rlx(&w->own->count)); /* its number changes under lock */
    return own != w->own->seen + w->ahead;
}

/* Under lock.  0, or why not: -EPIPE, -EOWNERDEAD, -EAGAIN. */
static int look(walk *w)
{
    bool abandoned = is_abandoned(w->other);
    w->far = urd__load_acq(&w->other->count); /* [pass] */
    w->own->seen = values_in(w->far) & SEEN;
    if (may_pass(w))
        return 0;
    if ((w->far | urd__load_rlx(&w->own->count)) & ENDED) /* and if not yet, P3 or B3 sees it */
        return -EPIPE;
    return abandoned ? -EOWNERDEAD : -EAGAIN;
}

/*
 * Under lock.  To look at the other side takes its line away, which both then pay for; who looks
 * for each value pays for each.  So who has to look lets some gather first; but not where that was
 * in vain the last time, as between two that answer each other.
 */
static int look_with_rest(walk *w)
{
    urd__side *own = w->own;
    bool rests = own->unrested == 0;
    for (int i = 0; rests && i < GATHERS; i++)
        urd__spin_hint();
    int rc = look(w);
    uint64_t may = own->seen + w->ahead - values_in(urd__load_rlx(&own->count)); /* under lock */
    if (!rests)
        own->unrested--;
    else if (rc == 0 && may < GATHERED)
        own->unrested = UNRESTED;
    return rc;
}

/* Has the other side moved, in a moment? */
static bool moves(const walk *w)
{
    for (int i = 0; i < LOOKS; i++) {
        for (int pause = 0; pause < RESTS; pause++)
            urd__spin_hint();
        if (urd__load_acq(&w->other->count) != w->far) /* [pass] */
            return true;
    }
    return false;
}

/* Under lock, which stays held: until the own side may pass. */
static int wait_for_other(walk *w)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    while (rc == 0) {
        urd__word word = {.word = &w->own->calls, .deaths = urd__peers_deaths(), .on = w->chan};
        word.value = urd__load_acq(&w->own->calls); /* B1 [calls] */
        rc = look_with_rest(w);
        if (rc != -EAGAIN)
            return rc;
        rc = 0;
        if (moves(w))
            continue;
        if (!(w->far & AWAITED) && !urd__cas_ar(&w->other->count, &w->far, w->far | AWAITED))
            continue;                                  /* B2 [pass] */
        rc = urd__word_wait(self, &word, self->scope); /* B3 */
    }
    return rc;
}

static void call(urd__side *s)
{
    urd__add_ar(&s->calls, 1); /* P5 [calls] */
    urd__word_wake(&s->calls, INT_MAX);
}

/* P3.  -EPIPE: the own side has ended. */
static int pass(const walk *w, bool *waits)
{
    uint64_t now = urd__load_rlx(&w->own->count); /* checked by the swap */
    do {
        if (now & ENDED)
            return -EPIPE;
    } while (!urd__cas_ar(&w->own->count, &now, (now & ~AWAITED) + ONE)); /* P3 [pass] */
    *waits = now & AWAITED;
    return 0;
}

static unsigned char *slot(const urd_chan *c, uint64_t number)
{
    bool power = (c->slots & (c->slots - 1)) == 0;
    size_t at = power ? number & (c->slots - 1) : number % c->slots;
    return c->ring + at * c->elem_bytes;
}

/* Most values are a pointer or a number: no call for those. */
static void copy(const urd_chan *c, void *to, const void *from)
{
    if (c->elem_bytes == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (c->elem_bytes)
        memcpy(to, from, c->elem_bytes);
}

/* Without waiting: for a moment somebody may be at it, but not one who waits himself. */
static bool try_lock(const walk *w)
{
    for (int i = 0; !urd__robust_trygrip(&w->own->lock); i++) {
        uint64_t far = urd__load_acq(&w->other->count); /* [pass] */
        if (i >= LOOKS || (far & AWAITED))
            return false;
        for (int pause = 0; pause < RESTS; pause++)
            urd__spin_hint();
    }
    return true;
}

int urd__between_transfer(urd_chan *c, bool send, void *v, bool waits)
{
    urd__between *b = of(c);
    walk w = {.chan = c,
              .own = send ? &b->senders : &b->receivers,
              .other = send ? &b->receivers : &b->senders,
              .ahead = send ? c->slots : 0};
    int rc = waits ? urd__robust_grip(&w.own->lock, c) : try_lock(&w) ? 0 : -EAGAIN; /* P1 */
    if (rc)
        return rc;
    come(w.own);
    if (!may_pass(&w))
        rc = waits ? look_with_rest(&w) : look(&w);
    if (rc == -EAGAIN && waits)
        rc = wait_for_other(&w);
    bool awaited = false;
    if (rc == 0) {
        urd__sanitize_told(&w.other->count); /* `seen` may be of another process */
        unsigned char *at = slot(c, values_in(urd__load_rlx(&w.own->count))); /* as in may_pass() */
        copy(c, send ? at : v, send ? v : at);                                /* P2 */
        rc = pass(&w, &awaited);
    }
    urd__robust_ungrip(&w.own->lock); /* P4 */
    if (awaited)
        call(w.other);
    return rc;
}

/* ---- The end, and what is still to be done --------------------------------------------------- */

/* How many values are to be done: what was dropped is. */
static uint64_t to_be_done(urd__between *b)
{
    uint64_t received = urd__load_acq(&b->receivers.count);                           /* [pass] */
    return values_in(received & ENDED ? received : urd__load_acq(&b->senders.count)); /* [pass] */
}

static void call_joins(urd__between *b)
{
    urd__add_ar(&b->joins, 1); /* D2 [joins] */
    urd__word_wake(&b->joins, INT_MAX);
}

size_t urd__between_close(urd_chan *c, bool drop)
{
    urd__between *b = of(c);
    size_t dropped = 0;
    uint64_t sent = urd__or_ar(&b->senders.count, ENDED); /* [pass] */
    if (drop) {
        uint64_t received = urd__or_ar(&b->receivers.count, ENDED); /* [pass] */
        dropped = received & ENDED ? 0 : values_in(sent) - values_in(received);
        call_joins(b);
    }
    call(&b->senders);
    call(&b->receivers);
    return dropped;
}

bool urd__between_done(urd_chan *c)
{
    urd__between *b = of(c);
    uint64_t now = urd__load_acq(&b->done), next; /* [done] */
    do {
        uint64_t due = to_be_done(b);
        if (values_in(now) >= due)
            return false;
        next = now + ONE;
        if (values_in(next) == due)
            next &= ~AWAITED;
    } while (!urd__cas_ar(&b->done, &now, next)); /* D1 [done] */
    if ((now ^ next) & AWAITED)
        call_joins(b);
    return true;
}

int urd__between_join(urd_chan *c)
{
    urd__task *self = urd__task_self();
    urd__between *b = of(c);
    int rc = urd__wait_enter(self);
    while (rc == 0) {
        urd__word w = {.word = &b->joins, .deaths = urd__peers_deaths(), .on = c};
        w.value = urd__load_acq(&b->joins);                            /* J1 [joins] */
        if (values_in(urd__or_ar(&b->done, AWAITED)) >= to_be_done(b)) /* J2 [done] */
            return 0;
        rc = urd__word_wait(self, &w, self->scope); /* J3 */
    }
    return rc;
}

void urd__between_stats(urd_chan *c, urd_chan_counts *out)
{
    urd__between *b = of(c);
    uint64_t received = urd__load_acq(&b->receivers.count); /* [pass] */
    uint64_t sent = urd__load_acq(&b->senders.count);       /* [pass] */
    uint64_t left = values_in(sent) - values_in(received), done = urd__load_acq(&b->done);
    uint64_t due = values_in(received & ENDED ? received : sent);
    *out = (urd_chan_counts){.depth = received & ENDED  ? 0
                                      : left < c->slots ? left
                                                        : c->slots,
                             .senders = received & AWAITED ? 1 : 0,
                             .receivers = sent & AWAITED ? 1 : 0,
                             .sent = values_in(sent),
                             .unfinished = due > values_in(done) ? due - values_in(done) : 0,
                             .closed = sent & ENDED};
}
