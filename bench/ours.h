/*
 * ours.h - our rows of the comparison with other runtimes, and what they were asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef OURS_H
#define OURS_H

#include "peers/peer.h"
#include "urd.h"

/* A row, and the job that measures it and says the result.  A NULL name ends a table. */
typedef struct ours_row {
    const char *name;
    urd_fn *measure;
} ours_row;

extern const ours_row ours_tasks[], ours_loops[], ours_waits[], ours_pools[];
extern const ours_row ours_files[], ours_net[];
extern peer_args ours_args;

#endif
