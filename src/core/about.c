/*
 * about.c - what this library is and what it found on this machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "core/cpus.h"
#include "core/runtime.h"
#include "core/stack.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

void urd_about_get(urd_about *out)
{
    bool running = urd__load_acq(&urd__rt.state) == URD__RUNNING; /* [state] */
    *out = (urd_about){.version = URD_VERSION,
                       .compiler = COMPILER,
                       .io_backend = "futex",
                       .stack_guard = urd__stack_guard_kind(),
                       .workers = running ? (int)urd__rt.nworkers : urd__cpus(),
                       .stack_bytes = urd__stack_promised_bytes()};
}
