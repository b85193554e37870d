/*
 * chan.h - channels inside: one try under the lock, and the order in which values leave.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_CHAN_H
#define URD_SYNC_CHAN_H

#include <stdbool.h>

#include "core/task.h"

enum { URD__FIFO, URD__LIFO, URD__PRIORITY, URD__BYTES, URD__BETWEEN };

/* Aborts in the name of `call` where there are slots and no ring. */
void urd__chan_setup(urd_chan *c, size_t elem_bytes, void *ring, size_t slots, const char *call);

/*
 * Under c->lock.  0, -EPIPE, -EAGAIN.  v is read when sending, written when receiving; *wake is set
 * to who is to be made ready after the lock, if there is somebody; several go to `woken` instead.
 */
int urd__chan_try(urd_chan *c, bool send, void *v, urd__task **wake, urd__link *woken);

/* order.c: into the ring, which has room and whose value is counted as sent; and out of it. */
void urd__order_put(urd_chan *c, const void *v);
void urd__order_take(urd_chan *c, void *v);

/* bytes.c: the same try; a whole call, which waits unless `waits`, who calls, is NULL; and who
 * waited to send is off the queue, and has not sent. */
int urd__bytes_try(urd_chan *c, bool send, urd_message *m, urd__link *woken);
int urd__bytes_transfer(urd_chan *c, bool send, urd_message *m, urd__task *waits);
void urd__bytes_sender_left(urd_chan *c);

#endif
