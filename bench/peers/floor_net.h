/*
 * floor_net.h - the rows of the floors about connections.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FLOOR_NET_H
#define FLOOR_NET_H

#include "peer.h"

/* They serve until they are killed. */
void floor_echo(peer_args a);
void floor_accept(peer_args a);

#endif
