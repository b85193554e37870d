/*
 * run.c - urd_run: the whole start, in the one order that works.
 *
 * SPDX-License-Identifier: MIT
 *
 * Shared heap, then the helper that forks processes, then threads: so that every process sees the
 * heap at the same address, and none is forked from a program with threads of ours.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "core/config.h"
#include "core/runtime.h"
#include "io/poller.h"
#include "io/signal.h"
#include "proc/process.h"
#include "proc/shared.h"
#include "watch/monitor.h"

static int open_all(const urd_config *cfg)
{
    /* Asked here only where nothing else would do: it takes longer than the start. */
    if (cfg->io == URD_IO_URING && !urd__poller_backend(cfg->io)) {
        urd__say("urd_run: io_uring is asked for, and this system does not have it or forbids it");
        return -ENOSYS;
    }
    int rc = urd__shared_map(cfg->shared_bytes);
    if (rc) {
        urd__say("urd_run: the shared heap of %zu bytes could not be reserved: %s",
                 cfg->shared_bytes, strerror(-rc));
        return rc;
    }
    if (cfg->processes == URD_PROCESSES_NONE) {
        urd__shared_close_file();
        return 0;
    }
    rc = urd__process_open(cfg);
    if (rc) {
        urd__say("urd_run: the helper for processes could not be started: %s", strerror(-rc));
        urd__shared_unmap();
    }
    return rc;
}

static int run(const urd_config *cfg, urd_fn *fn, void *arg)
{
    int rc = open_all(cfg);
    if (rc)
        return rc;
    bool with_processes = cfg->processes != URD_PROCESSES_NONE, started;
    urd__first_job first = {.fn = fn, .arg = arg};
    urd__signals_start(cfg);
    urd__monitor_start(cfg);
    rc = urd__runtime_run(cfg, with_processes ? &urd__process_operations : NULL, &first, &started);
    urd__monitor_stop();
    urd__signals_stop(urd__rt.root_cancelled);
    if (!started)
        urd__say("urd_run: %d workers could not be started: %s", cfg->workers, strerror(-rc));
    if (with_processes)
        urd__process_close();
    urd__shared_unmap();
    return rc;
}

int urd_run(const urd_config *cfg, urd_fn *fn, void *arg)
{
    urd_config resolved;
    urd__process_resume();
    int rc = urd__config_resolve(cfg, &resolved);
    if (rc)
        return rc;
    if (!urd__runtime_claim())
        return -EBUSY;
    rc = run(&resolved, fn, arg);
    urd__runtime_release();
    return rc;
}
