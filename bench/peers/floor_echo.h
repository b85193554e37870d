/*
 * floor_echo.h - the row of the floors that needs a file of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FLOOR_ECHO_H
#define FLOOR_ECHO_H

#include <stdbool.h>

#include "peer.h"

/* Serves until it is killed. */
void floor_echo(peer_args a);

#endif
