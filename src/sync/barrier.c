/*
 * barrier.c - so many jobs wait for each other.
 *
 * SPDX-License-Identifier: MIT
 *
 * All is under the lock.  Who ends a round says in every waiter's node how it ended, also to one
 * that a cancel has just claimed: that one finds it there as it comes to leave the queue, and
 * returns it, since the others have counted it.
 */
#include <errno.h>

#include "base/check.h"
#include "base/list.h"
#include "base/lock.h"
#include "core/wait.h"

void urd_barrier_init(urd_barrier *b, int parties)
{
    if (parties <= 0)
        urd__die("urd_barrier_init: %d parties", parties);
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

int urd_barrier_wait(urd_barrier *b)
{
    urd__task *self = urd__task_self();
    int rc = urd__wait_enter(self);
    if (rc)
        return rc;
    urd__link woken = {0};
    urd__lock(&b->lock);
    if (b->parties <= 0) {
        urd__unlock(&b->lock);
        urd__die("urd_barrier_wait: the barrier was not initialised");
    }
    if (!b->broken && b->waiting + 1 < b->parties) {
        urd__waiter w = {.task = self};
        w.word = urd__wait_begin(self, self->scope, URD__ON_BARRIER, b);
        return wait_for_round(b, &w);
    }
    rc = b->broken ? -EPIPE : 1;
    if (rc == 1)
        end_round(b, 0, &woken);
    urd__unlock(&b->lock);
    make_ready(&woken);
    return rc;
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
    break_round(b, true);
}

void urd_barrier_reset(urd_barrier *b)
{
    break_round(b, false);
}

int urd_barrier_waiting(urd_barrier *b)
{
    urd__lock(&b->lock);
    int waiting = b->waiting;
    urd__unlock(&b->lock);
    return waiting;
}

bool urd_barrier_broken(urd_barrier *b)
{
    urd__lock(&b->lock);
    bool broken = b->broken;
    urd__unlock(&b->lock);
    return broken;
}
