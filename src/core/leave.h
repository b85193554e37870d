/*
 * leave.h - the usual way from one task to the next, inlined into what waits and what yields.
 *
 * SPDX-License-Identifier: MIT
 *
 * Each function between a wait and the switch has registers to save, and to load again on the other
 * side, where nothing of it is at hand: 3 to 5 ns a function and switch (bench/pingpong).
 */
#ifndef URD_CORE_LEAVE_H
#define URD_CORE_LEAVE_H

#include "core/runtime.h"
#include "core/sanitize.h"
#include "core/switch.h"

/* On to the first that is ready.  False, and nothing was done: there is none, it is time to look
 * around, a seed draws who is next, or a stack is to be copied; urd__worker_leave() then. */
__attribute__((always_inline)) static inline bool urd__leave_quickly(urd__worker *worker,
                                                                     urd__task *from)
{
    urd__task *to = worker->ready_first;
    if (__builtin_expect(!to || (worker->tick + 1) % URD__LOOK_TICKS == 0 || urd__rt.seed != 0 ||
                             from->compact || to->compact,
                         0))
        return false;
    worker->tick++;
    worker->ready_first = to->next;
    if (__builtin_expect(to == from, 0))
        return true;
    worker->current = to;
    urd__sanitize_before(worker, from, to, false);
    urd__switch(&from->context, to->context);
    urd__sanitize_after(from);
    return true;
}

#endif
