/*
 * broadcast.h - a broadcast inside: one try to receive, under the lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_BROADCAST_H
#define URD_SYNC_BROADCAST_H

#include "core/wait.h"

/*
 * Under s->from->lock.  How many were missed, -EPIPE, -EAGAIN; who is to be made ready after the
 * lock goes to the end of `woken`.  To wait then, put a node with s as its value into the
 * broadcast's `receivers`, and the place for the value into s->to.
 */
int urd__subscriber_try(urd_subscriber *s, void *v, urd__link *woken);

#endif
