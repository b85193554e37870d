/*
 * writer.c - gather what is written in a buffer of the caller's, and write it in large pieces.
 *
 * SPDX-License-Identifier: MIT
 *
 * What has been taken and not written lies between `start` and `end`, in order.  Room is made first
 * and the new bytes are taken afterwards, all of them or none: so a cancel in between loses and
 * doubles nothing.  Only what is larger than the buffer is written past it, and may be cut.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "urd.h"

void urd_writer_init(urd_writer *w, urd_stream to, void *buf, size_t size)
{
    if (size == 0)
        urd__die("urd_writer_init: a buffer of no bytes");
    *w = (urd_writer){.to = to, .buf = buf, .size = size};
}

static size_t held(const urd_writer *w)
{
    return w->end - w->start;
}

/* 0 or -errno; *done counts what was written. */
static int write_out(urd_writer *w, const char *data, size_t size, size_t *done)
{
    while (*done < size) {
        ssize_t n = w->to.write(w->to.context, data + *done, size - *done);
        if (n < 0)
            return (int)n;
        *done += (size_t)n;
    }
    return 0;
}

static int broken(urd_writer *w, int rc)
{
    w->error = rc;
    return rc;
}

int urd_writer_flush(urd_writer *w)
{
    if (w->error)
        return w->error;
    size_t done = 0;
    int rc = write_out(w, w->buf + w->start, held(w), &done);
    w->start += done;
    if (w->start == w->end)
        w->start = w->end = 0;
    return rc == 0 || rc == -ECANCELED ? rc : broken(w, rc);
}

/* Room for `size` bytes, which fit into the buffer, behind what is there. */
static int make_room(urd_writer *w, size_t size)
{
    if (w->error)
        return w->error;
    if (size > w->size - held(w))
        return urd_writer_flush(w);
    if (size > w->size - w->end) {
        memmove(w->buf, w->buf + w->start, held(w));
        w->end -= w->start;
        w->start = 0;
    }
    return 0;
}

static int write_past(urd_writer *w, const void *data, size_t size)
{
    size_t done = 0;
    int rc = urd_writer_flush(w);
    if (rc)
        return rc;
    rc = write_out(w, data, size, &done);
    return rc == 0 || (rc == -ECANCELED && done == 0) ? rc : broken(w, rc);
}

int urd_writer_write(urd_writer *w, const void *data, size_t size)
{
    if (size > w->size)
        return write_past(w, data, size);
    int rc = make_room(w, size);
    if (rc)
        return rc;
    if (size)
        memcpy(w->buf + w->end, data, size);
    w->end += size;
    return 0;
}

int urd_writer_print(urd_writer *w, const char *format, ...)
{
    va_list args;
    if (w->error)
        return w->error;
    for (int tries = 0; tries < 2; tries++) {
        size_t room = w->size - w->end;
        va_start(args, format);
        int size = vsnprintf(w->buf + w->end, room, format, args);
        va_end(args);
        if (size < 0)
            return -EINVAL;
        if ((size_t)size < room) {
            w->end += (size_t)size;
            return 0;
        }
        if ((size_t)size >= w->size)
            return -EMSGSIZE;
        int rc = make_room(w, (size_t)size + 1);
        if (rc)
            return rc;
    }
    return -EMSGSIZE;
}
