/*
 * message.h - messages with their length in front, over a buffered stream.
 *
 * SPDX-License-Identifier: MIT
 *
 *     char in[4096], question[256];
 *     size_t size;
 *     urd_reader r;
 *     urd_reader_init(&r, urd_stream_fd(fd), in, sizeof in);
 *     while ((rc = urd_message_read(&r, question, sizeof question, &size)) > 0)
 *         ...
 *
 * A stream has no boundaries: what one call wrote may be read in pieces, and two may come as one.
 * A message arrives as it was sent, or not at all.  The form is that of Python's
 * multiprocessing.connection (send_bytes and recv_bytes), so the other end may be a Python program:
 * four bytes of length, the first one highest; from 2 GiB on, -1 in these and then eight bytes.
 */
#ifndef URD_MESSAGE_H
#define URD_MESSAGE_H

#include "urd/stream.h"

URD_BEGIN_DECLS

/*
 * Wait for a message of at most `max` bytes, and copy it to `buf`.  *size: its length, which may be
 * 0.  1: a message; 0: the end, there is none; -EMSGSIZE: it is longer than `max`, and *size says
 * how long, or not even its length fits into the reader's buffer, 12 bytes; -ENODATA: the end came
 * within one; -EPROTO: its length is none, so this is no such stream; -errno of the stream.
 *
 * After any error it has taken nothing, as all calls of a reader, and can be made again: with more
 * room after -EMSGSIZE.  But of a message that does not fit into the reader's buffer it may have.
 */
int urd_message_read(urd_reader *r, void *buf, size_t max, size_t *size) URD_MUST_USE;

/*
 * Send `size` bytes as one message.  It goes into the writer's buffer: urd_writer_flush() writes
 * it.  0; -errno of the stream.  -ECANCELED: none of it was taken; but of a message that does not
 * fit into the buffer some may have gone, which breaks the writer, as any other error does.
 */
int urd_message_write(urd_writer *w, const void *data, size_t size) URD_MUST_USE;

URD_END_DECLS

#endif
