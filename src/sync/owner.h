/*
 * owner.h - who holds what a task waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_OWNER_H
#define URD_SYNC_OWNER_H

#include "core/wait.h"

/*
 * The task that holds the lock `on`, of the kind that the reason says; NULL: nobody, many readers,
 * or no lock that is held.  For reports: it may be gone when this returns.
 */
urd__task *urd__lock_owner(int reason, const void *on);

#endif
