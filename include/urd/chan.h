/*
 * chan.h - channels between tasks, threads and processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * A queue of values of one size, between tasks and threads of one process; where both it and its
 * ring lie in memory from urd_shared_alloc(), also between processes, see below.  Caller-allocated.
 * With no slots a send meets a receive (rendezvous); with a ring it is bounded: by a number of
 * values, or by bytes where they are messages of any size.  A sent value is copied straight into a
 * waiting receiver.  First come, first served, also by an arm of a select; what lies in the ring
 * leaves in the order in which it came, or newest first, or by priority.
 *
 * Between processes, of which any may be killed at any moment:
 *
 *   - The calls are the same, with what urd_chan_init() makes; there are slots, and no select.
 *   - A value is sent wholly or not at all, and received by one process or by none.  What was sent
 *     stays when its sender dies.  What a receiver died with is gone: urd_chan_done() says how far
 *     it came.
 *   - No order is kept among those who wait.
 *   - Who would have to wait for processes that have all ended gets -EOWNERDEAD instead, if one of
 *     them was killed, or exited before its job returned: of the last four to send no more values
 *     can come, or of the last four to receive nobody makes room.  So does each until another
 *     process sends, or receives; or the channel is closed; or urd_chan_repair() was called.  A
 *     process that has not yet sent, or received, is not known.
 */
#ifndef URD_CHAN_H
#define URD_CHAN_H

#include "urd/base.h"

URD_BEGIN_DECLS

typedef struct urd_chan {
    struct urd__home lock; /* guards all that is not set once */
    int order;             /* set once */
    bool closed;
    size_t elem_bytes;   /* set once */
    size_t slots;        /* set once */
    unsigned char *ring; /* set once */
    size_t head, count;
    uint64_t sent, done;      /* values so far */
    struct urd__link senders; /* at least one of the two is empty; senders wait only if full */
    struct urd__link receivers;
    struct urd__link joiners;
    size_t priority_at; /* set once */
    size_t used;        /* bytes of the ring, of one bounded by bytes */
    long reserved[1];
    uint64_t between[8]; /* of one between processes, as all from `head`: see between.c */
} urd_chan;

/* ring: room for slots * elem_bytes bytes, owned by the caller; NULL with slots 0. */
void urd_chan_init(urd_chan *c, size_t elem_bytes, void *ring, size_t slots);

/* The newest value in the ring leaves first. */
void urd_chan_init_lifo(urd_chan *c, size_t elem_bytes, void *ring, size_t slots);

/*
 * The value with the smallest priority leaves first, of equals the one that came first.  Its
 * priority is the int64_t at the offset `priority_at` in the value.  The ring holds
 * slots * URD_CHAN_PRIORITY_BYTES(elem_bytes) bytes.  A send or receive takes log2(slots) copies.
 */
#define URD_CHAN_PRIORITY_BYTES(elem_bytes) (16 + ((elem_bytes) + 7) / 8 * 8)
void urd_chan_init_priority(urd_chan *c, size_t elem_bytes, void *ring, size_t slots,
                            size_t priority_at);

/*
 * Bounded by bytes.  What is sent and received is a urd_message: where the bytes lie, and how many.
 * A message takes its size and 8 bytes more of the `bytes` at ring, which is the caller's.
 *
 *   - A send waits while its message does not fit, and behind those who wait already, so that large
 *     ones get their turn.  -EMSGSIZE: the message would not fit into the empty ring.
 *   - Before a receive `size` says how much room there is at `to`, and then how large the message
 *     is.  -EMSGSIZE: larger than that room; it is still there for the next receive.
 *
 * Such a channel is closed, counted and selected as any other.
 */
#define URD_CHAN_MESSAGE_BYTES(size) ((size) + 8)
void urd_chan_init_bytes(urd_chan *c, void *ring, size_t bytes);

typedef struct urd_message {
    union {
        const void *from;
        void *to;
    };
    size_t size;
} urd_message;

/* Nobody may wait in it; aborts otherwise, but between processes, where that is not noticed. */
void urd_chan_fini(urd_chan *c);

/*
 * Send the value at v, or receive into v; wait while there is no room, or nothing to receive.
 * 0; -EPIPE the channel is closed (receivers first get what was sent before); -ECANCELED; of one
 * bounded by bytes -EMSGSIZE, and between processes -EOWNERDEAD, see above.
 */
int urd_chan_send(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_recv(urd_chan *c, void *v) URD_MUST_USE;

/* The same without waiting: -EAGAIN instead, between processes also where another one is at it.
 * No cancel point. */
int urd_chan_trysend(urd_chan *c, const void *v) URD_MUST_USE;
int urd_chan_tryrecv(urd_chan *c, void *v) URD_MUST_USE;

/* No more sends; everyone who waits is woken.  Closing again does nothing. */
void urd_chan_close(urd_chan *c);

/* The same, and what is in the ring is dropped: how many values.  They count as done. */
size_t urd_chan_close_now(urd_chan *c);

/* Between processes: forget who died.  Sends and receives wait again for who will come. */
void urd_chan_repair(urd_chan *c);

/*
 * For work to be done: who has received a value says so when he has dealt with it, and join waits
 * until that was said for every value sent so far and meanwhile.  done aborts if it is said more
 * often.  join: 0, -ECANCELED.
 */
void urd_chan_done(urd_chan *c);
int urd_chan_join(urd_chan *c) URD_MUST_USE;

/* Values in the ring now. */
size_t urd_chan_depth(urd_chan *c);

/* The state of one moment.  Takes as long as there are waiters. */
typedef struct urd_chan_counts {
    size_t depth;              /* values in the ring */
    size_t senders, receivers; /* that wait; between processes 1 if any do */
    uint64_t sent;             /* values so far */
    uint64_t unfinished;       /* of those, without urd_chan_done */
    size_t bytes;              /* of the ring that messages take, of one bounded by bytes; else 0 */
    bool closed;
} urd_chan_counts;
void urd_chan_stats(urd_chan *c, urd_chan_counts *out);

URD_END_DECLS

#endif
