/*
 * rwlock.h - the word of a read-write lock, for who looks at it from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_SYNC_RWLOCK_H
#define URD_SYNC_RWLOCK_H

/* What one reader adds to `state`; the bits below are rwlock.c's. */
enum { URD__RWLOCK_READER = 4 };

#endif
