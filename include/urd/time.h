/*
 * time.h - times, sleeping, yielding.
 *
 * SPDX-License-Identifier: MIT
 *
 * Times are nanoseconds on CLOCK_MONOTONIC; a duration says so in its name.
 */
#ifndef URD_TIME_H
#define URD_TIME_H

#include "urd/base.h"

URD_BEGIN_DECLS

typedef int64_t urd_time;

#define URD_US INT64_C(1000)
#define URD_MS INT64_C(1000000)
#define URD_SECOND INT64_C(1000000000)
#define URD_FOREVER INT64_MAX

/* The time now; under a virtual clock (tests) the time the clock shows. */
urd_time urd_now(void);

/*
 * Wait for `duration` nanoseconds, or until the time `when`.  A duration of 0 or less, or a time
 * that has passed, lets others run once, as urd_yield does.  0, or -ECANCELED.
 */
int urd_sleep(urd_time duration);
int urd_sleep_until(urd_time when);

/*
 * Let other tasks of this worker run; in a thread, give up the processor.  0, or -ECANCELED.
 */
int urd_yield(void);

URD_END_DECLS

#endif
