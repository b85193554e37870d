/*
 * dump.h - the report about this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_DUMP_H
#define URD_WATCH_DUMP_H

#include "watch/out.h"
#include "watch/report.h"

/* What to write about this process, on a thread that has room for it. */
typedef void urd__dump_fn(const urd__report *report, void *arg, urd__out *out);

/* Call fn with a view of this process, on the calling thread, which has room. */
void urd__dump_here(urd__dump_fn *fn, void *arg, urd__out *out);

/* The same on a thread of its own, and wait.  -EAGAIN, -ENOMEM: there was none. */
int urd__dump_apart(urd__dump_fn *fn, void *arg, urd__out *out);

enum { URD__DUMP_STACK_BYTES = 2 * 1024 * 1024 };

/* The whole: rings of locks, then the tree. */
void urd__dump_all(const urd__report *report, void *unused, urd__out *out);

#endif
