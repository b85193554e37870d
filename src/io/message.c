/*
 * message.c - a length, then so many bytes.
 *
 * SPDX-License-Identifier: MIT
 *
 * Both halves of a message are looked at before either is taken, and have room before either is
 * written: a cancel in between would leave a length without its bytes.
 */
#include <errno.h>
#include <string.h>

#include "urd.h"

enum { SHORT_HEAD = 4, LONG_HEAD = 12 };
static const uint64_t SHORT_MAX = INT32_MAX, LONG_FOLLOWS = UINT32_MAX;

static void put(unsigned char *to, size_t bytes, uint64_t value)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        to[i] = (unsigned char)value;
}

static uint64_t get(const char *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

/* How many bytes of `n` there are: all, 1; none, 0; -ENODATA: the end came in between. */
static int look(urd_reader *r, size_t n, char **at)
{
    ssize_t there = urd_reader_peek(r, n, at);
    if (there <= 0)
        return (int)there;
    return (size_t)there < n ? -ENODATA : 1;
}

/* The length, and how many bytes say it. */
static int look_at_head(urd_reader *r, uint64_t *size, size_t *head)
{
    char *at;
    int rc = look(r, *head = SHORT_HEAD, &at);
    if (rc <= 0)
        return rc;
    *size = get(at, SHORT_HEAD);
    if (*size <= SHORT_MAX)
        return 1;
    if (*size != LONG_FOLLOWS)
        return -EPROTO;
    rc = look(r, *head = LONG_HEAD, &at);
    if (rc <= 0)
        return rc;
    *size = get(at + SHORT_HEAD, LONG_HEAD - SHORT_HEAD);
    return *size <= PTRDIFF_MAX ? 1 : -EPROTO;
}

int urd_message_read(urd_reader *r, void *buf, size_t max, size_t *size)
{
    uint64_t bytes;
    size_t head;
    char *at;
    int rc = look_at_head(r, &bytes, &head);
    if (rc <= 0)
        return rc;
    *size = (size_t)bytes;
    if (*size > max)
        return -EMSGSIZE;
    if (head > r->size || *size > r->size - head) {
        urd_reader_skip(r, head);
        ssize_t n = urd_reader_read_exact(r, buf, *size);
        return n > 0 ? 1 : n < 0 ? (int)n : -ENODATA;
    }
    rc = look(r, head + *size, &at);
    if (rc <= 0)
        return rc;
    if (*size)
        memcpy(buf, at + head, *size);
    urd_reader_skip(r, head + *size);
    return 1;
}

int urd_message_write(urd_writer *w, const void *data, size_t size)
{
    unsigned char head[LONG_HEAD];
    bool is_long = size > SHORT_MAX;
    size_t n = is_long ? LONG_HEAD : SHORT_HEAD;
    put(head, SHORT_HEAD, is_long ? LONG_FOLLOWS : size);
    if (is_long)
        put(head + SHORT_HEAD, LONG_HEAD - SHORT_HEAD, size);
    size_t room = w->size - (w->end - w->start);
    int rc = n > room || size > room - n ? urd_writer_flush(w) : 0;
    if (rc == 0)
        rc = urd_writer_write(w, head, n);
    if (rc)
        return rc;
    rc = urd_writer_write(w, data, size);
    if (rc == -ECANCELED) /* the length has been taken */
        w->error = rc;
    return rc;
}
