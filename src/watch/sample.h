/*
 * sample.h - what a thread of this process does at this moment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_SAMPLE_H
#define URD_WATCH_SAMPLE_H

#include "watch/frames.h"

/* Ask the thread, by a signal, for its registers and the top of its stack.  False: it does not
 * answer, as it blocks the signal or has no processor.  Not from that thread itself. */
bool urd__sample_take(void *unused, pid_t thread, urd__sample *out);

#endif
