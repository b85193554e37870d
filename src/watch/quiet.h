/*
 * quiet.h - is this standstill a deadlock?
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_QUIET_H
#define URD_WATCH_QUIET_H

#include "urd.h"

typedef enum urd__verdict {
    URD__MOVES,    /* somebody runs, or something outside is waited for */
    URD__UNSURE,   /* all wait for one another, but a thread of the program may wake somebody */
    URD__DEADLOCK, /* nobody can */
} urd__verdict;

urd__verdict urd__quiet_judge(urd_deadlock how);

/* Report it, and call the hook; or else end the program. */
void urd__quiet_report(const urd_config *config);

#endif
