/*
 * floor_files.h - the rows of the floors about files and programs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FLOOR_FILES_H
#define FLOOR_FILES_H

#include "peer.h"

void floor_files_small(peer_args a);
void floor_files_large(peer_args a);
void floor_exec(peer_args a);
void floor_exec_large(peer_args a);

#endif
