/*
 * floor_pools.h - the floors of what passes between processes, see floor_pools.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FLOOR_POOLS_H
#define FLOOR_POOLS_H

#include "peer.h"

void floor_pool_one(peer_args a);
void floor_pool_asleep(peer_args a);
void floor_pool_map(peer_args a);
void floor_pool_bytes(peer_args a);
void floor_chan_process(peer_args a);
void floor_mutex_process(peer_args a);
void floor_process_start(peer_args a);

#endif
