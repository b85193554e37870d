/*
 * between.h - channels between processes: what chan.c calls for one in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_BETWEEN_H
#define URD_SYNC_BETWEEN_H

#include "sync/chan.h"

enum { URD__BETWEEN_PEERS = 4, URD__BETWEEN_BITS = 2 /* of a count, below the number */ };

typedef struct urd__side {
    int lock;              /* atomic, futex: of robust.c */
    int calls;             /* atomic, futex: times that who waits here was called */
    uint64_t count;        /* atomic: values that passed, and bits; raised under lock */
    uint64_t seen : 58;    /* under lock: values that passed the other side, when last looked at */
    uint64_t unrested : 6; /* under lock: looks that are to be made without a rest before */
    /* atomic: processes that held the lock last; set under lock */
    uint32_t peers[URD__BETWEEN_PEERS];
} urd__side;

/* Over all of the channel that is not set once.  The sides are on cache lines of their own. */
typedef struct urd__between {
    uint64_t done; /* atomic: values that were said to be, and AWAITED for joins */
    int joins;     /* atomic, futex: times that joins were called */
    char apart_from_what_is_set_once[4];
    urd__side senders;
    char apart_from_senders[64];
    urd__side receivers;
} urd__between;

/* Of a channel whose place, size and ring are set. */
void urd__between_init(urd_chan *c);

/* A whole call, which waits if `waits`.  0, -EPIPE, -EOWNERDEAD, -EAGAIN, -ECANCELED. */
int urd__between_transfer(urd_chan *c, bool send, void *v, bool waits);

size_t urd__between_close(urd_chan *c, bool drop);
bool urd__between_done(urd_chan *c); /* false: more often than values were sent */
int urd__between_join(urd_chan *c);
void urd__between_repair(urd_chan *c);
void urd__between_stats(urd_chan *c, urd_chan_counts *out);

#endif
