/*
 * event.h - an event inside: seen set, and let go of by who set it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_EVENT_H
#define URD_SYNC_EVENT_H

#include "urd.h"

/* Is it set?  If so its memory may be freed, as after urd_event_wait(). */
bool urd__event_passed(urd_event *e);

#endif
