/*
 * dump.c - all jobs of this process, what they wait for, and their stacks.
 *
 * SPDX-License-Identifier: MIT
 *
 * Read from memory as another process's would be, by the kernel, so that what changes meanwhile
 * does no harm.  On a thread of its own, as debug information takes more stack than a task has.
 */
#include "watch/dump.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/os.h"
#include "base/os_io.h"
#include "base/os_proc.h"
#include "core/runtime.h"
#include "watch/sample.h"

void urd__dump_here(urd__dump_fn *fn, void *arg, urd__out *out)
{
    urd__view view;
    int rc = urd__view_open(&view, 0, (uintptr_t)&urd__layout_own);
    if (rc) {
        urd__out_print(out, "urd: no report: %s\n",
                       rc == -ENOENT ? "no runtime is running" : strerrordesc_np(-rc));
        return;
    }
    urd__report report = {.view = &view,
                          .dwfl = urd__dw_open(urd__os_pid()),
                          .now = urd__clock_now(),
                          .stacks = true,
                          .sample = urd__sample_take};
    fn(&report, arg, out);
    urd__dw_close(report.dwfl);
    urd__view_close(&view);
}

typedef struct request {
    urd__dump_fn *fn;
    void *arg;
    urd__out *out;
} request;

static void *dump_main(void *arg)
{
    const request *r = arg;
    urd__os_thread_name("urd-report");
    urd__dump_here(r->fn, r->arg, r->out);
    return NULL;
}

int urd__dump_apart(urd__dump_fn *fn, void *arg, urd__out *out)
{
    request r = {fn, arg, out};
    urd__os_thread thread;
    int rc = urd__os_thread_start(&thread, URD__DUMP_STACK_BYTES, dump_main, &r);
    if (rc == 0)
        urd__os_thread_join(&thread);
    return rc;
}

void urd__dump_all(const urd__report *report, void *unused, urd__out *out)
{
    (void)unused;
    urd__out_print(out, "urd: report of %s (process %d), %zu workers\n", urd__rt.name,
                   (int)urd__os_pid(), report->view->nworkers);
    urd__report_cycles(report, false, out); /* the stacks are in the tree */
    urd__report_tree(report, out);
}

int urd_dump(int fd)
{
    urd__runtime_need("urd_dump");
    urd__out out = {0};
    int rc = urd__dump_apart(urd__dump_all, NULL, &out);
    int written = out.text ? urd__os_write_unread(fd, out.text, out.used) : 0;
    if (rc == 0)
        rc = out.cut ? -ENOMEM : written;
    urd__out_free(&out);
    return rc;
}
