/*
 * out.c - text that grows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "watch/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

static bool make_room(urd__out *out, size_t more)
{
    enum { ROOM_FIRST = 1024 };
    if (out->used + more < out->room)
        return true;
    size_t room = out->room ? out->room : ROOM_FIRST;
    while (out->used + more >= room)
        room *= 2;
    char *text = urd__os_alloc(room);
    if (!text) {
        out->cut = true;
        return false;
    }
    if (out->used)
        memcpy(text, out->text, out->used);
    urd__os_free(out->text);
    out->text = text;
    out->room = room;
    return true;
}

void urd__out_print(urd__out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n <= 0 || !make_room(out, (size_t)n))
        return;
    va_start(args, format);
    vsnprintf(out->text + out->used, out->room - out->used, format, args);
    va_end(args);
    out->used += (size_t)n;
}

void urd__out_free(urd__out *out)
{
    urd__os_free(out->text);
    *out = (urd__out){0};
}
