/*
 * monitor.h - the thread that watches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_MONITOR_H
#define URD_WATCH_MONITOR_H

#include "urd.h"

/* Around a run.  The thread exists only while there is something to watch. */
void urd__monitor_start(const urd_config *config);
void urd__monitor_stop(void);

#endif
