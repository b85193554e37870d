/*
 * model_zygote.h - one process of a model may die, and a thread that is the zygote notes it.
 *
 * SPDX-License-Identifier: MIT
 *
 * `dead` is the number of the process that died; -1: it did not.
 */
#ifndef MODEL_ZYGOTE_H
#define MODEL_ZYGOTE_H

#include "model_death.h"

/* Of the doomed one: its work, or a part of it. */
static void maybe_die_in(void (*what)(void))
{
    bool died = setjmp(end_of[explore_self()]) != 0;
    if (!died)
        what();
    doomed[explore_self()] = false;
    urd__store_rel(&dead, died ? explore_self() + 1 : -1);
    explore_futex_wake(&dead, 1);
}

static void zygote(void)
{
    int which;
    while ((which = urd__load_acq(&dead)) == 0)
        explore_futex_wait(&dead, 0);
    if (which > 0)
        urd__peers_end((uint32_t)which);
}

#endif
