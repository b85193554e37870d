/*
 * chan.h - channels between tasks and threads.
 *
 * SPDX-License-Identifier: MIT
 *
 * A queue of values of one size, between tasks and threads of one process.  Caller-allocated.  With
 * no slots a send meets a receive (rendezvous); with a ring it is bounded.  A sent value is copied
 * straight into a waiting receiver.  First come, first served.
 */
#ifndef URD_CHAN_H
#define URD_CHAN_H

#include "urd/base.h"

URD_BEGIN_DECLS

typedef struct urd_chan {
    int lock;            /* guards all that follows but the first three */
    size_t elem_bytes;   /* set once */
    size_t slots;        /* set once */
    unsigned char *ring; /* set once; slots * elem_bytes bytes */
    size_t head, count;
    bool closed;
    struct urd__link senders; /* at least one of the two is empty; senders wait only if full */
    struct urd__link receivers;
    long reserved[2];
} urd_chan;

/* ring: room for slots * elem_bytes bytes, owned by the caller; NULL with slots 0. */
void urd_chan_init(urd_chan *c, size_t elem_bytes, void *ring, size_t slots);

/* Nobody may wait in it; aborts otherwise. */
void urd_chan_fini(urd_chan *c);

/*
 * Send the value at v, or receive into v; wait while there is no room, or nothing to receive.
 * 0; -EPIPE the channel is closed (receivers first get what was sent before); -ECANCELED.
 */
int urd_chan_send(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_recv(urd_chan *c, void *v) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead.  No cancel point. */
int urd_chan_trysend(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_tryrecv(urd_chan *c, void *v) URD_MUST_USE;

/* No more sends; everyone who waits is woken.  Closing again does nothing. */
void urd_chan_close(urd_chan *c);

/* Values in the ring now. */
size_t urd_chan_depth(urd_chan *c);

URD_END_DECLS

#endif
