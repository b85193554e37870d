/*
 * select.h - what a select waits for, for reports.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_SELECT_H
#define URD_SYNC_SELECT_H

#include "urd.h"

/* What `waits_on` of a task in urd_select() is; on its stack. */
typedef struct urd__select {
    const urd_op *ops;
    int n;
} urd__select;

#endif
