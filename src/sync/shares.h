/*
 * shares.h - read-write locks in memory that processes share.
 *
 * SPDX-License-Identifier: MIT
 *
 * What rwlock.c calls where the lock lies there.  Who writes holds `writers` as well, a mutex of
 * robust.c, which is locked before urd__shares_write() and unlocked after urd__shares_end_write().
 */
#ifndef URD_SYNC_SHARES_H
#define URD_SYNC_SHARES_H

#include "sync/mutex.h"

/* 0; -EOWNERDEAD and the caller reads; -ENOTRECOVERABLE, -ECANCELED, -EAGAIN and he does not. */
int urd__shares_read(urd_rwlock *l, const urd__mutex_use *use);
int urd__shares_tryread(urd_rwlock *l, const urd__mutex_use *use);

bool urd__shares_end_read(urd_rwlock *l); /* false: this process does not read */

/* With `writers`: keep readers out.  0; -ECANCELED, and -EAGAIN without waiting. */
int urd__shares_write(urd_rwlock *l, bool waits);

void urd__shares_end_write(urd_rwlock *l); /* before `writers` is given back, or poisoned */

#endif
