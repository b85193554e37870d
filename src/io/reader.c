/*
 * reader.c - read by lines, marks and sizes, through a buffer of the caller's.
 *
 * SPDX-License-Identifier: MIT
 *
 * What is in the buffer lies between `start` and `end`.  Every call first fetches until it has all
 * it needs, and only then moves `start`: so whatever ends the fetching, nothing was taken.  One
 * byte is kept free, for the NUL behind a line that the end of the stream ended.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "urd.h"

enum { SIZE_MIN = 2 };

void urd_reader_init(urd_reader *r, urd_stream from, void *buf, size_t size)
{
    if (size < SIZE_MIN)
        urd__die("urd_reader_init: a buffer of %zu bytes, at least %d", size, SIZE_MIN);
    *r = (urd_reader){.from = from, .buf = buf, .size = size - 1};
}

static size_t held(const urd_reader *r)
{
    return r->end - r->start;
}

/* More into the buffer.  Above 0; 0 at the end; -EMSGSIZE: it is full; -errno. */
static ssize_t fetch(urd_reader *r)
{
    if (held(r) == r->size)
        return -EMSGSIZE;
    if (r->start > 0) { /* or the end of the buffer would be filled in crumbs */
        memmove(r->buf, r->buf + r->start, held(r));
        r->end -= r->start;
        r->start = 0;
    }
    ssize_t n = r->from.read(r->from.context, r->buf + r->end, r->size - r->end);
    if (n > 0)
        r->end += (size_t)n;
    return n;
}

static char *take(urd_reader *r, size_t n)
{
    char *taken = r->buf + r->start;
    r->start += n;
    return taken;
}

ssize_t urd_reader_peek(urd_reader *r, size_t n, char **out)
{
    if (n > r->size)
        return -EMSGSIZE;
    while (held(r) < n) {
        ssize_t rc = fetch(r);
        if (rc < 0)
            return rc;
        if (rc == 0)
            break;
    }
    *out = r->buf + r->start;
    return (ssize_t)held(r);
}

void urd_reader_skip(urd_reader *r, size_t n)
{
    if (n > held(r))
        urd__die("urd_reader_skip: %zu bytes, of %zu that are there", n, held(r));
    r->start += n;
}

/* Fetch until the mark is there: how many bytes up to its end; 0: the end came first; -errno. */
static ssize_t find(urd_reader *r, const void *mark, size_t n)
{
    size_t seen = 0; /* in which it does not begin */
    for (;;) {
        const char *from = r->buf + r->start + seen;
        const char *at = memmem(from, held(r) - seen, mark, n);
        if (at)
            return at - (r->buf + r->start) + (ssize_t)n;
        if (held(r) >= n)
            seen = held(r) - n + 1;
        ssize_t rc = fetch(r);
        if (rc <= 0)
            return rc;
    }
}

int urd_reader_read_line(urd_reader *r, char **line, size_t *length)
{
    ssize_t n = find(r, "\n", 1);
    if (n < 0)
        return (int)n;
    bool ended = n > 0;
    size_t size = ended ? (size_t)n : held(r);
    if (size == 0)
        return 0;
    *line = take(r, size);
    size -= ended;
    if (ended && size > 0 && (*line)[size - 1] == '\r')
        size--;
    (*line)[size] = '\0'; /* in place of its end, or in the byte that is kept free */
    if (length)
        *length = size;
    return 1;
}

ssize_t urd_reader_read_until(urd_reader *r, const void *mark, size_t n, char **out)
{
    if (n == 0 || n > r->size)
        return n == 0 ? -EINVAL : -EMSGSIZE;
    ssize_t size = find(r, mark, n);
    if (size == 0)
        return held(r) ? -ENODATA : 0;
    if (size > 0)
        *out = take(r, (size_t)size);
    return size;
}

/* What is there, up to `size`. */
static size_t take_some(urd_reader *r, void *buf, size_t size)
{
    size_t n = held(r) < size ? held(r) : size;
    if (n)
        memcpy(buf, take(r, n), n);
    return n;
}

/* Past the buffer, which is empty. */
static ssize_t read_past(urd_reader *r, char *buf, size_t size, size_t done)
{
    while (done < size) {
        ssize_t n = r->from.read(r->from.context, buf + done, size - done);
        if (n <= 0)
            return n < 0 ? n : done ? -ENODATA : 0;
        done += (size_t)n;
    }
    return (ssize_t)size;
}

ssize_t urd_reader_read_exact(urd_reader *r, void *buf, size_t size)
{
    char *there;
    if (size > r->size)
        return read_past(r, buf, size, take_some(r, buf, size));
    ssize_t n = urd_reader_peek(r, size, &there);
    if (n < 0 || n == 0)
        return n;
    return (size_t)n < size ? -ENODATA : (ssize_t)take_some(r, buf, size);
}

ssize_t urd_reader_read(urd_reader *r, void *buf, size_t size)
{
    if (held(r) == 0 && size >= r->size)
        return r->from.read(r->from.context, buf, size);
    ssize_t n = held(r) || size == 0 ? 1 : fetch(r);
    return n <= 0 ? n : (ssize_t)take_some(r, buf, size);
}
