/*
 * block.h - run blocking or foreign code without holding up a worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * A task that calls a C function that blocks (a database driver, getaddrinfo, read from a disk)
 * holds up its worker and all tasks on it.  urd_block calls such a function on a helper thread
 * instead, and the task waits as it would for anything.
 */
#ifndef URD_BLOCK_H
#define URD_BLOCK_H

#include "urd/run.h"

URD_BEGIN_DECLS

/*
 * Each lane has helper threads of its own, so that one sort of calls cannot keep another waiting.
 * Threads are added as they are needed, and end when they have been idle for some seconds.
 */
typedef enum urd_lane {
    URD_LANE_DEFAULT, /* up to 64 threads */
    URD_LANE_FILES,   /* up to 16, for files */
    URD_LANE_NAMES    /* up to 16, for name services, which may take very long */
} urd_lane;

/*
 * Call fn(arg) on a helper thread and wait for it; returns what fn returns, whatever that is.  When
 * all threads of the lane are busy it waits its turn, first come, first served.
 *
 * fn runs in the scope and under the name of the job that calls, and may use all of this library,
 * blocking calls too.  But it is on another thread: locks that the job holds are not held by fn,
 * and errno and thread-local variables are that thread's.  From a thread, where nothing is held up,
 * fn is simply called.
 *
 * -ECANCELED: the scope was cancelled before fn began, and fn is not called.  Once it has begun it
 * is waited for, since it works with memory of the caller; calls of this library in it then return
 * -ECANCELED.  -EAGAIN: no thread could be made and the lane has none.
 */
int urd_block(urd_fn *fn, void *arg) URD_MUST_USE; /* on URD_LANE_DEFAULT */
int urd_block_on(urd_lane lane, urd_fn *fn, void *arg) URD_MUST_USE;

URD_END_DECLS

#endif
