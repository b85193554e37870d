/*
 * signal.h - signals that the runtime takes for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_IO_SIGNAL_H
#define URD_IO_SIGNAL_H

#include "urd.h"

/* While the program runs, Ctrl-C cancels the root scope: as config->interrupt has it.  stop: has it
 * been, if one came?  Else it came too late, and is sent once more, to what was in force before. */
void urd__signals_start(const urd_config *config);
void urd__signals_stop(bool heeded);

/* The same in a process job, which ends as its parent wants it. */
void urd__signals_start_job(const urd_config *config);

#endif
