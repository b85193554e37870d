/*
 * monitor.c - one thread that sleeps until somebody asks it to look.
 *
 * SPDX-License-Identifier: MIT
 *
 * It is started when a standstill is first to be judged, or with the run if there is a watchdog or
 * SIGQUIT is to be answered, and costs nothing before.  Who asks sets a bit and wakes it; it takes
 * all bits at once.  The handler of SIGQUIT does no more than that, so the report is written also
 * when every worker is stuck.
 *
 * A standstill that may yet be ended by a thread of the program is judged again, ever more rarely,
 * as that thread may end without a word.
 */
#include "watch/monitor.h"

#include <signal.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/lock.h"
#include "base/os.h"
#include "core/runtime.h"
#include "watch/dump.h"
#include "watch/knot.h"
#include "watch/quiet.h"
#include "watch/watchdog.h"

enum { STOP = 1, QUIET = 2, REPORT = 4 };

/* So often within its limit the watchdog looks. */
enum { LOOKS = 4 };

static const int64_t AGAIN_FIRST = 100 * URD_MS, AGAIN_MOST = 5 * URD_SECOND;

static struct {
    urd_config config; /* set before and after all threads */
    int asked;         /* atomic, futex: bits */
    int lock;          /* guards what follows */
    bool running;
    urd__os_thread thread;
} monitor;

/* Of the monitor's thread alone. */
typedef struct watch {
    int64_t again_at, pause; /* when the standstill is judged again; INT64_MAX: it is not */
    int unparks;             /* as it was judged */
    int64_t look_at;         /* when the watchdog looks; INT64_MAX: there is none */
    urd__kept *kept;         /* for each worker */
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

static void write_report(void)
{
    urd__out out = {0};
    urd__dump_here(urd__dump_all, NULL, &out);
    if (out.text)
        urd__os_write_error(out.text, out.used);
    urd__out_free(&out);
}

static void start_watchdog(watch *w)
{
    w->look_at = INT64_MAX;
    if (monitor.config.watchdog_ms <= 0)
        return;
    w->kept = urd__os_alloc((size_t)monitor.config.workers * sizeof *w->kept);
    if (w->kept)
        w->look_at = urd__os_now();
}

static void look(watch *w)
{
    int64_t now = urd__os_now(), limit = monitor.config.watchdog_ms * URD_MS;
    if (now < w->look_at)
        return;
    urd__watchdog_look(w->kept, now, limit);
    w->look_at = now + limit / LOOKS;
}

static void *monitor_main(void *unused)
{
    (void)unused;
    urd__os_thread_name("urd-monitor");
    watch w = {.again_at = INT64_MAX};
    start_watchdog(&w);
    for (;;) {
        int asked = urd__xchg_ar(&monitor.asked, 0); /* [monitor] */
        if (asked & STOP) {
            urd__os_free(w.kept);
            return NULL;
        }
        if (asked & REPORT)
            write_report();
        look(&w);
        bool again = urd__os_now() >= w.again_at;
        if (asked & QUIET)
            w.pause = AGAIN_FIRST;
        if ((asked & QUIET) || (again && urd__load_acq(&urd__rt.unparks) == w.unparks))
            judge(&w);
        else if (again)
            w.again_at = INT64_MAX; /* it went on; it will be said when it stands still again */
        if (urd__load_acq(&monitor.asked) == 0)
            urd__os_futex_wait(&monitor.asked, 0, w.again_at < w.look_at ? w.again_at : w.look_at);
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

static struct sigaction quit_before; /* set before and after all threads */

static void on_quit(int sig)
{
    (void)sig;
    ask(REPORT);
}

void urd__monitor_start(const urd_config *config)
{
    monitor.config = *config;
    urd__store_rel(&monitor.asked, 0);
    urd__quiet = config->deadlock == URD_DEADLOCK_OFF ? NULL : stands_still;
    urd__knot_watch(config->debug_locks);
    bool wanted = config->watchdog_ms > 0 || config->sigquit;
    if (wanted && need_thread())
        urd__say("urd_run: there is no thread to be had for the watchdog and SIGQUIT");
    if (config->sigquit) {
        struct sigaction action = {.sa_handler = on_quit, .sa_flags = SA_RESTART};
        urd__os_signal_action(SIGQUIT, &action, &quit_before);
    }
}

void urd__monitor_stop(void)
{
    urd__quiet = NULL;
    urd__knot_watch(false);
    if (monitor.config.sigquit)
        urd__os_signal_action(SIGQUIT, &quit_before, NULL);
    urd__lock(&monitor.lock);
    bool running = monitor.running;
    monitor.running = false;
    urd__unlock(&monitor.lock);
    if (!running)
        return;
    ask(STOP);
    urd__os_thread_join(&monitor.thread);
}
