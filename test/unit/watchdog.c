/*
 * watchdog.c - who keeps its worker is named; others take the jobs that it holds up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/watchdog.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/os.h"
#include "runs.h"

enum { LIMIT_MS = 60, PATIENCE_S = 30 };

static int read_end;

/* What was written to the pipe so far has the text in it.  Waits for it. */
static bool told(const char *text)
{
    static char seen[65536];
    static size_t used;
    struct pollfd ready = {.fd = read_end, .events = POLLIN};
    int64_t until = urd__os_now() + PATIENCE_S * URD_SECOND;
    while (!strstr(seen, text)) {
        if (urd__os_now() > until)
            return false;
        if (poll(&ready, 1, LIMIT_MS) == 1 && used + 1 < sizeof seen) {
            ssize_t n = read(read_end, seen + used, sizeof seen - 1 - used);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    return true;
}

static int stderr_before;

static void stderr_into_pipe(void)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    stderr_before = dup(STDERR_FILENO);
    CHECK_GE(stderr_before, 0);
    CHECK_GE(dup2(ends[1], STDERR_FILENO), 0);
    CHECK_EQ(close(ends[1]), 0);
    read_end = ends[0];
}

static void stderr_back(void)
{
    CHECK_GE(dup2(stderr_before, STDERR_FILENO), 0);
    CHECK_EQ(close(stderr_before), 0);
    CHECK_EQ(close(read_end), 0);
}

/* Keeps its worker, with calls in which tools deliver signals, until it has been told of. */
__attribute__((noinline)) static int keeps_worker(void *arg)
{
    (void)arg;
    return told("urd: watchdog: job ") && told("has kept worker ") && told("behind it are ") ? 0
                                                                                             : -EIO;
}

static int one_keeps(void *arg)
{
    urd_scope s;
    urd_job j;
    urd_scope_open(&s);
    urd_job_options o = {.name = "spinner"};
    CHECK_EQ(urd_job_open(&j, &s, URD_TASK, keeps_worker, arg, 0, &o), 0);
    CHECK_EQ(urd_job_join(&j), 0);
    CHECK(told("job spinner ["));
    CHECK(told("watchdog.c:"));
    return urd_scope_join(&s);
}

TEST(a_task_that_keeps_its_worker_is_named)
{
    stderr_into_pipe();
    for (int workers = 1; workers <= 2; workers++) {
        urd_config config = {
            .workers = workers, .watchdog_ms = LIMIT_MS, .processes = URD_PROCESSES_NONE};
        test_run_with(&config, one_keeps, NULL);
    }
    stderr_back();
}

/* ---- What it holds up ------------------------------------------------------------------------ */

static int done; /* atomic */

static int counts(void *arg)
{
    (void)arg;
    urd__add_ar(&done, 1);
    return 0;
}

static int starts_and_spins(void *arg)
{
    (void)arg;
    enum { JOBS = 500 };
    urd_scope s;
    urd_scope_open(&s);
    for (int i = 0; i < JOBS; i++)
        CHECK_EQ(urd_go(&s, counts, NULL), 0);
    while (urd__load_acq(&done) < JOBS) /* others run them: this worker does not */
        sched_yield();
    return urd_scope_join(&s);
}

TEST(the_jobs_of_a_kept_worker_that_have_not_begun_are_taken_over)
{
    run_real(2, starts_and_spins);
}

/* ---- The rule -------------------------------------------------------------------------------- */

static urd__kept kept[1];

typedef struct look {
    int64_t now;
    int reports;
} look;

static void *look_apart(void *arg)
{
    look *l = arg;
    l->reports = urd__watchdog_look(kept, l->now, 500);
    return NULL;
}

/* From a thread, as a report needs more stack than a task has; the worker is kept meanwhile. */
static int reports_at(int64_t now)
{
    look l = {.now = now};
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, look_apart, &l), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    return l.reports;
}

static int looks(void)
{
    CHECK_EQ(reports_at(1000), 0); /* the first look only notes */
    CHECK(kept[0].task);
    CHECK_EQ(reports_at(1499), 0);
    CHECK_EQ(reports_at(1500), 1);
    CHECK_EQ(reports_at(9000), 0); /* once is enough */
    CHECK_EQ(urd_sleep(1), 0);     /* a switch */
    CHECK_EQ(reports_at(9100), 0);
    CHECK_EQ(reports_at(9600), 1);
    return 0;
}

static int looks_apart(void *arg)
{
    urd_scope s;
    urd_scope_open(&s);
    (void)arg;
    urd_go(&s, wait_for_ever, NULL);
    CHECK_EQ(urd_sleep(1), 0);
    CHECK_EQ(looks(), 0);
    urd_scope_cancel(&s, 0);
    CHECK_EQ(urd_scope_join(&s), -ECANCELED);
    return 0;
}

TEST(it_is_told_once_until_there_is_a_switch)
{
    stderr_into_pipe();
    test_run(looks_apart);
    CHECK(told("urd: watchdog: job "));
    stderr_back();
}

TEST(without_a_runtime_nobody_is_kept)
{
    CHECK_EQ(urd__watchdog_look(kept, 1000, 1), 0);
}

/* ---- SIGQUIT --------------------------------------------------------------------------------- */

static int quits(void *arg)
{
    CHECK_EQ(kill(getpid(), SIGQUIT), 0);
    CHECK(told("urd: report of "));
    CHECK(told("scope of urd_run\n"));
    return arg ? 0 : urd_yield();
}

TEST(SIGQUIT_writes_the_report_and_the_program_goes_on)
{
    struct sigaction before, after; /* what is ignored in the background is so afterwards */
    CHECK_EQ(urd__os_signal_action(SIGQUIT, NULL, &before), 0);
    stderr_into_pipe();
    urd_config config = {.workers = 1, .sigquit = true, .processes = URD_PROCESSES_NONE};
    test_run_with(&config, quits, NULL);
    stderr_back();
    CHECK_EQ(urd__os_signal_action(SIGQUIT, NULL, &after), 0);
    CHECK(after.sa_handler == before.sa_handler);
}
