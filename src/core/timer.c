/*
 * timer.c - deadlines of the sleeping: a wheel of wheels, exact to the nanosecond.
 *
 * SPDX-License-Identifier: MIT
 *
 * A time is a number of nine digits, the last of six bits, the others of eight.  A timer lies at
 * the level of the highest digit in which its time differs from `base`, in the slot of that digit:
 * so all timers of a lower level are before those of a higher one, and in a level they are ordered
 * by slot.  Only the first slot that has timers is ever looked at.  When its time has come, base
 * moves to the earliest that it may hold, and its timers go down to the levels that now fit them;
 * at level 0 a slot is one nanosecond.  Each timer moves down at most eight times, in practice once
 * or twice; setting and stopping are a link and a bit.  The widths are such that of the timers of
 * one second, slots of 4 ms are the last that are too many for the cache as they move down.
 *
 * Lists keep the order in which timers were set, and moving down keeps it too.  A timer set for a
 * time before `base` counts as set for base.
 *
 * `least` and `most` of a slot are bounds: they widen when a timer comes and stay when one goes.
 * So `earliest` may be too early after a stop, and then a worker wakes once for nothing.  Timers of
 * one time, of a crowd that sleeps until then, have equal bounds and move down as one list.
 *
 * Tasks do not leave their worker, so a wheel is used by one thread nearly always, and its lock is
 * nearly always free.  It is there for deadlines that others move, and for threads.
 *
 * Rejected, since neither was faster for a million timers of one second: to walk the list of a slot
 * from both ends before it moves down, so that two misses are under way at once; to sort the timers
 * of a slot that are all due, and fire them without moving them down.
 * Rejected: a pairing heap (a million timers of one time: 13 % of all the work of a million
 * sleepers, each in a cache miss); ticks of a millisecond (tests of virtual time need the exact
 * order, and so do users).
 * Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", and the radix heap of Ahuja,
 * Mehlhorn, Orlin and Tarjan, whose buckets the levels are.
 */
#include "core/timer.h"

#include "base/atomic.h"
#include "base/lock.h"

enum {
    DIGIT = URD__WHEEL_SLOTS - 1,
    WORD_BITS = 64,
    FIRST_BITS = 6,
    FIRST_DIGIT = (1 << FIRST_BITS) - 1
};

_Static_assert(FIRST_BITS + (URD__WHEEL_LEVELS - 1) * URD__WHEEL_BITS >= 63, "all times fit");

void urd__timers_init(urd__timers *timers)
{
    timers->lock = 0;
    timers->levels = 0;
    timers->base = 0;
    timers->earliest = INT64_MAX;
    for (int level = 0; level < URD__WHEEL_LEVELS; level++)
        for (int word = 0; word < URD__WHEEL_WORDS; word++)
            timers->used[level][word] = 0;
}

static urd__wheel_slot *first_slot(urd__timers *timers)
{
    if (!timers->levels)
        return NULL;
    int level = __builtin_ctz(timers->levels), word = 0;
    while (!timers->used[level][word])
        word++;
    return &timers->slots[level][word * WORD_BITS + __builtin_ctzll(timers->used[level][word])];
}

static void publish_earliest(urd__timers *timers)
{
    const urd__wheel_slot *slot = first_slot(timers);
    /* [earliest] pairs with the parking worker */
    urd__store_rel(&timers->earliest, slot ? slot->least : INT64_MAX);
}

/* The slot for a time not before base, marked as used; its bounds hold the time. */
static urd__wheel_slot *slot_for(urd__timers *timers, int64_t when)
{
    uint64_t differs = (uint64_t)(when ^ timers->base) | 1;
    int above = WORD_BITS - __builtin_clzll(differs) - FIRST_BITS;
    int level = above <= 0 ? 0 : (above + URD__WHEEL_BITS - 1) / URD__WHEEL_BITS;
    int shift = level == 0 ? 0 : FIRST_BITS + (level - 1) * URD__WHEEL_BITS;
    unsigned digit = (unsigned)((uint64_t)when >> shift) & (level == 0 ? FIRST_DIGIT : DIGIT);
    urd__wheel_slot *slot = &timers->slots[level][digit];
    uint64_t *word = &timers->used[level][digit / WORD_BITS];
    uint64_t bit = UINT64_C(1) << digit % WORD_BITS;
    if (!(*word & bit)) {
        *word |= bit;
        timers->levels |= 1U << level;
        urd__list_init(&slot->timers);
        slot->least = when;
        slot->most = when;
    } else if (when < slot->least) {
        slot->least = when;
    } else if (when > slot->most) {
        slot->most = when;
    }
    return slot;
}

static void put_in(urd__timers *timers, urd__timer *timer)
{
    int64_t when = timer->when > timers->base ? timer->when : timers->base;
    urd__list_push_tail(&slot_for(timers, when)->timers, &timer->link);
}

static void mark_empty(urd__timers *timers, const urd__wheel_slot *slot)
{
    unsigned at = (unsigned)(slot - timers->slots[0]);
    unsigned level = at / URD__WHEEL_SLOTS, digit = at % URD__WHEEL_SLOTS;
    timers->used[level][digit / WORD_BITS] &= ~(UINT64_C(1) << digit % WORD_BITS);
    uint64_t others = 0;
    for (int word = 0; word < URD__WHEEL_WORDS; word++)
        others |= timers->used[level][word];
    if (!others)
        timers->levels &= ~(1U << level);
}

/* True if its slot is empty now. */
static bool take_out(urd__timers *timers, urd__timer *timer)
{
    urd__link *head = timer->link.next;
    bool alone = head == timer->link.prev;
    urd__list_remove(&timer->link);
    if (alone)
        mark_empty(timers, urd__container(head, urd__wheel_slot, timers));
    return alone;
}

void urd__timer_stop(urd__timer *timer)
{
    urd__timers *timers = urd__load_acq(&timer->timers); /* [timer] */
    if (!timers)
        return;
    urd__lock(&timers->lock);
    if (urd__list_linked(&timer->link) && take_out(timers, timer))
        publish_earliest(timers);
    urd__unlock(&timers->lock);
}

int64_t urd__timer_when(urd__timer *timer)
{
    urd__timers *timers = urd__load_acq(&timer->timers); /* [timer] */
    if (!timers)
        return INT64_MAX;
    urd__lock(&timers->lock);
    int64_t when = urd__list_linked(&timer->link) ? timer->when : INT64_MAX;
    urd__unlock(&timers->lock);
    return when;
}

bool urd__timer_set(urd__timers *timers, urd__timer *timer, int64_t when)
{
    urd__lock(&timers->lock);
    if (urd__list_linked(&timer->link) && take_out(timers, timer))
        publish_earliest(timers);
    timer->when = when;
    urd__store_rel(&timer->timers, timers); /* [timer] pairs with urd__timer_stop() */
    put_in(timers, timer);
    bool first = when < timers->earliest;
    if (first)
        urd__store_rel(&timers->earliest, when); /* [earliest] */
    urd__unlock(&timers->lock);
    return first;
}

/* Move the timers of a slot, which is the first, down to where they belong from its `least` on. */
static void move_down(urd__timers *timers, urd__wheel_slot *slot)
{
    timers->base = slot->least;
    mark_empty(timers, slot);
    if (slot->least == slot->most) {
        urd__wheel_slot *to = slot_for(timers, slot->least);
        urd__list_take_all(&to->timers, &slot->timers);
        return;
    }
    for (urd__link *link; (link = urd__list_pop(&slot->timers)) != NULL;)
        put_in(timers, urd__container(link, urd__timer, link));
}

void urd__timers_fire(urd__timers *timers, int64_t now, int max)
{
    urd__lock(&timers->lock);
    urd__wheel_slot *slot;
    while (max > 0 && (slot = first_slot(timers)) != NULL && slot->least <= now) {
        if (slot >= timers->slots[1]) {
            move_down(timers, slot);
            continue;
        }
        timers->base = slot->least;
        for (urd__link *link; max > 0 && (link = urd__list_first(&slot->timers)) != NULL; max--) {
            urd__timer *timer = urd__container(link, urd__timer, link);
            __builtin_prefetch(link->next->next); /* the next one's is written as this one leaves */
            take_out(timers, timer);
            if (timer->fire(timer))
                put_in(timers, timer);
        }
    }
    publish_earliest(timers);
    urd__unlock(&timers->lock);
}
