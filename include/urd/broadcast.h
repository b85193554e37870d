/*
 * broadcast.h - every subscriber gets every value; or the latest one.
 *
 * SPDX-License-Identifier: MIT
 *
 * Values of one size go from any number of senders, through a ring, to every subscriber, in one
 * order.  Who is slow either makes the senders wait, or misses values and is told how many.  A
 * lossy broadcast with one slot is a variable that can be watched: what is in it is the latest.
 * Who waits to send is served in the order in which he came.
 */
#ifndef URD_BROADCAST_H
#define URD_BROADCAST_H

#include "urd/base.h"

URD_BEGIN_DECLS

typedef struct urd_broadcast {
    int lock;            /* guards all that is not set once */
    bool lossy;          /* set once */
    bool closed;         /* under lock */
    size_t elem_bytes;   /* set once */
    size_t slots;        /* set once */
    unsigned char *ring; /* set once */
    uint64_t sent;       /* values so far */
    uint64_t slowest;    /* no subscriber is behind this one; kept only where senders wait */
    struct urd__link senders, receivers; /* who waits */
    struct urd__link subscribers;
    long reserved[2];
} urd_broadcast;

typedef struct urd_subscriber {
    struct urd__link link; /* under the broadcast's lock */
    urd_broadcast *from;   /* set once */
    uint64_t next;         /* under the broadcast's lock: the number of the value to come */
    void *to;              /* the same: where who waits with it wants that value */
    long reserved[1];
} urd_subscriber;

/*
 * ring: room for slots * elem_bytes bytes, owned by the caller; at least one slot, or it aborts.
 * With init a send waits until the slowest subscriber has room; with init_lossy it overwrites the
 * oldest value and never waits.
 */
void urd_broadcast_init(urd_broadcast *b, size_t elem_bytes, void *ring, size_t slots);
void urd_broadcast_init_lossy(urd_broadcast *b, size_t elem_bytes, void *ring, size_t slots);

/* Nobody may wait in it or be subscribed; aborts otherwise. */
void urd_broadcast_fini(urd_broadcast *b);

/*
 * Send the value at v to all who are subscribed now; without subscribers it is only the latest.
 * 0; -EPIPE closed; -ECANCELED.  trysend never waits: -EAGAIN; no cancel point.
 */
int urd_broadcast_send(urd_broadcast *b, const void *v) URD_MUST_USE;
int urd_broadcast_trysend(urd_broadcast *b, const void *v) URD_MUST_USE;

/* Copy the latest value to v.  0; -EAGAIN none was sent yet.  Also after close. */
int urd_broadcast_latest(urd_broadcast *b, void *v) URD_MUST_USE;

/* No more sends; everyone who waits is woken.  Closing again does nothing. */
void urd_broadcast_close(urd_broadcast *b);

/* Get what is sent from now on; open_latest: and before that the latest value, if there is one. */
void urd_subscriber_open(urd_subscriber *s, urd_broadcast *b);
void urd_subscriber_open_latest(urd_subscriber *s, urd_broadcast *b);
void urd_subscriber_close(urd_subscriber *s); /* nobody may wait with it */

/*
 * Receive the next value into v; one job at a time.  Returns how many were missed before it: 0, but
 * for a lossy broadcast.  -EPIPE closed, and all was received; -ECANCELED.  tryrecv never waits:
 * -EAGAIN; no cancel point.
 */
int urd_subscriber_recv(urd_subscriber *s, void *v) URD_MUST_USE;
int urd_subscriber_tryrecv(urd_subscriber *s, void *v) URD_MUST_USE;

URD_END_DECLS

#endif
