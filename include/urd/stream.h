/*
 * stream.h - buffered reading and writing, over whatever reads and writes.
 *
 * SPDX-License-Identifier: MIT
 *
 *     char buf[4096], *line;
 *     urd_reader r;
 *     urd_reader_init(&r, urd_stream_fd(fd), buf, sizeof buf);
 *     while ((rc = urd_reader_read_line(&r, &line, NULL)) > 0)
 *         puts(line);
 *
 * The buffer is the caller's, and its size is the limit: of a line, of what is looked at ahead, of
 * what waits to be written.  So nothing is allocated, and a peer that sends without end gets an
 * error instead of memory.  All-zero is no valid reader or writer.  One job at a time uses one;
 * reading and writing are apart, so two jobs may do the one and the other.
 */
#ifndef URD_STREAM_H
#define URD_STREAM_H

#include "urd/base.h"

URD_BEGIN_DECLS

/*
 * What reads and writes: a descriptor, or what sits on one.  Both functions wait, and return what
 * urd_read and urd_write do: some bytes, 0 at the end, -errno; after -ECANCELED nothing was read or
 * written.  A stream is a value, owns nothing, and is closed by whoever made what is below it.
 */
typedef struct urd_stream {
    ssize_t (*read)(void *context, void *buf, size_t size);        /* may be NULL in a writer */
    ssize_t (*write)(void *context, const void *buf, size_t size); /* may be NULL in a reader */
    void *context;
} urd_stream;

urd_stream urd_stream_fd(int fd); /* urd_read and urd_write */

/* ---- Reading ---- */

typedef struct urd_reader {
    urd_stream from;
    char *buf;         /* the caller's */
    size_t size;       /* of what fits in it, less one byte for a NUL */
    size_t start, end; /* what is in it: from here to there */
    long reserved[2];
} urd_reader;

/* size: at least 2, or it aborts.  What is at buf lives as long as the reader. */
void urd_reader_init(urd_reader *r, urd_stream from, void *buf, size_t size);

/*
 * The calls below wait for what they need, and then take it.  After any error they have taken
 * nothing, so a call that was cancelled, or had a deadline, can be made again; but
 * urd_reader_read_exact of more than fits into the buffer may have.  Errors: -EMSGSIZE as each
 * says, and those of the stream.  What `out` and `line` are set to points into the buffer, until
 * the next call on the reader.
 */

/*
 * A line, without its end, which may be "\n" or "\r\n", and with a NUL in its place.  The last one
 * may have no end.  1; 0: the end, there is no line; -EMSGSIZE: it does not fit into the buffer
 * together with its end.
 * length: of the line, in which there may be NULs too; or NULL.
 */
int urd_reader_read_line(urd_reader *r, char **line, size_t *length) URD_MUST_USE;

/*
 * All up to the first `mark`, n bytes, at least 1 or it is -EINVAL; and the mark too.  How many
 * bytes; 0 at the end; -ENODATA: the end came after some bytes and before the mark; -EMSGSIZE: it
 * does not fit.
 */
ssize_t urd_reader_read_until(urd_reader *r, const void *mark, size_t n, char **out) URD_MUST_USE;

/* As urd_read_exact: `size`; 0 if the end came first; -ENODATA if it came in between. */
ssize_t urd_reader_read_exact(urd_reader *r, void *buf, size_t size) URD_MUST_USE;

/* As urd_read: some bytes, those first that are in the buffer.  0 at the end. */
ssize_t urd_reader_read(urd_reader *r, void *buf, size_t size) URD_MUST_USE;

/*
 * Look ahead: wait until there are n bytes, and leave them there.  How many there are, which may be
 * more, and fewer only at the end; -EMSGSIZE: so many never fit.  n 0: what is there, at once.
 */
ssize_t urd_reader_peek(urd_reader *r, size_t n, char **out) URD_MUST_USE;

/* Take n bytes that were looked at.  Aborts if there are not so many.  Never waits. */
void urd_reader_skip(urd_reader *r, size_t n);

/* ---- Writing ---- */

typedef struct urd_writer {
    urd_stream to;
    char *buf;         /* the caller's */
    size_t size;       /* of it */
    size_t start, end; /* what is in it and not yet written */
    int error;         /* that broke it; 0: none */
    long reserved[2];
} urd_writer;

/* size: at least 1, or it aborts.  What is at buf lives as long as the writer. */
void urd_writer_init(urd_writer *w, urd_stream to, void *buf, size_t size);

/*
 * Take `size` bytes.  They are written when the buffer is full and by urd_writer_flush; so this
 * waits only while there is no room, as long as the other end does not take what is there.
 * 0; -errno of the stream.  -ECANCELED: none of it was taken, and the writer can be used on; but of
 * more than fits into the buffer some may have gone, and that breaks it, as any other error does:
 * every later call returns the same.
 */
int urd_writer_write(urd_writer *w, const void *data, size_t size) URD_MUST_USE;

/* The same with a string as of printf; it must fit into the buffer, or it is -EMSGSIZE, and the
 * writer can be used on.  -EINVAL: printf does not know the format. */
int urd_writer_print(urd_writer *w, const char *format, ...) URD_MUST_USE
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* Write all that was taken.  0; -ECANCELED: the rest is still there, for the next call; -errno of
 * the stream, which breaks the writer.  Nothing else does it: flush before you wait for an answer
 * and before you close. */
int urd_writer_flush(urd_writer *w) URD_MUST_USE;

URD_END_DECLS

#endif
