/*
 * touch.h - how fast a program goes through its memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_TOUCH_H
#define URD_ADVISE_TOUCH_H

#include "advise/advise.h"

/* Ask, where it is time to, a process that computes on much memory. */
void urd__touch_look(urd__watched *w, int64_t now);

int64_t urd__touch_cache_bytes(void); /* of the last level of this machine's processor caches */

#endif
