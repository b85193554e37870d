/*
 * deque.c - work-stealing deque of jobs that have not started.
 *
 * SPDX-License-Identifier: MIT
 *
 * Jobs lie in slots[top .. bottom).  The owner pushes and pops at the bottom without a lock; a
 * thief holds the lock, claims at the top by raising it, and gives back what was not there.  They
 * race only for the last jobs:
 *
 *     owner pops:  P1 bottom = b - 1          thief steals:  S1 top = t + k
 *                  P2 (fence)                                S2 fence seq in every thread
 *                  P3 top > b - 1?                           S3 t + k > bottom?
 *                     then ask again under lock                 then claim less
 *
 * S2 is a fence of the owner's, too (membarrier(2)), wherever it is between P1 and P3 or around
 * them.  If it is after P1, S3 sees the lowered bottom and the thief keeps off that job; if it is
 * before P1, P3 sees the raised top and the owner waits for the lock, under which top is final.  So
 * no job is taken twice.  A job is never lost: under the lock what lies between top and bottom is
 * exactly what nobody took.
 *
 * So an owner executes no fence, 10 to 20 ns of its some 15, and a theft, which costs cold cache
 * lines anyway, costs 2 us more.  Where the kernel has no such barrier both sides fence for
 * themselves, and the argument is that fences are totally ordered.
 *
 * A slot is written again only when index - copied < size, and `copied` is moved on after the thief
 * has read its slots ([copied]).  Growth takes the lock, so no old array is ever read.
 *
 * Source: the THE protocol of Cilk-5 (Frigo, Leiserson, Randall, 1998), which takes one job; a
 * thief here takes half, since a theft costs a cold cache line and maybe a wake.
 * Rejected: a part of the deque that thieves do not see until they have asked for it (Lace): it
 * needs no system call, but what an owner that computes has not shown yet nobody can take.
 * Rejected: Chase-Lev, which needs no lock for thieves but takes one job at a time and must keep
 * old arrays alive.
 * P1 to P3 are urd__deque_pop() in deque.h: where nobody steals they are all there is to a job.
 * Checked: test/model/deque.c, in both ways, which fails when a fence is taken out.
 */
#include "core/deque.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "base/os.h"

bool urd__deque_fenced = true;

void urd__deques_open(bool thieves)
{
    urd__deque_fenced = thieves && urd__os_barrier_open() != 0;
}

int urd__deque_init(urd__deque *d)
{
    *d = (urd__deque){.mask = URD__DEQUE_SLOTS_FIRST - 1};
    d->slots = urd__os_alloc(sizeof(struct urd__job *) * URD__DEQUE_SLOTS_FIRST);
    return d->slots ? 0 : -ENOMEM;
}

void urd__deque_fini(urd__deque *d)
{
    urd__os_free(d->slots);
    d->slots = NULL;
}

int urd__deque_grow(urd__deque *d)
{
    int64_t mask = d->mask * 2 + 1;
    struct urd__job **slots = urd__os_alloc(sizeof(struct urd__job *) * (size_t)(mask + 1));
    if (!slots)
        return -ENOMEM;
    urd__lock(&d->lock);
    struct urd__job **old = d->slots;
    int64_t bottom = urd__load_rlx(&d->bottom); /* own store */
    for (int64_t i = urd__load_rlx(&d->top); i < bottom; i++)
        slots[i & mask] = old[i & d->mask];
    d->slots = slots;
    d->mask = mask;
    urd__unlock(&d->lock);
    urd__os_free(old);
    return 0;
}

struct urd__job *urd__deque_pop_last(urd__deque *d, int64_t bottom)
{
    urd__lock(&d->lock);
    bool there = urd__load_rlx(&d->top) <= bottom; /* written under this lock */
    if (!there)
        urd__store_rlx(&d->bottom, bottom + 1); /* thieves read it under this lock */
    urd__unlock(&d->lock);
    return there ? d->slots[bottom & d->mask] : NULL;
}

struct urd__job *urd__deque_oldest(urd__deque *d,
                                   bool (*fits)(const struct urd__job *job, const void *what),
                                   const void *what)
{
    if (urd__deque_empty(d) || !urd__trylock(&d->lock))
        return NULL;
    int64_t top = urd__load_rlx(&d->top);         /* written under this lock */
    bool there = top < urd__load_rlx(&d->bottom); /* own store */
    struct urd__job *job = there ? d->slots[top & d->mask] : NULL;
    bool taken = there && (!fits || fits(job, what));
    if (taken) {
        urd__store_rlx(&d->top, top + 1);    /* thieves read it under this lock */
        urd__store_rlx(&d->copied, top + 1); /* read by the owner, which is here */
    }
    urd__unlock(&d->lock);
    return taken ? job : NULL;
}

int urd__deque_steal(urd__deque *d, struct urd__job **out, int max)
{
    if (urd__deque_empty(d) || !urd__trylock(&d->lock))
        return 0;
    int64_t top = urd__load_rlx(&d->top);            /* written under this lock */
    int64_t there = urd__load_rlx(&d->bottom) - top; /* a first guess; S3 decides */
    int64_t claimed = there <= 0 ? 0 : (there + 1) / 2;
    if (claimed > max)
        claimed = max;
    if (claimed > 0) {
        urd__store_rlx(&d->top, top + claimed); /* S1, ordered by S2 */
        if (urd__deque_fenced)
            urd__fence_seq(); /* S2 */
        else
            urd__os_barrier_all();                  /* S2 */
        int64_t bottom = urd__load_acq(&d->bottom); /* S3 [push] */
        if (top + claimed > bottom) {
            claimed = bottom > top ? bottom - top : 0;
            urd__store_rlx(&d->top, top + claimed); /* lower: the owner asks under this lock */
        }
    }
    for (int64_t i = 0; i < claimed; i++)
        out[i] = d->slots[(top + i) & d->mask];
    urd__store_rel(&d->copied, top + claimed); /* [copied] pairs with urd__deque_push() */
    urd__unlock(&d->lock);
    return (int)claimed;
}
