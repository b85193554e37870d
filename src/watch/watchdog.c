/*
 * watchdog.c - name the task that keeps its worker.
 *
 * SPDX-License-Identifier: MIT
 *
 * A worker counts its switches.  One that still runs the same task after the same switch as some
 * time ago has been kept by it since; it need not tell the time for that, so nothing is paid by
 * those who are watched.  Read through the kernel, as reports read everything.
 */
#include "watch/watchdog.h"

#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "base/os.h"
#include "core/runtime.h"
#include "watch/dump.h"

typedef struct stuck {
    unsigned worker;
    uintptr_t task;
    int64_t ms;
} stuck;

static void write_report(const urd__report *report, void *arg, urd__out *out)
{
    const stuck *s = arg;
    const urd__view *view = report->view;
    const urd__view_task *task = urd__view_task_at(view, s->task);
    const urd__view_job *job = task ? urd__view_job_at(view, task->job) : NULL;
    if (!job || s->worker >= view->nworkers)
        return; /* it has ended meanwhile */
    char name[URD__NAME_BYTES], where[URD__NAME_BYTES];
    urd__report_name(report, job, name, sizeof name);
    urd__view_string(view, job->where, where, sizeof where);
    urd__out_print(out,
                   "urd: watchdog: job %s [%ld], started at %s, has kept worker %u for %lld ms\n",
                   name, task->number, where[0] ? where : "urd_run", s->worker, (long long)s->ms);
    urd__report_stack(report, task, "      ", out);
    int ready = 0;
    for (size_t i = 0; i < view->ntasks; i++)
        ready += view->tasks[i].worker == (int)s->worker && view->tasks[i].state == URD__READY;
    long unstarted = view->workers[s->worker].unstarted;
    urd__out_print(out, "  behind it are %d tasks that could go on, and its timers", ready);
    if (unstarted && view->nworkers == 1)
        urd__out_print(out, ", and %ld jobs not begun: there is no other worker to take them",
                       unstarted);
    urd__out_print(out, "\n");
}

static bool tell(const stuck *s)
{
    urd__out out = {0};
    urd__dump_here(write_report, (void *)(uintptr_t)s, &out); // NOLINT(performance-no-int-to-ptr)
    if (out.text)
        urd__os_write_error(out.text, out.used);
    bool told = out.text != NULL;
    urd__out_free(&out);
    return told;
}

/* What it runs now; 0: nothing, or the worker cannot be read. */
static uintptr_t running(const urd__worker *worker, unsigned *tick)
{
    urd__task *current = NULL;
    int parked = 1;
    if (urd__os_read_memory(0, (uintptr_t)&worker->current, &current, sizeof(void *)) != 0 ||
        urd__os_read_memory(0, (uintptr_t)&worker->tick, tick, sizeof *tick) != 0 ||
        urd__os_read_memory(0, (uintptr_t)&worker->parked, &parked, sizeof parked) != 0)
        return 0;
    return parked || current == &worker->idle ? 0 : (uintptr_t)current;
}

int urd__watchdog_look(urd__kept *kept, int64_t now, int64_t limit)
{
    int reports = 0, state = URD__STOPPED;
    /* The monitor is there before the runtime, which is zeroed as it starts. */
    urd__os_read_memory(0, (uintptr_t)&urd__rt.state, &state, sizeof state);
    if (state != URD__RUNNING || urd__load_acq(&urd__rt.state) != URD__RUNNING ||
        urd__load_acq(&urd__rt.stopping))
        return 0;
    for (unsigned i = 0; i < urd__rt.nworkers; i++) {
        urd__kept *k = &kept[i];
        unsigned tick = 0;
        uintptr_t task = running(&urd__rt.workers[i], &tick);
        if (!task || task != k->task || tick != k->tick) {
            *k = (urd__kept){.task = task, .tick = tick, .since = now};
            continue;
        }
        if (k->told || now - k->since < limit)
            continue;
        k->told = true;
        reports += tell(&(stuck){.worker = i, .task = task, .ms = (now - k->since) / URD_MS});
    }
    return reports;
}
