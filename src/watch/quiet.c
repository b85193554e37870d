/*
 * quiet.c - tell a deadlock from a program that waits for the world.
 *
 * SPDX-License-Identifier: MIT
 *
 * It is one if all of these hold, and nothing has moved from before the first look until after the
 * last (`unparks`):
 *
 *   - every worker sleeps, and nothing is left for one to do;
 *   - no timer is set;
 *   - no thread job, helper or process runs, but those threads that wait for a job;
 *   - every task and thread waits for something that only jobs can bring (INSIDE in core/wait.h):
 *     one that sleeps for ever, or waits for the kernel, is waiting for the world;
 *   - the process has no thread but ours.  A thread that the program made may yet send, set or
 *     unlock, whatever it does now, so while there is one, nothing is said.
 *
 * With a virtual clock time is the program's own, and so is a sleep for ever; threads that the
 * program made are not counted there, as for the clock itself.
 *
 * What is not seen: a handler of a signal that wakes a job (which no call allows), and who cancels
 * a process job from outside.
 */
#include "watch/quiet.h"

#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/os_proc.h"
#include "core/runtime.h"
#include "watch/dump.h"

/* The thread that called urd_run is the one that nobody of ours started. */
enum { FOREIGN_ALONE = 1 };

urd__verdict urd__quiet_judge(urd_deadlock how)
{
    int unparks = urd__load_acq(&urd__rt.unparks);
    if (!urd__park_quiet())
        return URD__MOVES;
    if (!urd__clock_is_virtual()) {
        if (how == URD_DEADLOCK_SURE && urd__os_threads_foreign() != FOREIGN_ALONE)
            return URD__UNSURE;
        if (urd__view_moves(0, (uintptr_t)&urd__layout_own))
            return URD__MOVES;
    }
    urd__fence_seq(); /* the looks above are before the next */
    return urd__park_quiet() && urd__load_acq(&urd__rt.unparks) == unparks ? URD__DEADLOCK
                                                                           : URD__MOVES;
}

static void write_report(const urd__report *report, void *unused, urd__out *out)
{
    urd__out_print(out,
                   "urd: deadlock: every job waits, and no timer is set that could wake one\n");
    urd__dump_all(report, unused, out);
}

void urd__quiet_report(const urd_config *config)
{
    urd__out out = {0};
    urd__dump_here(write_report, NULL, &out);
    const char *text = out.text ? out.text : "urd: deadlock, and no memory to say more\n";
    if (config->on_deadlock) {
        config->on_deadlock(text);
        urd__out_free(&out);
        return;
    }
    urd__os_write_error(text, strlen(text));
    if (urd__os_threads_foreign() == FOREIGN_ALONE)
        urd__os_flush(); /* another thread might hold the lock of a stream for ever */
    urd__os_exit(URD_EXIT_DEADLOCK);
}
