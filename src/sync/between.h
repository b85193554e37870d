/*
 * between.h - channels between processes: what chan.c calls for one in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_BETWEEN_H
#define URD_SYNC_BETWEEN_H

#include "sync/chan.h"

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
