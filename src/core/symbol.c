/*
 * symbol.c - names and lines from the symbol tables and debug information of this program.
 *
 * SPDX-License-Identifier: MIT
 *
 * dladdr() knows only exported functions, which in most programs is not one of the user's.  The
 * rest is asked from libdw.
 */
#include "core/symbol.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/os.h"
#include "core/dw.h"
#include "core/worker.h"

static const char *file_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static urd__symbol from_loader(const void *address)
{
    urd__symbol symbol = {0};
    Dl_info at = {0};
    if (!dladdr(address, &at) || !at.dli_fname)
        return symbol;
    symbol.name = at.dli_sname;
    symbol.module = file_name(at.dli_fname);
    const void *from = at.dli_sname ? at.dli_saddr : at.dli_fbase;
    symbol.offset = (size_t)((const char *)address - (const char *)from);
    return symbol;
}

const char *urd__symbol_exported(const void *address)
{
    Dl_info at = {0};
    return dladdr(address, &at) ? at.dli_sname : NULL;
}

enum { STACK_BYTES_NEEDED = 512 * 1024 };

static struct {
    int lock; /* guards what follows */
    bool tried;
    struct Dwfl *dwfl; /* open until the runtime ends: the names it returned are in use */
} own;

static void look_up(urd__symbol *symbol, const void *address)
{
    urd__lock(&own.lock);
    if (!own.tried)
        own.dwfl = urd__dw_open(getpid());
    own.tried = true;
    urd__dw_look_up(own.dwfl, symbol, (uintptr_t)address);
    urd__unlock(&own.lock);
}

typedef struct request {
    urd__symbol *symbol;
    const void *address;
} request;

static void *look_up_main(void *arg)
{
    const request *r = arg;
    look_up(r->symbol, r->address);
    return NULL;
}

/* libdw takes some 250 KB of stack, which no task has: a thread does it then. */
static void add_from_debug(urd__symbol *symbol, const void *address)
{
    const urd__stack *stack = &urd__task_self()->stack;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    bool short_of_room =
        here >= stack->low && here < stack->high && here - stack->low < STACK_BYTES_NEEDED;
    if (!short_of_room) {
        look_up(symbol, address);
        return;
    }
    request r = {symbol, address};
    urd__os_thread thread;
    if (urd__os_thread_start(&thread, (size_t)2 * STACK_BYTES_NEEDED, look_up_main, &r) == 0)
        urd__os_thread_join(&thread);
}

void urd__symbols_close(void)
{
    urd__lock(&own.lock);
    urd__dw_close(own.dwfl);
    own.dwfl = NULL;
    own.tried = false;
    urd__unlock(&own.lock);
}

urd__symbol urd__symbol_at(const void *address)
{
    urd__symbol symbol = from_loader(address);
    add_from_debug(&symbol, address);
    return symbol;
}

void urd__symbol_place(const void *at, char *out, size_t size)
{
    urd__symbol symbol = urd__symbol_at((const char *)at - 1); /* behind the call */
    if (symbol.name && symbol.file)
        snprintf(out, size, "%s:%d in %s", symbol.file, symbol.line, symbol.name);
    else if (symbol.name)
        snprintf(out, size, "%s+%#zx", symbol.name, symbol.offset);
    else
        snprintf(out, size, "%p", at);
}
