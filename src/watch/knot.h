/*
 * knot.h - rings of locks: jobs each of which holds what the next one waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_KNOT_H
#define URD_WATCH_KNOT_H

#include "watch/view.h"

enum { URD__KNOT_MAX = 64 };

/* Who holds the lock that the task waits for; 0: nobody, or it waits for something else. */
uintptr_t urd__knot_owner(const urd__view *view, const urd__view_task *task);

/*
 * The ring that the task at `first` is in: itself, who holds what it waits for, and so on; the last
 * one waits for a lock that `first` holds, or for the jobs of a scope that `first` is in.  Of each
 * the wait is set and nothing else.  Returns how many there are; 0: none.  What it returns was one
 * at a moment during the call, also when other jobs run.
 */
int urd__knot_from(const urd__view *view, uintptr_t first, urd__view_task *ring);

/* Does the ring close so that its last one waits for jobs, and for no lock? */
bool urd__knot_by_scope(const urd__view_task *last);

/* Around a run: name each ring on stderr, as it closes. */
void urd__knot_watch(bool on);

#endif
