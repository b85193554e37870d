/*
 * model_death.h - threads of a model as processes, some of which are killed.
 *
 * SPDX-License-Identifier: MIT
 *
 * A doomed one may end before each step(), which is put before the atomic operations of what is
 * checked by macros.  How the zygote notes the death is the model's to say: a thread waits for
 * `dead`.  Include it in place of model_core.h and model_futex.h, and before those macros.
 */
#ifndef MODEL_DEATH_H
#define MODEL_DEATH_H

#define MODEL_SHARED
#include "model_core.h"
#include "model_futex.h"

#include <setjmp.h>

#include "core/peer.c"
#include "core/word.h"

static bool doomed[EXPLORE_THREADS_MAX], may_be_cancelled[EXPLORE_THREADS_MAX];
static jmp_buf end_of[EXPLORE_THREADS_MAX];
static urd__peers peers;
static int dead; /* atomic, futex: as each model says */

/* The process that runs may be killed here. */
static void step(void)
{
    int self = explore_self();
    if (self >= 0 && doomed[self] && explore_choose(2))
        longjmp(end_of[self], 1);
}

/* In the place of urd__place_own, where processes have numbers. */
static urd__place *place(void)
{
    static urd__place places[EXPLORE_THREADS_MAX + 1];
    urd__place *own = &places[explore_self() + 1];
    *own = urd__place_own;
    own->self = (uint32_t)explore_self() + 1;
    return own;
}

int urd__word_wait(urd__task *self, const urd__word *w, urd_scope *within)
{
    (void)self;
    (void)within;
    const int *words[] = {w->word, &peers.deaths};
    const int values[] = {w->value, w->deaths};
    step();
    wait_any(words, values, 2);
    step();
    return may_be_cancelled[explore_self()] && explore_choose(2) ? -ECANCELED : 0;
}

/* All live, and what they share lies at `common`. */
static void death_setup(const void *common, size_t bytes)
{
    core_setup();
    futex_setup();
    memset(&peers, 0, sizeof peers);
    memset(doomed, 0, sizeof doomed);
    memset(may_be_cancelled, 0, sizeof may_be_cancelled);
    dead = 0;
    urd__place_own = (urd__place){.peers = &peers, .low = (uintptr_t)common, .bytes = bytes};
    for (uint32_t i = 1; i <= EXPLORE_THREADS_MAX; i++)
        peers.living[i] = i;
    for (int i = 0; i < EXPLORE_THREADS_MAX; i++)
        tasks[i].scope = NULL;
}

#endif
