/*
 * file.h - calls that may have to wait for a disk.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_IO_FILE_H
#define URD_IO_FILE_H

#include "urd.h"

/* Call fn(arg), which returns 0, where it holds up no worker.  0 when it has; -ECANCELED: it was
 * not called. */
int urd__file_wait(urd_fn *fn, void *arg);

#endif
