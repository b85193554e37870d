/*
 * timer.c - deadlines of the sleeping: a wheel of wheels, exact to the nanosecond.
 *
 * SPDX-License-Identifier: MIT
 *
 * A time is a number of eight digits, of 6 to 10 bits.  A timer lies at the level of the highest
 * digit in which its time differs from `base`, in the slot of that digit: so all timers of a lower
 * level are before those of a higher one, and in a level they are ordered by slot.  Only the first
 * slot that has timers is ever looked at.  When its time has come, base moves to the earliest that
 * it may hold, and its timers go down to the levels that now fit them; at level 0 a slot is one
 * nanosecond.  Setting and stopping are a link and a bit.  The widths are such that a million
 * timers of one second lie in slots of 1 ms first, and from there on are in the cache until they
 * have fired: neither their memory nor its translation is asked for again.
 *
 * Timers of one time fire in the order in which they were set.  A slot has several lists, its
 * lanes; the time says which, so those of one time are in one list, in that order, and moving down
 * keeps it.  A timer set for a time before `base` counts as set for base.
 *
 * A million timers lie in no cache, so what counts is how many misses are under way at once: moving
 * down takes from the lanes in turns, and asks for what is needed next.
 *
 * `least` and `most` of a slot are bounds: they widen when a timer comes and stay when one goes.
 * So `earliest` may be too early after a stop, and then a worker wakes once for nothing.  Timers of
 * one time, of a crowd that sleeps until then, have equal bounds and move down as one list.  One
 * that is alone in its slot fires from there.
 *
 * Tasks do not leave their worker, so a wheel is used by one thread nearly always, and its lock is
 * nearly always free.  It is there for deadlines that others move, and for threads.
 *
 * Rejected, since it was no faster for a million timers of one second: to sort the timers of a slot
 * that are all due, and fire them without moving them down.
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
    WORD_BITS = 64,
    LINE = 64, /* bytes */
    LANE_BITS = 2,
    SOON_LEVEL = 2 /* what moves down from here, or below, fires within 8 us */
};

_Static_assert(1 << LANE_BITS == URD__WHEEL_LANES, "a lane for each value of the bits");

/* A level: its digit, and where its slots begin. */
typedef struct wheel_level {
    unsigned shift, bits, first;
} wheel_level;

static const wheel_level levels[URD__WHEEL_LEVELS] = {{0, 6, 0},     {6, 7, 64},    {13, 7, 192},
                                                      {20, 10, 320}, {30, 8, 1344}, {38, 8, 1600},
                                                      {46, 8, 1856}, {54, 9, 2112}};

/* The level of a bit of a time, and that of a word of `used`. */
static unsigned level_of_bit(unsigned bit)
{
    static const uint8_t of[WORD_BITS] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4,
                                          4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6,
                                          6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    return of[bit];
}

static unsigned level_of_word(unsigned word)
{
    static const uint8_t of[URD__WHEEL_WORDS] = {0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3,
                                                 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5,
                                                 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7};
    return of[word];
}

void urd__timers_init(urd__timers *timers, int64_t now)
{
    timers->lock = 0;
    timers->levels = 0;
    timers->base = now;
    timers->earliest = INT64_MAX;
    for (int level = 0; level < URD__WHEEL_LEVELS; level++)
        timers->filled[level] = 0;
    for (int word = 0; word < URD__WHEEL_WORDS; word++)
        timers->used[word] = 0;
}

static urd__wheel_slot *first_slot(urd__timers *timers)
{
    if (!timers->levels)
        return NULL;
    unsigned word = levels[__builtin_ctz(timers->levels)].first / WORD_BITS;
    while (!timers->used[word])
        word++;
    return &timers->slots[word * WORD_BITS + (unsigned)__builtin_ctzll(timers->used[word])];
}

static void publish_earliest(urd__timers *timers)
{
    const urd__wheel_slot *slot = first_slot(timers);
    /* [earliest] pairs with the parking worker */
    urd__store_rel(&timers->earliest, slot ? slot->least : INT64_MAX);
}

/* Equal for equal times, and else as good as random. */
static unsigned lane_of(int64_t when)
{
    return (unsigned)((uint64_t)when * UINT64_C(0x9E3779B97F4A7C15) >> (WORD_BITS - LANE_BITS));
}

/* The slot for a time not before base. */
static urd__wheel_slot *slot_for(urd__timers *timers, int64_t when)
{
    uint64_t differs = (uint64_t)(when ^ timers->base) | 1;
    const wheel_level *at =
        &levels[level_of_bit(WORD_BITS - 1 - (unsigned)__builtin_clzll(differs))];
    uint64_t digit = (uint64_t)when >> at->shift & ((UINT64_C(1) << at->bits) - 1);
    return &timers->slots[at->first + digit];
}

/* Mark the slot as used, and let its bounds hold the time. */
static void use(urd__timers *timers, urd__wheel_slot *slot, int64_t when)
{
    unsigned at = (unsigned)(slot - timers->slots), word = at / WORD_BITS;
    uint64_t bit = UINT64_C(1) << at % WORD_BITS;
    if (!(timers->used[word] & bit)) {
        timers->used[word] |= bit;
        timers->filled[level_of_word(word)]++;
        timers->levels |= 1U << level_of_word(word);
        for (int lane = 0; lane < URD__WHEEL_LANES; lane++)
            urd__list_init(&slot->lanes[lane]);
        slot->least = when;
        slot->most = when;
    } else if (when < slot->least) {
        slot->least = when;
    } else if (when > slot->most) {
        slot->most = when;
    }
}

static void put_in(urd__timers *timers, urd__timer *timer)
{
    int64_t when = timer->when > timers->base ? timer->when : timers->base;
    urd__wheel_slot *slot = slot_for(timers, when);
    use(timers, slot, when);
    urd__list_push_tail(&slot->lanes[lane_of(when)], &timer->link);
}

static void mark_empty(urd__timers *timers, const urd__wheel_slot *slot)
{
    unsigned at = (unsigned)(slot - timers->slots), word = at / WORD_BITS;
    timers->used[word] &= ~(UINT64_C(1) << at % WORD_BITS);
    if (--timers->filled[level_of_word(word)] == 0)
        timers->levels &= ~(1U << level_of_word(word));
}

/* True if its slot is empty now. */
static bool take_out(urd__timers *timers, urd__timer *timer)
{
    const urd__link *head = timer->link.next;
    bool alone = head == timer->link.prev;
    urd__list_remove(&timer->link);
    if (!alone)
        return false;
    size_t at = (size_t)((const char *)head - (const char *)timers->slots);
    const urd__wheel_slot *slot = &timers->slots[at / sizeof *slot];
    for (int lane = 0; lane < URD__WHEEL_LANES; lane++)
        if (!urd__list_empty(&slot->lanes[lane]))
            return false;
    mark_empty(timers, slot);
    return true;
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
        unsigned lane = lane_of(slot->least);
        urd__wheel_slot *to = slot_for(timers, slot->least);
        use(timers, to, slot->least);
        urd__list_take_all(&to->lanes[lane], &slot->lanes[lane]);
        return;
    }
    bool soon = slot < &timers->slots[levels[SOON_LEVEL + 1].first];
    urd__link *next[URD__WHEEL_LANES], *batch[URD__WHEEL_LANES];
    for (int lane = 0; lane < URD__WHEEL_LANES; lane++)
        next[lane] = slot->lanes[lane].next;
    for (int n = 1; n > 0;) {
        n = 0;
        for (int lane = 0; lane < URD__WHEEL_LANES; lane++) {
            if (next[lane] == &slot->lanes[lane])
                continue;
            batch[n++] = next[lane];
            next[lane] = next[lane]->next;
        }
        for (int i = 0; i < n; i++) {
            urd__timer *timer = urd__container(batch[i], urd__timer, link);
            __builtin_prefetch((char *)timer + LINE, 1);
            put_in(timers, timer);
            if (soon && timer->ops->soon)
                timer->ops->soon(timer);
        }
    }
}

/* All of one time, the first of all; up to max.  How many. */
static int fire_slot(urd__timers *timers, urd__wheel_slot *slot, int max)
{
    timers->base = slot->least;
    const urd__link *lane = &slot->lanes[lane_of(slot->least)];
    int n = 0;
    for (urd__link *link; n < max && (link = urd__list_first(lane)) != NULL; n++) {
        urd__timer *timer = urd__container(link, urd__timer, link);
        __builtin_prefetch(link->next->next); /* the next one's is written as this one leaves */
        take_out(timers, timer);
        if (timer->ops->fire(timer))
            put_in(timers, timer);
    }
    return n;
}

static bool holds_one(const urd__wheel_slot *slot)
{
    const urd__link *lane = &slot->lanes[lane_of(slot->least)];
    return slot->least == slot->most && lane->next == lane->prev;
}

void urd__timers_fire(urd__timers *timers, int64_t now, int max)
{
    urd__lock(&timers->lock);
    urd__wheel_slot *slot;
    while (max > 0 && (slot = first_slot(timers)) != NULL && slot->least <= now) {
        if (slot >= &timers->slots[levels[1].first] && !holds_one(slot))
            move_down(timers, slot);
        else
            max -= fire_slot(timers, slot, max);
    }
    if (!timers->levels && now > timers->base)
        timers->base = now;
    publish_earliest(timers);
    urd__unlock(&timers->lock);
}
