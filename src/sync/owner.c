/*
 * owner.c - who holds what a task waits for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/owner.h"

#include "sync/mutex.h"

urd__task *urd__lock_owner(int reason, const void *on)
{
    switch (reason) {
    case URD__ON_MUTEX:
        return urd__mutex_owner(on);
    case URD__ON_RMUTEX:
        return urd__mutex_owner(&((const urd_rmutex *)on)->mutex);
    case URD__ON_RWLOCK_READ:
    case URD__ON_RWLOCK_WRITE:
        return urd__mutex_owner(&((const urd_rwlock *)on)->writers);
    case URD__ON_ONCE:
        return urd__mutex_owner(&((const urd_once *)on)->mutex);
    default:
        return NULL;
    }
}
