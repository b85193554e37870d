/*
 * trace.c - print the stack of the caller.
 *
 * SPDX-License-Identifier: MIT
 */
#include "core/trace.h"

#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"
#include "core/symbol.h"

enum { FRAMES_MAX = 4096, LINES_MAX = 40 };

typedef struct frame {
    const void *address;
    urd__symbol at;
} frame;

/* A return address is behind the call; the line is that of the call. */
static frame frame_of(const void *address)
{
    const void *call = (const char *)address - 1;
    return (frame){.address = address, .at = urd__symbol_at(call)};
}

static bool same_place(const frame *a, const frame *b)
{
    return a->address == b->address ||
           (a->at.name && a->at.name == b->at.name && a->at.line == b->at.line);
}

static void print_frame(int i, const frame *f, int times)
{
    const urd__symbol *at = &f->at;
    const char *module = at->module ? at->module : "?";
    char again[32] = "";
    if (times > 1)
        snprintf(again, sizeof again, ", %d times", times);
    if (at->name && at->file)
        urd__say("  #%d %s at %s:%d (%s)%s", i, at->name, at->file, at->line, module, again);
    else if (at->name)
        urd__say("  #%d %s+%#zx (%s)%s", i, at->name, at->offset, module, again);
    else
        urd__say("  #%d %p (%s+%#zx)%s", i, f->address, module, at->offset, again);
}

void urd__trace_print(int skip)
{
    void *frames[FRAMES_MAX];
    int n = backtrace(frames, FRAMES_MAX);
    int lines = 0;
    for (int i = skip; i < n && lines < LINES_MAX; lines++) {
        frame first = frame_of(frames[i]);
        int times = 0;
        for (frame next = first; same_place(&first, &next); next = frame_of(frames[i + times])) {
            times++;
            if (i + times == n)
                break;
        }
        print_frame(i - skip, &first, times);
        i += times;
    }
    if (n == FRAMES_MAX || lines == LINES_MAX)
        urd__say("  ... and more");
}
