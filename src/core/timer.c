/*
 * timer.c - deadlines of the sleeping.
 *
 * SPDX-License-Identifier: MIT
 *
 * Tasks do not leave their worker, so a heap is used by one thread nearly always, and its lock is
 * nearly always free.  It is there for deadlines that others move, and for threads.
 */
#include "core/timer.h"

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"

static urd__timer *timer_of(urd__heap_node *node)
{
    return urd__container(node, urd__timer, node);
}

static bool earlier(const urd__heap_node *a, const urd__heap_node *b)
{
    return ((const urd__timer *)(const void *)a)->when <
           ((const urd__timer *)(const void *)b)->when;
}

_Static_assert(offsetof(urd__timer, node) == 0, "earlier() reads a timer at its node");

void urd__timers_init(urd__timers *timers)
{
    *timers = (urd__timers){.heap.less = earlier, .earliest = INT64_MAX};
}

/* Under lock. */
static void publish_earliest(urd__timers *timers)
{
    urd__heap_node *root = timers->heap.root;
    /* [earliest] pairs with the parking worker */
    urd__store_rel(&timers->earliest, root ? timer_of(root)->when : INT64_MAX);
}

static void take_out(urd__timers *timers, urd__timer *timer)
{
    urd__heap_remove(&timers->heap, &timer->node);
    timer->queued = false;
}

void urd__timer_stop(urd__timer *timer)
{
    urd__timers *timers = urd__load_acq(&timer->timers); /* [timer] */
    if (!timers)
        return;
    urd__lock(&timers->lock);
    if (timer->queued) {
        take_out(timers, timer);
        publish_earliest(timers);
    }
    urd__unlock(&timers->lock);
}

bool urd__timer_set(urd__timers *timers, urd__timer *timer, int64_t when)
{
    urd__lock(&timers->lock);
    if (timer->queued)
        take_out(timers, timer);
    timer->when = when;
    timer->queued = true;
    urd__heap_insert(&timers->heap, &timer->node);
    urd__store_rel(&timer->timers, timers); /* [timer] pairs with urd__timer_stop() */
    bool first = timers->heap.root == &timer->node;
    publish_earliest(timers);
    urd__unlock(&timers->lock);
    return first;
}

void urd__timers_fire(urd__timers *timers, int64_t now)
{
    urd__lock(&timers->lock);
    while (timers->heap.root && timer_of(timers->heap.root)->when <= now) {
        urd__timer *timer = timer_of(timers->heap.root);
        take_out(timers, timer);
        timer->fire(timer);
    }
    publish_earliest(timers);
    urd__unlock(&timers->lock);
}
