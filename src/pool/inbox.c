/*
 * inbox.c - jobs for threads come in without the pool's lock, and one of these comes for them.
 *
 * SPDX-License-Identifier: MIT
 *
 * Who gives a job puts it on top of the inbox, a list whose head is one word.  Workers move what is
 * there to the end of the queue, under the pool's lock, before they look into that.  To wake a
 * worker costs more than a small job, so nobody is woken while a worker is `coming`: it is awake,
 * runs nothing, and has yet to look.  The lowest bit of the word is CALL: workers lie idle and none
 * is coming, so whoever gives the next job must see that one does.
 *
 *     give:   G1 inbox = job, CALL taken away     worker:  W1 lock; coming - 1, if it was
 *             G2 CALL was set? lock, settle                W2 move, take a job from the queue
 *             G3 the pool has a cause? lock,               W3 settle
 *                fail what is there                        W4 none taken: coming + 1, CALL taken
 *                                                             away, look for a moment; or idle,
 *                                                             settle, sleep
 *
 *     settle, under the lock: nobody idle, or somebody coming?  It is well.  Otherwise move; wake
 *     one where there is a job, who is coming then; and if there is none set CALL, by a swap of a
 *     word that is 0.
 *
 * All but the word is under the lock, and each access to that which matters is a read-modify-write,
 * so they are in one order.  Whenever the lock is free one of these holds: nobody is idle; somebody
 * is coming; the word has CALL, and no job is there; or who took CALL away is on its way to settle.
 * A job that comes therefore is found at W2, by who is coming, or who is not idle and looks before
 * he lies down (the swap of settle fails, and it moves); or it took CALL away, and settle wakes
 * one.
 *
 * What ends a pool early sets the cause and then moves, by an exchange: a G1 before that is moved,
 * and one after it has seen the cause by G3.
 *
 * A worker that leaves for a cancel or an error ends the pool, so that it does not matter whether
 * it was coming.
 *
 * Pools that grow do without an inbox, and those of processes: they count who is there for each job
 * that comes.  So do those of tasks, where one is woken for each: a task that is woken may stand
 * behind another that computes, and must not keep the others from coming.
 *
 * Rejected: a ring of jobs taken without the lock (one lock for each end is shared by the workers
 * alone, and a job that is taken back must be found); several jobs taken at once (each but the
 * first would wait behind one that may be long, while others are free).
 * Checked: test/model/inbox.c.
 */
#include "base/atomic.h"
#include "base/lock.h"
#include "core/wait.h"
#include "pool/pool.h"

static const uintptr_t CALL = 1;

/* The link of the newest, from which the others are found by `next`; NULL: none. */
static urd__link *top_of(uintptr_t word)
{
    return (urd__link *)(word & ~CALL); // NOLINT(performance-no-int-to-ptr)
}

bool urd__inbox_put(urd_pool *p, urd_pool_job *job)
{
    uintptr_t now = urd__load_rlx(&p->inbox); /* checked by the swap */
    do
        job->link.next = top_of(now);
    while (!urd__cas_ar(&p->inbox, &now, (uintptr_t)&job->link)); /* G1 [inbox] */
    return now & CALL;                                            /* G2 is the caller's */
}

/* The newest is on top: turn the list round. */
static urd__link *oldest_first(urd__link *top)
{
    urd__link *first = NULL;
    for (urd__link *below; top; top = below) {
        below = top->next;
        top->next = first;
        first = top;
    }
    return first;
}

void urd__inbox_move_all(urd_pool *p)
{
    urd__link *link = oldest_first(top_of(urd__xchg_ar(&p->inbox, 0))); /* [inbox] */
    for (urd__link *newer; link; link = newer) {
        newer = link->next;
        urd__list_push_tail(&p->queue, link);
        p->undone++;
    }
}

void urd__inbox_move(urd_pool *p)
{
    if (top_of(urd__load_rlx(&p->inbox))) /* what comes later is settled */
        urd__inbox_move_all(p);
}

bool urd__inbox_call(urd_pool *p, urd__link *woken)
{
    urd__waiter *idle = urd__wait_pop(&p->idle);
    if (!idle)
        return false;
    idle->result = 1;
    p->coming++;
    urd__list_push_tail(woken, &idle->link);
    return true;
}

void urd__inbox_settle(urd_pool *p, urd__link *woken)
{
    while (p->has_inbox && p->coming == 0 && !urd__list_empty(&p->idle)) {
        uintptr_t word = urd__load_rlx(&p->inbox); /* checked by the swap, or by who took it */
        if (word == 0 && urd__list_empty(&p->queue) && urd__cas_ar(&p->inbox, &word, CALL))
            return; /* [inbox] */
        if (word == CALL && urd__list_empty(&p->queue))
            return;
        urd__inbox_move(p);
        if (!urd__list_empty(&p->queue))
            urd__inbox_call(p, woken);
    }
}

void urd__inbox_look(urd_pool *p)
{
    uintptr_t word = CALL;
    p->coming++;
    if (urd__load_rlx(&p->inbox) == CALL) /* else who took it away sees that one is coming */
        urd__cas_ar(&p->inbox, &word, 0); /* W4 [inbox] */
}

bool urd__inbox_is_empty(const urd_pool *p)
{
    return urd__load_rlx(&p->inbox) == 0; /* a look, before the lock */
}
