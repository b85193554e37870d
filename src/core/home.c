/*
 * home.c - locks that are at home with one worker: who gets a home, and who loses it.
 *
 * SPDX-License-Identifier: MIT
 *
 * The home worker never takes the word of the lock, and whoever holds the word evicts it first:
 *
 *     at home:  H1 inside = the lock         evict:  V1 home = nobody, under the word
 *               H2 (fence)                           V2 fence seq in every thread
 *               H3 home is this worker?              V3 wait until inside is not the lock
 *                  in; else take the word
 *               H4 inside = NULL
 *
 * V2 is a fence of the home worker's, too (membarrier(2)), wherever it is between H1 and H3 or
 * around them.  If it is after H1, V3 sees that the worker is inside, and waits for H4; if it is
 * before H1, H3 sees that the home is lost.  What the worker did inside is seen after V3, which
 * reads what H4 released, also where the worker has gone on into another lock.  A home is given
 * under the word, to the worker that holds it, so what others did before is seen by it.
 *
 * After H4 the worker does not touch the lock: whoever takes it next may free its memory.
 *
 * An eviction costs 0.2 to 2.4 us, and more the more processors the program uses.  So a home takes
 * 64 uses by one worker in a row, and twice as many after each eviction in the program, up to a
 * million: objects that wander cost it a handful of evictions, not one each.
 *
 * Rejected: a flag in the lock in the place of `inside` (an unlock has to tell it from the word);
 * the same for the claim of a wait and its fence, so that a rendezvous at home has no locked
 * instruction at all: 2 ns of 100 less, and a cancel from another worker costs an eviction a task.
 * Checked: test/model/home.c, which fails when a fence, a look or a wait is taken out.
 */
#include "core/home.h"

#include <limits.h>

#include "base/os.h"

#ifdef URD_MODEL
enum { USES_FIRST = 1, USES_MAX = 4 };
#else
enum { USES_FIRST = 64, USES_MAX = 1 << 20 };
#endif

/* In `home`: this is who used it last, and no home. */
static const uintptr_t LAST = 1;

unsigned urd__home_uses = UINT_MAX;

void urd__homes_open(void)
{
    bool can = urd__os_barrier_open() == 0;
    urd__store_rlx(&urd__home_uses, can ? USES_FIRST : UINT_MAX); /* a number, no other memory */
}

static void look_twice_as_long(void)
{
    unsigned uses = urd__load_rlx(&urd__home_uses); /* a number; who comes second */
    if (uses < USES_MAX)                            /* may well undo it */
        urd__store_rlx(&urd__home_uses, 2 * uses);  /* the same */
}

/* Under the word. */
__attribute__((noinline)) static void evict(urd__home *l, const urd__worker *self)
{
    uintptr_t home = urd__load_rlx(&l->worker); /* under the word */
    urd__store_rlx(&l->worker, LAST);           /* V1, ordered by V2 */
    l->uses = 0;
    urd__worker *worker = (urd__worker *)home; // NOLINT(performance-no-int-to-ptr)
    if (worker == self)
        return; /* it is here, so it is not inside */
    look_twice_as_long();
    urd__os_barrier_all();                                              /* V2 */
    for (int spins = 0; urd__load_acq(&worker->inside) == l; spins++) { /* V3 [home] */
        if (spins < URD__SPINS_BEFORE_YIELD)
            urd__spin_hint();
        else
            urd__os_yield();
    }
}

static bool is_home(uintptr_t home)
{
    return home && !(home & LAST);
}

void urd__home_lock_usual(urd__home *l, const urd__worker *self)
{
    urd__lock(&l->word);
    uintptr_t home = urd__load_rlx(&l->worker); /* under the word */
    if (home == ((uintptr_t)self | LAST)) {
        if (++l->uses >= urd__load_rlx(&urd__home_uses) && self) /* a number */
            urd__store_rlx(&l->worker, (uintptr_t)self);         /* own, or under the word */
        return;
    }
    if (__builtin_expect(is_home(home), 0))
        evict(l, self);
    l->uses = 0;
    urd__store_rlx(&l->worker, (uintptr_t)self | LAST); /* under the word */
}

void urd__home_lock_away(urd__home *l)
{
    urd__lock(&l->word);
    if (__builtin_expect(is_home(urd__load_rlx(&l->worker)), 0)) /* under the word */
        evict(l, urd__worker_self);
}
