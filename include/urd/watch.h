/*
 * watch.h - what the jobs of a program do and wait for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_WATCH_H
#define URD_WATCH_H

#include "urd/run.h"

URD_BEGIN_DECLS

/*
 * Write to fd the tree of all scopes and jobs of this program, as text: of each job its name, where
 * it was started, whether it runs, is ready or has not begun, else what it waits for, since when,
 * and who holds that; and its stack.  Before it, the rings of locks in which nobody can go on.
 *
 * From any thread while the runtime runs, which goes on meanwhile, so two lines may tell of two
 * moments.  Holds up the calling worker until it is written; no cancel point.  Names and lines need
 * libdw and the debug information of the program, and are left out where those are missing.
 * 0; -EAGAIN, -ENOMEM: no thread, or not enough memory, could be had for it, and the text is cut or
 * missing; or why it could not be written (-ENOSPC, -EBADF ...).
 */
int urd_dump(int fd);

URD_END_DECLS

#endif
