/*
 * chan.h - channels inside: one try under the lock, for send, receive and select.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_CHAN_H
#define URD_SYNC_CHAN_H

#include <stdbool.h>

#include "core/task.h"

/*
 * Under c->lock.  0, -EPIPE, -EAGAIN.  v is read when sending, written when receiving; *wake is set
 * to who is to be made ready after the lock, if there is somebody.
 */
int urd__chan_try(urd_chan *c, bool send, void *v, urd__task **wake);

#endif
