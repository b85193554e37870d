/*
 * monitor.c - one thread that sleeps until somebody asks it to look.
 *
 * SPDX-License-Identifier: MIT
 *
 * It is started when a standstill is first to be judged, and costs nothing before.  Who asks sets a
 * bit and wakes it; it takes all bits at once.
 *
 * A standstill that may yet be ended by a thread of the program is judged again, ever more rarely,
 * as that thread may end without a word.
 */
#include "watch/monitor.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "watch/dump.h"
#include "watch/quiet.h"

enum { STOP = 1, QUIET = 2 };

static const int64_t AGAIN_FIRST = 100 * URD_MS, AGAIN_MOST = 5 * URD_SECOND;

static struct {
    urd_config config; /* set before and after all threads */
    int asked;         /* atomic, futex: bits */
    int lock;          /* guards what follows */
    bool running;
    pthread_t thread;
} monitor;

/* Of the monitor's thread alone. */
typedef struct watch {
    int64_t again_at, pause; /* when the standstill is judged again; INT64_MAX: it is not */
    int unparks;             /* as it was judged */
} watch;

static void judge(watch *w)
{
    w->unparks = urd__load_acq(&urd__rt.unparks);
    urd__verdict verdict = urd__quiet_judge(monitor.config.deadlock);
    w->again_at = INT64_MAX;
    if (verdict == URD__UNSURE) {
        w->pause = w->pause * 2 < AGAIN_MOST ? w->pause * 2 : AGAIN_MOST;
        w->again_at = urd__os_now() + w->pause;
    } else if (verdict == URD__DEADLOCK) {
        urd__quiet_report(&monitor.config);
    }
}

static void *monitor_main(void *unused)
{
    (void)unused;
    urd__os_thread_name("urd-monitor");
    watch w = {.again_at = INT64_MAX};
    for (;;) {
        int asked = urd__xchg_ar(&monitor.asked, 0); /* [monitor] */
        if (asked & STOP)
            return NULL;
        bool again = urd__os_now() >= w.again_at;
        if (asked & QUIET)
            w.pause = AGAIN_FIRST;
        if ((asked & QUIET) || (again && urd__load_acq(&urd__rt.unparks) == w.unparks))
            judge(&w);
        else if (again)
            w.again_at = INT64_MAX; /* it went on; it will be said when it stands still again */
        if (urd__load_acq(&monitor.asked) == 0)
            urd__os_futex_wait(&monitor.asked, 0, w.again_at);
    }
}

static void ask(int bits)
{
    urd__or_ar(&monitor.asked, bits); /* [monitor] */
    urd__os_futex_wake(&monitor.asked, 1);
}

/* 0; -EAGAIN, -ENOMEM. */
static int need_thread(void)
{
    urd__lock(&monitor.lock);
    int rc = 0;
    if (!monitor.running)
        rc = urd__os_thread_start(&monitor.thread, URD__DUMP_STACK_BYTES, monitor_main, NULL);
    if (rc == 0)
        monitor.running = true;
    urd__unlock(&monitor.lock);
    return rc;
}

static void stands_still(void)
{
    ask(QUIET);
    if (need_thread() && urd__quiet_judge(monitor.config.deadlock) == URD__DEADLOCK)
        urd__die("deadlock: every job waits, and no thread can be had to report it");
}

void urd__monitor_start(const urd_config *config)
{
    monitor.config = *config;
    urd__store_rel(&monitor.asked, 0);
    urd__quiet = config->deadlock == URD_DEADLOCK_OFF ? NULL : stands_still;
}

void urd__monitor_stop(void)
{
    urd__quiet = NULL;
    urd__lock(&monitor.lock);
    bool running = monitor.running;
    monitor.running = false;
    urd__unlock(&monitor.lock);
    if (!running)
        return;
    ask(STOP);
    urd__os_thread_join(monitor.thread);
}
