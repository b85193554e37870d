/*
 * perf.h - what the kernel's performance events tell, where they are allowed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_ADVISE_PERF_H
#define URD_ADVISE_PERF_H

#include "advise/advise.h"

/* Begin: samples of where threads run, and counters if these were asked for.  Threads and processes
 * that those which are alive start later are included. */
void urd__perf_begin(urd__watched *w);
void urd__perf_take(urd__watched *w, int64_t now); /* samples that have come, now and then */
void urd__perf_end(urd__watched *w);

#endif
