/*
 * urd.h - the whole public interface of liburdume, in the order one learns it.
 *
 * SPDX-License-Identifier: MIT
 *
 * A job is one call of a function `int fn(void *arg)`.  It runs in a scope, as a task, a thread or
 * a process, and returns 0 or a negative errno.  Everything here can be called from all three, and
 * from threads that the program made itself, unless a comment says otherwise.
 *
 * Rules that hold everywhere:
 *   - Results are 0, a count, or a negative errno; errno itself is neither read nor written.
 *   - A call that can block is a cancel point, always; no other call is.  Once a scope is cancelled
 *     every blocking call in it returns -ECANCELED at once and did nothing.  If the result was
 *     there first, the result wins.
 *   - Blocking allocates nothing.
 *   - A started task stays on its worker thread: errno and thread-local variables are yours.
 *   - Operating errors are returned.  Programmer errors (unlock by a stranger, scopes closed out of
 *     order) abort with file, line and job, in release builds too.
 */
#ifndef URD_H
#define URD_H

#define URD_VERSION "0.1.0"

/* In the order one learns it. */
#include "urd/block.h"
#include "urd/broadcast.h"
#include "urd/chan.h"
#include "urd/exec.h"
#include "urd/file.h"
#include "urd/future.h"
#include "urd/io.h"
#include "urd/job.h"
#include "urd/local.h"
#include "urd/lock.h"
#include "urd/message.h"
#include "urd/net.h"
#include "urd/par.h"
#include "urd/pool.h"
#include "urd/process.h"
#include "urd/progress.h"
#include "urd/run.h"
#include "urd/scope.h"
#include "urd/select.h"
#include "urd/serve.h"
#include "urd/shared.h"
#include "urd/signal.h"
#include "urd/sort.h"
#include "urd/stream.h"
#include "urd/supervise.h"
#include "urd/sync.h"
#include "urd/time.h"
#include "urd/timer.h"
#include "urd/watch.h"

#endif
