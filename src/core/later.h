/*
 * later.h - jobs that timers start, inside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_LATER_H
#define URD_CORE_LATER_H

#include "core/job.h"

/* The task of a periodic timer's firing has ended. */
void urd__later_done(urd__job *job, int rc);

/* All jobs have ended: stop the timers that are left.  True if there were any; then a firing may
 * have begun meanwhile.  By the scope's owner. */
bool urd__later_end(urd_scope *s);

#endif
