/*
 * layout.c - the table that a report reads a process by.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/layout.h"

#include "core/runtime.h"
#include "core/scope.h"
#include "core/stack.h"
#include "core/thread.h"
#include "core/wait.h"
#include "sync/chan.h"
#include "sync/rwlock.h"
#include "sync/select.h"

#define FIELD(id, name, type, path) {name, offsetof(type, path), sizeof(((type *)0)->path)},
#define TYPE(id, name, type) {name, 0, sizeof(type)},
#define VALUE(id, name, value) {name, value, 0},

/* Written by nobody; not const, since it holds addresses that the loader fills in. */
__attribute__((section(URD__LAYOUT_SECTION), used)) urd__layout urd__layout_own = {
    .magic = URD__LAYOUT_MAGIC,
    .bytes = sizeof(urd__layout),
    .fields = URD__LAYOUT_FIELDS,
    .runtime = &urd__rt,
    .stacks = &urd__stacks,
    .threads = &urd__running_threads,
    .compacts = &urd__compacts,
    .version = URD_VERSION,
    // NOLINTNEXTLINE(bugprone-sizeof-expression): the size of a pointer is what is meant
    .field = {URD__LAYOUT(FIELD, TYPE, VALUE)},
};
