/*
 * about.c - what this library is and what it found on this machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "core/config.h"
#include "core/cpus.h"
#include "core/runtime.h"
#include "core/stack.h"
#include "io/poller.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static const char *io_backend(bool running)
{
    urd_config config;
    urd_io io = URD_IO_AUTO;
    if (running)
        io = urd__rt.io_kind;
    else if (urd__config_resolve(NULL, &config) == 0)
        io = config.io;
    const char *name = urd__poller_backend(io);
    return name ? name : "none";
}

void urd_about_get(urd_about *out)
{
    bool running = urd__load_acq(&urd__rt.state) == URD__RUNNING; /* [state] */
    *out = (urd_about){.version = URD_VERSION,
                       .compiler = COMPILER,
                       .io_backend = io_backend(running),
                       .stack_guard = urd__stack_guard_kind(),
                       .workers = running ? (int)urd__rt.nworkers : urd__cpus(),
                       .stack_bytes = urd__stack_promised_bytes()};
}
